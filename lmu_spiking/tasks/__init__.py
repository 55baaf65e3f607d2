"""Signals to remember and labelled sequences to learn, offline.

White noise, an electrocardiogram or a user's file as a `Signal`; digits, MNIST,
Mackey-Glass, the capacity task and heartbeats as `Sequences`, by `load_task`.
"""

from lmu_spiking.tasks.capacity import capacity, recall
from lmu_spiking.tasks.catalogue import TASKS, load_task
from lmu_spiking.tasks.digits import digits
from lmu_spiking.tasks.ecg import ecg
from lmu_spiking.tasks.files import load_signal
from lmu_spiking.tasks.heartbeats import heartbeats
from lmu_spiking.tasks.images import Shift
from lmu_spiking.tasks.mackey_glass import mackey_glass
from lmu_spiking.tasks.mnist import psmnist
from lmu_spiking.tasks.sequences import Part, Sequences
from lmu_spiking.tasks.signal import Signal
from lmu_spiking.tasks.white import white_noise

__all__ = [
    "TASKS",
    "Part",
    "Sequences",
    "Shift",
    "Signal",
    "capacity",
    "digits",
    "ecg",
    "heartbeats",
    "load_signal",
    "load_task",
    "mackey_glass",
    "psmnist",
    "recall",
    "white_noise",
]
