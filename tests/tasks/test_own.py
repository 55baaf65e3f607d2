import numpy as np
import pytest
from scipy.io import wavfile

from lmu_spiking.errors import LMUSpikingError, SignalFileError, ValidityWarning
from lmu_spiking.tasks import load_sequences, load_task
from lmu_spiking.tasks.catalogue import is_own

RNG = np.random.default_rng(0)
LENGTHS = np.tile([5, 8, 3, 6, 8], 6)
X = [RNG.normal(size=(end, 2)).astype(np.float32) for end in LENGTHS]
Y = np.repeat(["no", "yes", "maybe"], 10)
PADDED = np.stack([np.pad(x, ((0, 8 - len(x)), (0, 0))) for x in X])
KNOWN = {"x": PADDED, "lengths": LENGTHS, "y": Y}
SPLIT = np.tile(["train", "train", "valid", "test", "train"], 6)


@pytest.fixture
def saved(tmp_path):
    """``saved(**arrays)`` -> the path of an .npz of them."""

    def save(**arrays):
        path = tmp_path / "mine.npz"
        np.savez(path, **arrays)
        return path

    return save


def sequences_of(part):
    """Each sequence of a part alone, with its class or values."""
    n, steps = part.x.shape[:2]
    ends = np.full(n, steps) if part.lengths is None else part.lengths
    return [(x[:end], y) for x, y, end in zip(part.x, part.y, ends, strict=True)]


@pytest.mark.parametrize("form", ["padded", "row", "nan"])
def test_sequences_are_those_that_were_saved(saved, form):
    """Padded with anything, all in one row, or padded with NaN."""
    arrays = KNOWN | {"split": SPLIT, "dt": 0.02}
    if form == "row":
        arrays["x"] = np.concatenate(X)
    elif form == "nan":
        past = np.arange(8) >= LENGTHS[:, None]
        arrays["x"] = np.where(past[:, :, None], np.nan, PADDED)
        del arrays["lengths"]
    data = load_sequences(saved(**arrays))
    assert (data.name, data.dt, data.classes, data.last) == ("mine", 0.02, 3, True)
    assert data.class_names == ("maybe", "no", "yes")
    assert "own split" in data.origin
    for name in ("train", "valid", "test"):
        rows = np.flatnonzero(SPLIT == name)
        found = sequences_of(getattr(data, name))
        for i, (x, y) in zip(rows, found, strict=True):
            np.testing.assert_array_equal(x, X[i])
            assert data.class_names[y] == Y[i]
        assert getattr(data, name).x.shape[1] == LENGTHS[rows].max()


def test_parts_are_drawn_in_the_shares_of_the_classes(saved):
    path = saved(**KNOWN)
    data, other = load_sequences(path), load_sequences(path, split=1)
    for part, each in ((data.train, 6), (data.valid, 2), (data.test, 2)):
        assert np.bincount(part.y).tolist() == [each] * 3
    assert data.digest == load_task(str(path)).digest != other.digest
    assert data.trained_on("valid") == data.trained_on("test") == 0
    merged = data.merged()
    assert len(merged.train) == 24
    assert merged.trained_on("valid") == 6


def test_a_missing_part_is_drawn_from_training_alone(saved):
    split = np.where(SPLIT == "valid", "train", SPLIT)
    data = load_sequences(saved(**KNOWN, split=split))
    tested = {x.tobytes() for x, _ in sequences_of(data.test)}
    assert tested == {X[i].tobytes() for i in np.flatnonzero(split == "test")}
    assert len(data.valid) == 5
    assert "validation part drawn by seed 0" in data.origin


def test_groups_are_kept_apart(saved):
    groups = np.arange(30) % 7
    x = np.repeat(groups[:, None], 4, axis=1).astype(float)
    data = load_sequences(saved(x=x, y=Y, groups=groups))
    seen = [set(part.x[:, 0, 0]) for part in (data.train, data.valid, data.test)]
    assert all(seen)
    assert sum(map(len, seen)) == len(set.union(*seen)) == 7


def test_classes_that_nothing_tests_are_told(saved):
    y = np.where(np.arange(30) == 3, "odd", Y)
    parts = np.where(np.arange(30) == 3, "train", SPLIT)
    with pytest.warns(ValidityWarning, match="no test sequence has the classes odd"):
        load_sequences(saved(x=PADDED, y=y, split=parts))


