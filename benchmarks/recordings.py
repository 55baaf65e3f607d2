"""Recordings of ten kinds: what is planned for each, and whether a run keeps it.

Every memory is planned for its recording alone, with an error of 0.05 at delay theta,
and run on it: by Poisson neurons with three draws of their spikes, and by staggered
integrate-and-fire neurons, which draw none.  What nothing meets is refused, and the
record has the refusal.  Recordings are made here from a seed, but for speech: the first
words of the Free Spoken Digit Dataset, from the user's own copy (``--data``), in one
``.npz`` with ``audio`` (int16) and ``rate`` (Hz).

`channels` is another question: time, memory and prediction over the number of channels,
with as many neurons for each.  Order 6, theta 0.5 s, 10 s of noise of 1 to 3 Hz with an
rms of 0.25 to 1, eight seeds; each number of channels runs in a process of its own, and
the time is that of prediction and run.
"""

import resource
import time

import numpy as np

from lmu_spiking import MemorySpec, SignalSpec
from lmu_spiking.errors import ValidationError
from lmu_spiking.experiments.records import average, in_parallel, run_alone
from lmu_spiking.signals import Signal, ecg
from lmu_spiking.studies.trial import run_trial
from lmu_spiking.theory.plan import plan

SEED, ERROR, DRAWS = 9100, 0.05, 3
TYPES = ("poisson", "if")
CHANNELS, EACH, SEEDS = (3, 12, 64), 600, 8  # neurons of each channel
WORDS = 40  # that are one recording


def noise(rng, seconds: float, dt: float, band: float) -> np.ndarray:
    """Return noise of rms 1 below ``band`` (Hz)."""
    return SignalSpec(band, 1.0).draw(seconds, dt, int(rng.randint(2**31))).samples


def eeg(rng, seconds: float) -> np.ndarray:
    """Return noise whose power falls with the frequency, and bursts of 10 Hz."""
    dt, n = 1 / 250, int(250 * seconds)
    frequency = np.fft.rfftfreq(n, dt)
    shape = np.where(frequency < 40, 1 / np.maximum(frequency, 0.5), 0.0)
    slow = np.fft.irfft(shape * np.fft.rfft(rng.standard_normal(n)), n)
    t = dt * np.arange(n)
    bursts = np.maximum(noise(rng, seconds, dt, 0.5)[:n], 0) * np.sin(20 * np.pi * t)
    return slow / slow.std() + bursts


def walking(rng, seconds: float) -> np.ndarray:
    """Return three axes of something like a step of 1.8 Hz, with its harmonics."""
    t = 0.01 * np.arange(int(100 * seconds))
    phase = 2 * np.pi * (1.8 * t + 0.1 * noise(rng, seconds, 0.01, 0.3)[: len(t)])
    parts = rng.uniform(0.1, 1.0, (3, 3)) / (1, 2, 4)
    waves = [np.sin((k + 1) * phase + rng.uniform(0, 6)) for k in range(3)]
    rest = [0.05 * noise(rng, seconds, 0.01, 4.0)[: len(t)] for _ in range(3)]
    return np.array(waves).T @ parts.T + np.array(rest).T


def twelve(rng, seconds: float) -> np.ndarray:
    """Return twelve mixtures of four sources of 1 to 4 Hz, 500 samples a second."""
    parts = [noise(rng, seconds, 0.002, band) for band in (1.0, 2.0, 3.0, 4.0)]
    mixed = np.array(parts).T @ rng.standard_normal((4, 12))
    return mixed * rng.uniform(0.2, 3.0, 12)


def days(rng) -> np.ndarray:
    """Return two days of a temperature, one sample a minute."""
    t = np.arange(2 * 24 * 60) / (24 * 60)
    weather = noise(rng, 2 * 86400.0, 60.0, 1 / 40_000)[: len(t)]
    return 15 - 6 * np.cos(2 * np.pi * t) + 2 * weather


