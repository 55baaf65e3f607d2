"""The folder of a command's results, in which the user's own files are never replaced.

A list in the folder, `LIST`, names the files that commands wrote there, with the digest
of each.  Only a file that is on the list and unchanged is replaced or removed.  Any
other file of the same name is kept under another name.
"""

import hashlib
import json
import os
import stat
from contextlib import suppress
from pathlib import Path

from lmu_spiking.files import NOT_OURS, set_aside, write_atomically
from lmu_spiking.studies.records import write_json, write_kept, write_parquet

try:
    import fcntl
except ImportError:  # on Windows, where two commands at once may mix their files
    fcntl = None

LIST = ".lmu_spiking.json"


class Folder:
    """A folder, locked while a command writes to it; other commands wait.

    Parameters
    ----------
    out : path-like
        It is made if it does not exist.
    owner : str
        The command that writes: `clear` removes the files of this owner alone.
    """

    def __init__(self, out, owner: str):
        self.out, self.owner = Path(out), owner
        self._claimed: list[str] = []
        self._lock = -1

    def __enter__(self):
        self.out.mkdir(parents=True, exist_ok=True)
        if fcntl is not None:
            with suppress(OSError):  # of a file system without locks
                self._lock = os.open(self.out, os.O_RDONLY)
                fcntl.flock(self._lock, fcntl.LOCK_EX)
        self._written = self._read()
        return self

    def __exit__(self, *_):
        try:
            # the digests of what was written now join the list
            for name in self._claimed:
                if digest := _digest(self.out / name):
                    self._written[name] = {"sha256": digest, "by": self.owner}
            if self._written:
                text = f"{json.dumps(self._written, indent=1)}\n"
                with suppress(OSError):  # the next command then keeps all files
                    write_atomically(self.out / LIST, text.encode(), sync=False)
        finally:
            if self._lock >= 0:
                os.close(self._lock)

    def claim(self, name: str) -> Path:
        """Return the path of a file to be written, and keep a file of the user's.

        A file that no command wrote, or that was changed since, is renamed, with a
        warning.

        Parameters
        ----------
        name : str

        Returns
        -------
        Path
        """
        path = self.out / name
        if os.path.lexists(path) and not self._ours(name):
            set_aside(path, "was not written by this program, or was changed")
        self._claimed.append(name)
        return path

    def clear(self, *patterns: str) -> None:
        """Remove files that this owner wrote in earlier sessions but not in this.

        Parameters
        ----------
        *patterns : str
            Names of the files, with ``*`` for any text.
        """
        for name, about in list(self._written.items()):
            path = self.out / name
            # neither files of this session, nor of other owners, nor the user's
            matches = any(path.match(pattern) for pattern in patterns)
            if name in self._claimed or not matches or about["by"] != self.owner:
                continue
            if self._ours(name):
                with suppress(OSError):
                    path.unlink()
            del self._written[name]

    def _ours(self, name: str) -> bool:
        """Return whether a file is as a command wrote it."""
        about = self._written.get(name)
        return about is not None and _digest(self.out / name) == about["sha256"]

    def _read(self) -> dict:
        """Return the list; an empty one if it is missing or not ours."""
        try:
            found = json.loads(_bytes(self.out / LIST))
            return {
                name: {"sha256": str(about["sha256"]), "by": str(about["by"])}
                for name, about in found.items()
                if Path(name).name == name
            }
        except NOT_OURS:
            return {}


def write_all(out, owner: str, files: dict, obsolete=()) -> dict[str, Path]:
    """Write the files of a command to its folder.

    Parameters
    ----------
    out : path-like
        The folder.
    owner : str
        The command, as `Folder` knows it.
    files : dict
        What each file holds, by its name: a record, which is written as JSON; a
        DataFrame, as parquet or, by its name, as CSV; bytes; a figure, which is written
        as a PDF beside it, too; or a function that writes the file and takes its path.
    obsolete : sequence of str
        Names of this owner's files, with ``*`` for any text, that are removed if they
        are not written now.

    Returns
    -------
    dict of str to Path
        By name.
    """
    from lmu_spiking.plots import save_figure  # not needed where sweeps run

    paths = {}
    with Folder(out, owner) as folder:
        for name, content in files.items():
            paths[name] = path = folder.claim(name)
            if isinstance(content, dict):
                write_json(path, content)
            elif isinstance(content, bytes):
                write_kept(path, content)
            elif hasattr(content, "to_parquet") and path.suffix == ".csv":
                write_kept(path, content.to_csv(index=False).encode())
            elif hasattr(content, "to_parquet"):
                write_parquet(path, content)
            elif callable(content):
                content(path)
            else:  # for screens, and for papers
                save_figure(content, path)
                save_figure(content, folder.claim(path.with_suffix(".pdf").name))
        drawn = [f"{name[:-4]}.pdf" for name in obsolete if name.endswith(".png")]
        folder.clear(*obsolete, *drawn)
    return paths


def _digest(path: Path) -> str:
    """Return the digest of a regular file; an empty text for anything else."""
    try:
        return hashlib.sha256(_bytes(path)).hexdigest()
    except OSError:
        return ""


def _bytes(path: Path) -> bytes:
    """Return the content of a regular file that is no symbolic link."""
    if not stat.S_ISREG(path.lstat().st_mode):
        raise OSError("is no regular file")
    return path.read_bytes()
