"""Labelled sequences to learn, offline.

Digits, MNIST, Mackey-Glass, the capacity task, heartbeats, and sequences of the user's
own (`load_sequences`) as `Sequences`, by `load_task`.
"""
# ruff: noqa: F401 (these are the names that users import from here)

from lmu_spiking.tasks.capacity import capacity, recall
from lmu_spiking.tasks.catalogue import TASKS, load_task
from lmu_spiking.tasks.digits import digits
from lmu_spiking.tasks.heartbeats import heartbeats
from lmu_spiking.tasks.images import Shift, Warp
from lmu_spiking.tasks.mackey_glass import mackey_glass
from lmu_spiking.tasks.mnist import psmnist
from lmu_spiking.tasks.own import load_sequences
from lmu_spiking.tasks.sequences import Part, Sequences
