"""Spoken digits: accuracy rate-based and in spikes, of new speakers, and as a stream.

`spoken_digits`: ``--data`` is the user's own copy of the Free Spoken Digit Dataset
(`lmu_spiking.experiments.learning.spoken_digits` says how it is laid out, and split).
Seeds 0 to 4 of the training, each run on the 300 test recordings once, rate-based and
in staggered neurons; then, with seed 0, each speaker is left out of training once.
The network of seed 0 hears the test recordings as a stream.  All settings were chosen
on the validation part.  Times depend on the load of the machine, which is recorded.
It needs the package kaldi-native-fbank.
"""

import os

import numpy as np

from lmu_spiking.conversion import convert
from lmu_spiking.experiments.learning import spoken_digits as spoken_digit
from lmu_spiking.experiments.learning.digits import spiking_row
from lmu_spiking.experiments.records import average, in_parallel, kept
from lmu_spiking.metrics import confidence, versions

SEEDS, NEURONS = [0, 1, 2, 3, 4], (10_000,)
HOW = {"neuron_type": "if", "readout_synapse": 0.003}
MEANS = ("rate_accuracy", "spiking_accuracy", "predicted_loss", "predicted_spread")
MEANS += ("spikes_per_inference", "mean_rate")


def seed_rows(path: str, folder, seed: int, epochs=None, tests=None) -> dict:
    """Return a training of the usual split, in spikes, and for seed 0 as a stream."""
    spoken = spoken_digit.load_spoken(path)
    data = spoken_digit.sequences(spoken)
    params, rate = spoken_digit.trained_spoken(
        data, seed, epochs, folder, f"lmu-{seed}"
    )
    options = {"noise_seed": 100 * seed, "tests": tests}
    pair = (spoken_digit.FRAME, NEURONS)
    rows = [spiking_row(params, data, n, pair[0], **options, **HOW) for n in pair[1]]
    found = {"rate": rate, "rows": [{"seed": seed} | row for row in rows]}
    return found if seed else found | stream_rows(params, data, spoken, tests)


def stream_rows(params, data, spoken, tests=None) -> dict:
    """Return accuracies by the time heard, rate-based and in spikes, and latencies."""
    x, ends = data.train.x, data.train.lengths
    made = convert(params, x, last=True, lengths=ends, n_neurons=NEURONS[-1], **HOW)
    chosen = np.flatnonzero(spoken.index < spoken_digit.TEST)[:tests]
    digits = spoken.digit[chosen]
    outputs, row = spoken_digit.streamed(made, spoken, chosen)
    rates = spoken_digit.rate_outputs(params, spoken, chosen)
    heard = [
        row | {"rate_accuracy": of_rates["accuracy"]}
        for row, of_rates in zip(
            spoken_digit.heard_rows(outputs, digits),
            spoken_digit.heard_rows(rates, digits),
            strict=True,
        )
    ]
    return {"stream": row | {"n_neurons": NEURONS[-1]}, "heard": heard}


def speaker_row(path: str, speaker: str, epochs=None) -> dict:
    """Return the accuracy on a speaker who was not heard in training."""
    data = spoken_digit.sequences(spoken_digit.load_spoken(path), speaker)
    _, row = spoken_digit.trained_spoken(data, 0, epochs)
    return {"speaker": speaker} | row


def recipe_of(recipe) -> dict:
    """Return a recipe as plain values."""
    names = ("order", "units", "theta", "memories", "front")
    return {name: getattr(recipe, name) for name in names} | vars(recipe.settings)


def part(path: str, folder, name: str, case, epochs, tests) -> dict:
    """Return a case, or its result of an earlier run: of a seed, or of a speaker."""
    about = {"case": case, "epochs": epochs, "tests": tests}
    about["recipe"] = recipe_of(spoken_digit.recipe())
    about |= {} if isinstance(case, str) else {"how": HOW, "neurons": NEURONS}

    def make() -> dict:
        if isinstance(case, str):
            return speaker_row(path, case, epochs)
        return seed_rows(path, folder, case, epochs, tests)

    return kept(folder, name, about, make)


def spoken_digits(options) -> dict:
    """Return accuracies, the drop in spikes, measured and predicted, and a stream."""
    if not options.data:
        problem = "give a copy of the Free Spoken Digit Dataset"
        raise SystemExit(f"spoken_digits: {problem}: --data fsdd.npz")
    spoken = spoken_digit.load_spoken(options.data)
    speakers = sorted({str(name) for name in spoken.speaker})
    small = (2, 20) if options.fast else (None, None)
    seeds = SEEDS[:2] if options.fast else SEEDS
    cases: list = [(f"speaker-{name}", name) for name in speakers]
    cases += [(f"seed-{seed}", seed) for seed in seeds]
    load = [os.getloadavg()[0]]
    every = [(options.data, options.parts, *case, *small) for case in cases]
    found = in_parallel(part, every, options.jobs)
    load.append(os.getloadavg()[0])
    others, usual = found[: len(speakers)], found[len(speakers) :]
    rates, rows = (
        [each["rate"] for each in usual],
        [row for each in usual for row in each["rows"]],
    )
    mean, half = confidence([rate["rate_accuracy"] for rate in rates])
    alone, spread = confidence([row["rate_accuracy"] for row in others])
    summary = {
        "rate_accuracy": mean,
        "rate_accuracy_ci95": half,
        "new_speaker_accuracy": alone,
        "new_speaker_accuracy_ci95": spread,
        "spikes": average(rows, ["n_neurons"], MEANS, ["loss"]),
    }
    record = {
        "seeds": seeds,
        "settings": {"recipe": recipe_of(spoken_digit.recipe()), **HOW},
    }
    record |= {"load": load, "library": versions(("kaldi-native-fbank",))}
    record |= {"summary": summary, "rates": rates, "rows": rows, "speakers": others}
    return record | {"stream": usual[0]["stream"], "heard": usual[0]["heard"]}