def test_what_single_precision_loses_is_told(saved):
    with pytest.warns(ValidityWarning, match="about values up to 1e.08"):
        load_sequences(saved(x=PADDED.astype(float) + 1e8, y=Y))


def test_a_first_column_that_counts_up_is_refused(tmp_path):
    for kind in "ab":
        (tmp_path / kind).mkdir()
        for i in range(4):
            table = np.c_[10 * np.arange(6 + i), np.cos(np.arange(6 + i))]
            np.savetxt(
                tmp_path / kind / f"{i}.csv", table, delimiter=",", header="ms,u"
            )
    with pytest.raises(SignalFileError, match="first column counts up evenly"):
        load_sequences(tmp_path)


@pytest.mark.parametrize(
    ("y", "classes", "expected"),
    [
        (np.repeat([3, 7], 15), None, ("3", "7")),
        (np.repeat([3.0, 7.0], 15), None, ("3", "7")),
        (np.repeat([1, 0], 15), ["a", "b", "c"], ("a", "b", "c")),
        (np.repeat(["b", "a"], 15), ["b", "a"], ("b", "a")),
        (np.repeat([True, False], 15), None, ("False", "True")),
    ],
)
def test_labels_are_mapped_to_classes_from_0(saved, y, classes, expected):
    given = {} if classes is None else {"classes": np.array(classes)}
    arrays = {"x": PADDED, "y": y, "split": SPLIT, **given}
    if classes is not None and len(classes) == 3:
        with pytest.warns(ValidityWarning, match="no training sequence has the class"):
            data = load_sequences(saved(**arrays))
    else:
        data = load_sequences(saved(**arrays))
    assert data.class_names == expected
    own = y[SPLIT == "train"]
    named = [expected[i] for i in data.train.y]
    numbers = y.dtype.kind in "iu" and classes is not None
    assert named == [classes[i] if numbers else str(i).removesuffix(".0") for i in own]


def test_values_and_labels_of_steps(saved):
    values = RNG.normal(size=(30, 2))
    data = load_sequences(saved(x=PADDED, y=values, split=SPLIT))
    assert (data.classes, data.last, data.size_out) == (None, True, 2)
    np.testing.assert_allclose(data.test.y, values[SPLIT == "test"], rtol=1e-6)
    # labels of steps, padded and in a row
    labels = RNG.integers(4, 7, size=(30, 8))
    row = np.concatenate([y[:end] for y, end in zip(labels, LENGTHS, strict=True)])
    padded = load_sequences(saved(**KNOWN | {"y": labels}, split=SPLIT))
    rows = {"x": np.concatenate(X), "y": row, "lengths": LENGTHS, "split": SPLIT}
    assert padded.digest == load_sequences(saved(**rows)).digest
    assert (padded.classes, padded.last) == (3, False)
    for i, (_, y) in zip(
        np.flatnonzero(SPLIT == "test"), sequences_of(padded.test), strict=True
    ):
        np.testing.assert_array_equal(y[: LENGTHS[i]] + 4, labels[i, : LENGTHS[i]])
    # values of steps
    values = RNG.normal(size=(30, 8, 1))
    data = load_sequences(saved(**KNOWN | {"y": values}, split=SPLIT))
    assert (data.classes, data.last, data.test.y.ndim) == (None, False, 3)


@pytest.mark.parametrize("parts", [("",), ("train", "test")])
def test_a_folder_has_a_folder_for_each_class(tmp_path, parts):
    expected = []
    for part in parts:
        for kind in ("down", "up"):
            folder = tmp_path / "walks" / part / kind
            folder.mkdir(parents=True)
            for i in range(6):
                t, u = np.arange(4 + i) / 50, RNG.normal(size=(4 + i, 2)).round(4)
                expected.append(u)
                table = np.column_stack([t, u])
                header = {"header": "time,a,b", "comments": ""}
                np.savetxt(folder / f"{i}.csv", table, "%.6f", ",", **header)
            (folder / ".hidden").write_text("")
            (folder / "notes.txt").write_text("not read")
    data = load_sequences(tmp_path / "walks")
    assert (data.name, data.size_in, data.class_names) == ("walks", 2, ("down", "up"))
    assert data.dt == pytest.approx(0.02)
    every = [data.train, data.valid, data.test]
    found = {x.tobytes() for part in every for x, _ in sequences_of(part)}
    assert found == {u.astype(np.float32).tobytes() for u in expected}
    assert len(data.test) == (2 if parts == ("",) else 12)


