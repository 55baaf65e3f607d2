"""A script that reads one HDF5 file in a separate process, for `lmu_spiking.hdf5`.

A damaged file may hang or kill this process.  The file is standard input; standard
output gets an ``.npz`` with the arrays by number and, under ``tree``, their places in
JSON.  If the file cannot be read, standard error gets the reason.  Nothing else of the
package is imported here, so that a start takes no longer than the import of h5py.
"""

import contextlib
import json
import signal
import sys

import h5py
import numpy as np

OBJECTS = 2000  # the most groups, arrays and links
DEEP = 40  # the deepest nesting of groups
TEXTS = 20_000  # the most texts in one array


class Reader:
    """A reader that gathers the arrays of a file in ``arrays``, group by group.

    Parameters
    ----------
    room : int
        Bytes that all arrays together may take.
    """

    def __init__(self, room: int):
        self.arrays: list = []
        self._room, self._objects = room, 0

    def group(self, group, depth: int = 0) -> dict:
        """Return the contents of a group as plain values.

        Parameters
        ----------
        group : h5py.Group
        depth : int
            Number of the groups around it.

        Returns
        -------
        dict
            ``attrs``, and ``items``: groups, numbers of arrays, texts, or what is odd.
        """
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
        """Return an item of a group, or what is odd about it."""
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
        words = h5py.check_string_dtype(item.dtype) is not None
        if words and (item.size or 0) <= TEXTS:
            return {"shape": item.shape, "texts": texts(item[()])}
        return {"odd": "is not an array of numbers"}

    def _numbers(self, item) -> dict:
        """Keep an array, and return its number."""
        if item.size * item.dtype.itemsize > self._room:
            return {"odd": f"claims {item.size} numbers, more than are read"}
        self._room -= item.size * item.dtype.itemsize
        self.arrays.append(item[()])
        return {"array": len(self.arrays) - 1}


def attributes(group) -> dict:
    """Return the attributes of a group that are texts, or lists of texts."""
    attrs = {}
    for name, value in group.attrs.items():
        if isinstance(value, (str, bytes)):
            (attrs[name],) = texts(value)
        elif isinstance(value, np.ndarray) and value.dtype.kind in "OSU":
            attrs[name] = texts(value)
    return attrs


def texts(value) -> list[str]:
    """Return the texts in an array, in the order of its elements."""
    every = np.asarray(value, dtype=object).ravel().tolist()
    return [e.decode() if isinstance(e, bytes) else str(e) for e in every]


def limit(seconds: float, memory: int, largest: int) -> None:
    """Limit the computing time (s), memory and output (bytes) of this process.

    Parameters
    ----------
    seconds : float
    memory, largest : int
        Bytes of this process, and of a file.
    """
    with contextlib.suppress(ImportError, AttributeError, ValueError, OSError):
        signal.setitimer(signal.ITIMER_PROF, seconds)  # unhandled, it ends the process
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (2 * largest, 2 * largest))
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def main(seconds: float, memory: int, largest: int) -> int:
    """Read the file in standard input, and write its contents to standard output.

    Parameters
    ----------
    seconds : float
    memory, largest : int
        As for `limit`.

    Returns
    -------
    int
        0, or 1 if the file cannot be read.
    """
    limit(seconds, memory, largest)
    try:
        # the whole file in memory, where HDF5 cannot follow links out of it
        data = sys.stdin.buffer.read(largest + 1)
        if len(data) > largest:
            raise ValueError(f"it is larger than {largest} bytes")
        reader = Reader(largest)
        with h5py.File(h5py.h5f.open_file_image(data)) as file:
            tree = reader.group(file)
        named = {str(number): array for number, array in enumerate(reader.arrays)}
        named["tree"] = np.frombuffer(json.dumps(tree).encode(), np.uint8)
        np.savez(sys.stdout.buffer, **named)
        sys.stdout.flush()
        return 0
    except MemoryError:
        message = "it asks for more memory than is allowed"
    except Exception as error:  # h5py's, of any class
        message = str(error)
    sys.stderr.write(message[:400])
    return 1


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])))
