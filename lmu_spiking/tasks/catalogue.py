"""Every task of labelled sequences by its name."""

import inspect

from lmu_spiking.errors import ValidationError
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
    """A task by name; the options are those of its function in ``TASKS``.

    Raises
    ------
    ValidationError
        If there is no such task or option, or an option is out of range.
    SignalFileError
        If a file that an option names cannot be used.
    MissingPackageError
        If the package that brings the data is not installed.
    """
    if not isinstance(name, str) or name not in TASKS:
        remedy = f"choose one of {', '.join(TASKS)}"
        raise ValidationError("load_task.name", name, "is no task", remedy)
    known = list(inspect.signature(TASKS[name]).parameters)
    for option in options:
        if option not in known:
            problem, remedy = f"is no option of {name}", f"it has {', '.join(known)}"
            raise ValidationError("load_task.options", option, problem, remedy)
    return TASKS[name](**options)
