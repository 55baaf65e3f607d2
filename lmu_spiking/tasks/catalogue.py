"""The tasks of labelled sequences by name; it joins the modules of all tasks."""

import inspect
from os import PathLike
from pathlib import Path

from lmu_spiking.errors import check_one_of
from lmu_spiking.tasks.capacity import capacity, recall
from lmu_spiking.tasks.digits import digits
from lmu_spiking.tasks.heartbeats import heartbeats
from lmu_spiking.tasks.mackey_glass import mackey_glass
from lmu_spiking.tasks.mnist import psmnist
from lmu_spiking.tasks.own import load_sequences
from lmu_spiking.tasks.sequences import Sequences

TASKS = {
    "digits": digits,
    "psmnist": psmnist,
    "mackey-glass": mackey_glass,
    "capacity": capacity,
    "recall": recall,
    "ecg": heartbeats,
}


def is_own(name) -> bool:
    """Return whether a task is the user's own: a file or folder, and no known name.

    Parameters
    ----------
    name : str or path-like

    Returns
    -------
    bool
        True for what ends in ``.npz``, is parted by slashes, or is a folder that there
        is.
    """
    text = str(name)
    if not isinstance(name, (str, PathLike)) or not text or text in TASKS:
        return False
    path = Path(text).expanduser()
    return path.suffix.lower() == ".npz" or len(path.parts) > 1 or path.is_dir()


def load_task(name: str, **options) -> Sequences:
    """Return a task by name, or the user's own sequences by path.

    Parameters
    ----------
    name : str
        One of `TASKS`, or the path of an .npz or a folder (`load_sequences`).
    **options
        Of its function there, or of `load_sequences`.

    Returns
    -------
    Sequences
        The three parts of the task.

    Raises
    ------
    ValidationError
        If there is no such task or option, or an option is out of range.
    SignalFileError
        If a file that an option names cannot be used.
    MissingPackageError
        If the package that brings the data is not installed.
    """
    own = is_own(name)
    if not own:
        problem = "is no task, .npz or folder of classes"
        check_one_of("load_task.name", name, TASKS, problem)
    function = load_sequences if own else TASKS[name]
    known = [n for n in inspect.signature(function).parameters if n != "path"]
    for option in options:
        check_one_of("load_task.options", option, known, f"is no option of {name}")
    return load_sequences(name, **options) if own else function(**options)