def recordings(options) -> dict:
    """Return errors planned and measured of each recording and kind of neurons."""
    rng = np.random.RandomState(SEED)
    tones = 2 * np.pi * np.arange(8000 * 2) / 8000
    long = 60.0 if options.fast else 1200.0
    # name: samples, step, window
    found = {
        "ecg": (ecg(20.0, 1 / 360).samples, 1 / 360, 0.1),
        "eeg-like": (eeg(rng, 20.0), 1 / 250, 0.2),
        "accelerometer, 3 channels": (walking(rng, 20.0), 0.01, 0.5),
        "12 channels": (twelve(rng, 20.0), 0.002, 0.2),
        "two tones": (np.sin(150 * tones) + 0.5 * np.sin(220 * tones), 1 / 8000, 0.01),
        "a step": (np.repeat([0.0, 1.0], 5000), 0.001, 0.5),
        "temperature, 2 days": (days(rng), 60.0, 6 * 3600.0),
        "20 minutes at 1 kHz": (noise(rng, long, 0.001, 5.0), 0.001, 0.5),
    }
    if options.data:
        with np.load(options.data) as file:
            rate, ends = float(file["rate"]), file["length"].cumsum()
            speech = file["audio"][: ends[WORDS - 1]] / 2.0**15
        # the mean of what is rectified over 40 ms, 200 times a second
        part, wide = int(rate / 200), int(0.04 * rate)
        around = np.convolve(np.abs(speech), np.hanning(wide) / wide, "same")
        found["speech envelope"] = around[::part], part / rate, 0.25
        found["speech"] = speech, 1 / rate, 0.5
    cells = [(name, *one, kind) for name, one in found.items() for kind in TYPES]
    rows = in_parallel(recorded, cells, options.jobs)
    return {"seed": SEED, "asked": ERROR, "recordings": rows}


def recorded(name: str, samples, dt: float, theta: float, kind: str) -> dict:
    """Return what is planned for a recording, and what is measured on it."""
    signal = Signal(samples, dt, name, "benchmarks recordings")
    row: dict = {"recording": name, "theta": theta, "neuron_type": kind}
    start = time.process_time()
    try:
        made = plan(ERROR, theta, signal=signal, neuron_type=kind)
    except ValidationError as refusal:
        return row | {"refused": str(refusal)}
    row |= {"plan_s": time.process_time() - start, "order": made.spec.order}
    row |= {"neurons": made.spec.n_neurons, "predicted": made.nrmse}
    played, errors = signal.resampled(made.spec.dt), []
    for seed in range(DRAWS if kind == "poisson" else 1):
        done = run_trial(made.spec.replace(noise_seed=seed), played)
        errors.append(float(done.row["nrmse"]))
    row |= {"measured": float(np.mean(errors)), "largest": max(errors)}
    row |= {"over_predicted": row["measured"] / made.nrmse, "errors": errors}
    return row | {"met": max(errors) <= ERROR}


def channels(options) -> dict:
    """Return time, memory, and measured over predicted errors of several channels."""
    rows = []
    numbers = CHANNELS[:1] if options.fast else CHANNELS
    for kind in TYPES:
        for count in numbers:
            rows += run_alone(several, count, kind, 2 if options.fast else SEEDS)
            print(f"{count} channels of {kind} neurons", flush=True)
    keys, whole = ("neuron_type", "channels"), ("neurons", "cpu_s")
    table = average(rows, keys, whole, ["over_predicted"], ["peak_MB"])
    return {"seeds": [SEED, SEED + SEEDS - 1], "channels": table}


def several(count: int, kind: str, seeds: int) -> list[dict]:
    """Return the trials of a memory of so many channels."""
    rows = []
    for seed in range(SEED, SEED + seeds):
        rng = np.random.RandomState(seed)
        sizes = zip(rng.uniform(1, 3, count), rng.uniform(0.25, 1, count), strict=True)
        signals = tuple(SignalSpec(float(band), float(rms)) for band, rms in sizes)
        about = {"size_in": count, "signal": signals, "noise_seed": seed}
        about |= {"neuron_type": kind, "tuning": "balanced"}
        spec, start = MemorySpec(EACH * count, **about), time.process_time()
        done = run_trial(spec, spec.draw(10.0, seed=seed))
        row = {"neuron_type": kind, "channels": count, "neurons": spec.n_neurons}
        row["cpu_s"] = time.process_time() - start
        row["over_predicted"] = done.row["nrmse"] / done.predicted.nrmse()
        row["peak_MB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        rows.append(row)
    return rows
