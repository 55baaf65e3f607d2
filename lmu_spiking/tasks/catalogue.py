"""The tasks of labelled sequences by name; it joins the modules of all tasks."""

import inspect

from lmu_spiking.errors import check_one_of
from lmu_spiking.tasks.capacity import capacity, recall
from lmu_spiking.tasks.digits import digits
from lmu_spiking.tasks.heartbeats import heartbeats
from lmu_spiking.tasks.mackey_glass import mackey_glass
from lmu_spiking.tasks.mnist import psmnist
from lmu_spiking.tasks.sequences import Sequences

TASKS = {
    "digits": digits,
    "psmnist": psmnist,
    "mackey-glass": mackey_glass,
    "capacity": capacity,
    "recall": recall,
    "ecg": heartbeats,
}


def load_task(name: str, **options) -> Sequences:
    """Return a task by name.

    Parameters
    ----------
    name : str
        One of `TASKS`.
    **options
        Of its function there.

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
    check_one_of("load_task.name", name, TASKS, "is no task")
    known = list(inspect.signature(TASKS[name]).parameters)
    for option in options:
        check_one_of("load_task.options", option, known, f"is no option of {name}")
    return TASKS[name](**options)