def test_a_folder_of_sounds_and_arrays(tmp_path):
    for kind in ("a", "b"):
        (tmp_path / kind).mkdir()
        for i in range(5):
            u = RNG.normal(size=20).astype(np.float32)
            wavfile.write(tmp_path / kind / f"{i}.wav", 400, u)
    data = load_sequences(tmp_path)
    assert (data.dt, data.size_in) == (0.0025, 1)
    np.save(tmp_path / "a" / "9.npy", np.ones(4))
    with pytest.raises(LMUSpikingError, match="or none; resample the files, or give"):
        load_sequences(tmp_path)
    assert load_sequences(tmp_path, rate=100).dt == 0.01


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"y": None}, "holds no array y .x, lengths.; it must hold x"),
        ({"x": np.array([[1, "a"]], object)}, "Object arrays cannot be loaded"),
        ({"x": np.full((30, 8), "a")}, "x: .* must be real numbers"),
        ({"x": np.zeros((30, 8, 2, 1))}, r"x: \(30, 8, 2, 1\) must be"),
        ({"x": np.full((30, 8), np.nan)}, "not finite"),
        ({"x": np.full((30, 8), np.inf)}, "not finite"),
        ({"y": Y[:7]}, "y: 7 labels or values for 30 sequences in x"),
        ({"y": np.zeros(30, int)}, "y: '0' is the only class"),
        ({"y": np.full(30, np.nan)}, "y: .* must be finite"),
        ({"y": np.zeros(30, complex)}, "y: .* must be numbers or text"),
        ({"lengths": LENGTHS + 3}, "lengths: 11 must be from 1 to the 8 steps"),
        (
            {"lengths": LENGTHS[:4], "x": PADDED[:, :, 0]},
            "lengths: 22 must be positive",
        ),
        ({"split": np.full(30, "exam")}, "split: 'exam' is no part; use train"),
        ({"split": np.full(30, 4)}, "split: .* must be train, valid or test"),
        ({"split": np.full(30, "test")}, "too few to draw|no sequence"),
        ({"groups": np.zeros(30)}, "groups: 1 is too few to keep parts apart"),
        ({"dt": -1.0}, "dt: -1.0 must be a positive"),
        ({"classes": np.array(["no", "yes"])}, "y: 'maybe' is none of the classes"),
        ({"x": PADDED[:2], "y": Y[[0, 10]], "lengths": LENGTHS[:2]}, "too few"),
    ],
)
def test_bad_arrays_are_told_in_one_line(saved, arrays, message):
    arrays = {k: v for k, v in (KNOWN | arrays).items() if v is not None}
    path = saved(**arrays)
    with pytest.raises(LMUSpikingError, match=message) as told:
        load_sequences(path)
    assert "\n" not in str(told.value)
    assert str(path) in str(told.value)


def test_bad_folders_and_files_are_named(tmp_path):
    with pytest.raises(LMUSpikingError, match="holds no folder of sequences"):
        load_sequences(tmp_path)
    for kind in ("a", "b"):
        (tmp_path / kind).mkdir()
    with pytest.raises(LMUSpikingError, match="a holds no sequences"):
        load_sequences(tmp_path)
    for kind in ("a", "b"):
        for i in range(4):
            np.save(tmp_path / kind / f"{i}.npy", RNG.normal(size=(4, 2)))
    assert load_sequences(tmp_path).size_in == 2
    (tmp_path / "b" / "2.npy").write_bytes(b"damaged")
    with pytest.raises(LMUSpikingError, match=r"b/2\.npy"):
        load_sequences(tmp_path)
    np.save(tmp_path / "b" / "2.npy", np.ones((4, 3)))
    with pytest.raises(LMUSpikingError, match=r"b/2\.npy: has 3 channels, not 2 as"):
        load_sequences(tmp_path)
    for missing in ("none.npz", "none/at/all", tmp_path / "a" / "1.npy"):
        with pytest.raises(LMUSpikingError, match=r"no such file|is no .npz and"):
            load_sequences(missing)
    (tmp_path / "c.npz").write_bytes(b"PK damaged")
    with pytest.raises(LMUSpikingError, match=r"c\.npz"):
        load_sequences(tmp_path / "c.npz")


def test_what_is_the_users_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not is_own("digits")
    (tmp_path / "digits").mkdir()
    assert not is_own("digits")
    assert is_own("digits/") or is_own("./digits")
    assert is_own("my.npz")
    assert not is_own("jazz")
    (tmp_path / "jazz").mkdir()
    assert is_own("jazz")
