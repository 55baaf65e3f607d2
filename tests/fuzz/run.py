"""Give one damaged file after another to the reader that is meant for it."""

import contextlib
import os
import resource
import time
import traceback
import warnings
from pathlib import Path

import corpus
import mutate
import numpy as np
from zygote import Zygote

from lmu_spiking import hdf5
from lmu_spiking.cli import study
from lmu_spiking.errors import LMUSpikingError
from lmu_spiking.experiments import records as parts
from lmu_spiking.experiments.spikes import sources
from lmu_spiking.lmu import load_params
from lmu_spiking.lmu.importers import import_params, load_paper_lmu
from lmu_spiking.memory.spec import MemorySpec, asked_error
from lmu_spiking.nir import from_nir
from lmu_spiking.signals import load_signal
from lmu_spiking.studies import sweep
from lmu_spiking.tasks.mnist import read_idx, read_mnist
from lmu_spiking.training.checkpoint import State, load_state

SECONDS, BYTES = 2.0, 2**30  # that a file may take
SMALL = 12_000  # bytes; larger ones are damaged more seldom
BEGUN = State(corpus.params().arrays(), {}, corpus.params())  # of checkpoints
HDF5 = ("keras", "h5", "nir")
NAMES = {"params": "npz", "checkpoint": "npz", "mnist": "npz", "idx": "gz"}


def _signal(path, rng) -> None:
    columns = (None, None, None, 0, 1, "u", "x", "all", "0,1")
    column = columns[int(rng.integers(len(columns)))]
    rate = None if rng.random() < 0.8 else 1000.0
    load_signal(path, None if rng.random() < 0.2 else 1e-3, column, rate)


def _spec(path, rng) -> None:
    MemorySpec.from_toml(path)
    asked_error(path)


def _h5(path, rng) -> None:
    if rng.random() < 0.5:
        load_paper_lmu(path, theta=None if rng.random() < 0.5 else 8.0)
    else:
        given = {"order": 4, "theta": 8.0} if rng.random() < 0.3 else {}
        import_params(path, **given)


def _records(path, rng) -> None:
    """Read a file as a trial, a row of sources, a plan and a part of a reproduction."""
    folder = path.parent
    trial = folder / "trials" / "file.json"
    os.replace(path, trial)
    sweep.collect(folder)
    sources._kept(trial, "0.3.0")
    os.replace(trial, folder / study.PLAN)
    study._plan(folder)
    if rng.random() < 0.1:
        os.replace(folder / study.PLAN, folder / "parts" / "file.json")
        parts.kept(folder, "file", {}, dict)


LOADERS = {
    "csv": _signal,
    "wav": _signal,
    "npz": _signal,
    "npy": _signal,
    "toml": _spec,
    "json": _records,
    "params": lambda path, rng: load_params(path),
    "checkpoint": lambda path, _: load_state(path, corpus.ABOUT, BEGUN),
    "mnist": lambda path, rng: read_mnist(path),
    "idx": lambda path, rng: read_idx(path, 3),
    "keras": lambda path, rng: import_params(path),
    "h5": _h5,
    "nir": lambda path, rng: from_nir(path, dt=1e-3),
}
DAMAGE = {
    **dict.fromkeys(("npz", "params", "checkpoint", "mnist", "keras"), mutate.repacked),
    **dict.fromkeys(("csv", "toml"), mutate.reworded),
    "json": mutate.retold,
}


class Fuzz:
    """Files by number: the same seed and number give the same file.

    Parameters
    ----------
    folder : Path
        Of its own, for one file at a time.
    seed : int
    share : float
        Of files of HDF5.
    """

    def __init__(self, folder: Path, seed: int, share: float):
        self._folder, self._seed, self._share = folder, seed, share
        self._mark = folder / "code-was-run"
        packed = Path(__file__).parents[1] / "data"
        self._corpus = corpus.everything(folder, packed, self._mark)
        for name in ("trials", "parts"):
            (folder / name).mkdir(exist_ok=True)
        self._kinds = [kind for kind in self._corpus if kind not in HDF5]

    def file(self, number: int) -> tuple[str, bytes, np.random.Generator]:
        """Return kind and content of a file; the first files are not damaged."""
        plain = [(k, each) for k, every in self._corpus.items() for each in every]
        rng = np.random.default_rng([self._seed, number])
        if number < len(plain):
            return *plain[number], rng
        kinds = HDF5 if rng.random() < self._share else self._kinds
        kind = kinds[int(rng.integers(len(kinds)))]
        every = self._corpus[kind]
        most = 4 * SMALL if kind in HDF5 else SMALL
        others = [each for each in every if len(each) < most]
        others = others if rng.random() < 0.97 else every
        data = others[int(rng.integers(len(others)))]
        special = DAMAGE.get(kind, mutate.damaged)
        damage = special if rng.random() < 0.6 else mutate.damaged
        return kind, damage(data, others, rng), rng

    def one(self, number: int, zygote: Zygote) -> dict:
        """Read a file, and return how that ended."""
        kind, data, rng = self.file(number)
        path = self._folder / f"file.{NAMES.get(kind, kind)}"
        path.write_bytes(data)
        zygote.seconds, zygote.peak = 0.0, 0
        _forget_peak()
        start, said, fault = time.process_time(), "", ""
        try:
            LOADERS[kind](path, rng)
        except LMUSpikingError as error:
            said = str(error)
            if "\n" in said or len(said) > 1500:
                fault = "not one line"
        except Exception:
            said, fault = traceback.format_exc(limit=-4), "raw exception"
        seconds = time.process_time() - start + zygote.seconds
        peak = max(_peak(), zygote.peak)
        if seconds > SECONDS:
            fault = fault or "slow"
        if peak > BYTES:
            fault = fault or "large"
        if self._mark.exists():
            fault = "code was run"
        return {
            "number": number,
            "kind": kind,
            "seconds": seconds,
            "peak": peak,
            "refused": bool(said),
            "fault": fault,
            "said": said[:1500] if fault else "",
        }


def _forget_peak() -> None:
    """Reset the peak of this process's memory."""
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w") as file:
        file.write("5")


def _peak() -> int:
    with open("/proc/self/status") as file:
        for line in file:
            if line.startswith("VmHWM"):
                return 1024 * int(line.split()[1])
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@contextlib.contextmanager
def forking():
    """Read HDF5 in forks of one process, and measure their time and memory."""
    zygote, before = Zygote(), hdf5.run_child
    hdf5.run_child = zygote
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield zygote
    finally:
        hdf5.run_child = before
        zygote.close()
