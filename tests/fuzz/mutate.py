"""Damage to bytes, texts, members of archives and values of JSON."""

import copy
import io
import json
import re
import struct
import zipfile

FIELDS = (0, 1, 2, 7, 127, 255, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**63)
TOKENS = (
    *("1" + "0" * 400, "1e400", "-1e400", "nan", "inf", "-1", "0", "1e-320", "2000"),
    *("1" * 30, "null", "true", "[]", "{}", '""', '"' + "x" * 3000 + '"', "\0", "é"),
    *("[" * 3000, "{", "}", ",", "\n", '"\\ud800"', "9" * 4301, "1e9", "10000"),
)
VALUES = (
    *(None, True, -1, 0, 1e308, -1e308, float("nan"), float("inf"), 10**400, 2**63),
    *("", "x" * 5000, [], {}, [[]], {"a": {}}, 0.5, 10**9, [1] * 2000, "nan", "relu"),
)


def damaged(data: bytes, others: list[bytes], rng) -> bytes:
    """Return the bytes, damaged in one to eight places."""
    if rng.random() < 0.02:
        return data
    whole = bytearray(data)
    for _ in range(int(rng.integers(1, 9)) if rng.random() < 0.5 else 1):
        whole = _once(whole, others, rng)
    return bytes(whole)


def _once(data: bytearray, others: list[bytes], rng) -> bytearray:  # noqa: C901
    n = len(data)
    if n == 0:
        return bytearray(rng.bytes(20))
    at, way = int(rng.integers(n)), int(rng.integers(10))
    size = int(2 ** rng.integers(0, 12))
    if rng.random() < 0.4:  # most formats say what they hold at their beginning
        at = int(rng.integers(min(n, 600)))
    if way <= 1:
        data[at] ^= 1 << int(rng.integers(8))
    elif way == 2:
        data[at] = int(rng.integers(256))
    elif way == 3:
        del data[at:]
    elif way == 4:
        del data[at : at + size]
    elif way == 5:
        data[at:at] = data[at : at + size]
    elif way == 6:
        data[at:at] = rng.bytes(min(size, 200))
    elif way == 7:
        width = int(rng.choice([1, 2, 4, 8]))
        field = FIELDS[int(rng.integers(len(FIELDS)))] & (2 ** (8 * width) - 1)
        raw = struct.pack("<Q" if rng.random() < 0.7 else ">Q", field)
        data[at : at + width] = raw[:width]
    elif way == 8:
        data[at : at + size] = bytes(len(data[at : at + size]))
    else:
        other = others[int(rng.integers(len(others)))]
        if len(other) < 300_000:
            data[at:] = other[int(rng.integers(len(other) + 1)) :]
    return data


def reworded(data: bytes, others: list[bytes], rng) -> bytes:
    """Return a text with a word, a number or a line changed."""
    text = data.decode("utf-8", "replace")
    for _ in range(int(rng.integers(1, 4))):
        words = list(re.finditer(r"[\w.+-]+", text[:20_000]))
        token = TOKENS[int(rng.integers(len(TOKENS)))]
        if words and rng.random() < 0.8:
            word = words[int(rng.integers(len(words)))]
            text = text[: word.start()] + token + text[word.end() :]
        else:
            at = int(rng.integers(len(text) + 1))
            text = text[:at] + token + text[at:]
    return text.encode("utf-8", "replace")


def retold(data: bytes, others: list[bytes], rng) -> bytes:
    """Return JSON in which a value is changed or missing."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return damaged(data, others, rng)
    for _ in range(int(rng.integers(1, 4))):
        places: list = []
        _places(value, places)
        if not places:
            break
        owner, key = places[int(rng.integers(len(places)))]
        if rng.random() < 0.15:
            del owner[key]
        elif rng.random() < 0.1:
            owner[key] = [copy.deepcopy(owner[key]) for _ in range(3)]
        else:
            owner[key] = copy.deepcopy(VALUES[int(rng.integers(len(VALUES)))])
    return json.dumps(value).encode()


def _places(value, found: list, depth: int = 0) -> None:
    if depth > 30 or len(found) > 3000:
        return
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list):
        pairs = list(enumerate(value[:50]))
    else:
        return
    for key, inner in pairs:
        found.append((value, key))
        _places(inner, found, depth + 1)


def repacked(data: bytes, others: list[bytes], rng) -> bytes:
    """Return an archive with damaged members and correct checksums."""
    if len(data) > 400_000:
        return damaged(data, others, rng)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = archive.infolist()
            if len(infos) > 50 or sum(info.file_size for info in infos) > 2**20:
                return damaged(data, others, rng)
            members = {info.filename: archive.read(info) for info in infos}
    except Exception:
        return damaged(data, others, rng)
    if not members:
        return damaged(data, others, rng)
    names = list(members)
    for _ in range(int(rng.integers(1, 3))):
        name = names[int(rng.integers(len(names)))]
        members[name] = _member(name, members[name], list(members.values()), rng)
    if rng.random() < 0.1:
        del members[names[int(rng.integers(len(names)))]]
    file, out = io.BytesIO(), zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(file, "w", out if rng.random() < 0.5 else 0) as archive:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            if rng.random() < 0.01:
                info.external_attr = 0o120777 << 16  # a symbolic link
            archive.writestr(info, content)
    return file.getvalue()


def _member(name: str, data: bytes, others: list[bytes], rng) -> bytes:
    if name.endswith(".json"):
        return retold(data, others, rng)
    if name in ("header.npy", "header") and data[:6] == b"\x93NUMPY":
        start = 10 + int.from_bytes(data[8:10], "little")
        text = retold(data[start:], others, rng)
        shape = b"{'descr': '|u1', 'fortran_order': False, 'shape': (%d,), }\n"
        shape %= len(text)
        return data[:8] + struct.pack("<H", len(shape)) + shape + text
    if data[:6] == b"\x93NUMPY" and rng.random() < 0.6:
        start = 10 + int.from_bytes(data[8:10], "little")
        told = reworded(data[10:start], others, rng)[:60_000]
        return data[:8] + struct.pack("<H", len(told)) + told + data[start:]
    return damaged(data, others, rng)
