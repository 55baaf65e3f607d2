"""A script that reads one HDF5 file in a separate process (`lmu_spiking.hdf5`).

A damaged file may hang or kill this process.  The file is standard input; standard
output gets an ``.npz`` with the arrays by number and, under ``tree``, their places in
JSON.  If the file cannot be read, standard error gets the reason.  Nothing else of the
package is imported here, so that a start takes no longer than the import of h5py.
"""

import contextlib
import json
import signal
import sys
import zipfile

import h5py
import numpy as np

OBJECTS = 2000  # the most groups, arrays and links
DEEP = 40  # the deepest nesting of groups
TEXTS = 20_000  # the most texts in one array


class Reader:
    """A reader that copies the arrays of a file to an archive, group by group.

    Parameters
    ----------
    out : zipfile.ZipFile
    room : int
        Bytes that all arrays may take together.
    """

    def __init__(self, out: zipfile.ZipFile, room: int):
        self._out, self._room = out, room
        self._arrays = self._objects = 0

    def group(self, group, depth: int = 0) -> dict:
        """Return what a group holds, as plain values."""
        if depth > DEEP:
            raise ValueError("its groups are nested too deeply")
        items = {}
        for name in group:
            self._objects += 1
            if self._objects > OBJECTS:
                raise ValueError(f"it holds more than {OBJECTS} objects")
            items[name] = self._item(group, name, depth)
        return {"attrs": attributes(group), "items": items}

    def _item(self, group, name: str, depth: int) -> dict:
        # a link out of the file, or in circles
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            return {"odd": "is missing or a link"}
        item = group[name]
        if isinstance(item, h5py.Group):
            return self.group(item, depth + 1)
        if not isinstance(item, h5py.Dataset) or item.shape is None:
            return {"odd": "is not an array of numbers"}
        if item.external or item.is_virtual:
            return {"odd": "lies in another file"}
        if item.dtype.kind in "biuf":
            return self._numbers(item)
        if h5py.check_string_dtype(item.dtype) is not None and item.size <= TEXTS:
            return {"shape": item.shape, "texts": texts(item[()])}
        return {"odd": "is not an array of numbers"}

    def _numbers(self, item) -> dict:
        if item.size * item.dtype.itemsize > self._room:
            return {"odd": f"claims {item.size} numbers, more than are read"}
        self._room -= item.size * item.dtype.itemsize
        with self._out.open(f"{self._arrays}.npy", "w") as member:
            np.lib.format.write_array(member, np.asarray(item[()]), allow_pickle=False)
        self._arrays += 1
        return {"array": self._arrays - 1}


def attributes(group) -> dict:
    """Return the attributes of a group that are texts, or lists of texts."""
    found = {}
    for name, value in group.attrs.items():
        if isinstance(value, (str, bytes)):
            (found[name],) = texts(value)
        elif isinstance(value, np.ndarray) and value.dtype.kind in "OSU":
            found[name] = texts(value)
    return found


def texts(value) -> list[str]:
    """Return the texts in an array, in the order of its elements."""
    every = np.asarray(value, dtype=object).ravel().tolist()
    return [e.decode() if isinstance(e, bytes) else str(e) for e in every]


def limit(seconds: float, memory: int, largest: int) -> None:
    """Limit the computing time (s), memory and output (bytes) of this process."""
    with contextlib.suppress(ImportError, AttributeError, ValueError, OSError):
        signal.setitimer(signal.ITIMER_PROF, seconds)  # unhandled, it ends the process
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 * largest, 2 * largest))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def main(seconds: float, memory: int, largest: int) -> int:
    """Read the file in standard input, and write its contents to standard output."""
    limit(seconds, memory, largest)
    try:
        data = sys.stdin.buffer.read(largest + 1)
        if len(data) > largest:
            raise ValueError(f"it is larger than {largest} bytes")
        out = sys.stdout.buffer
        with h5py.File(h5py.h5f.open_file_image(data)) as file:
            with zipfile.ZipFile(out, "w") as archive:
                tree = Reader(archive, largest).group(file)
                text = np.frombuffer(json.dumps(tree).encode(), np.uint8)
                with archive.open("tree.npy", "w") as member:
                    np.lib.format.write_array(member, text, allow_pickle=False)
        out.flush()
        return 0
    except MemoryError:
        said = "it asks for more memory than is allowed"
    except Exception as error:  # h5py's, of any class
        said = str(error)
    sys.stderr.write(said[:400])
    return 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
