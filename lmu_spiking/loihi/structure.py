"""All neurons to all by weights, or through few relays: what fits the chips.

Relays take fewer cores, and have the noise of so few neurons (`relayed`); fewer
neurons, all to all, do better.  So a change of structure is never made in silence.
"""

import numpy as np

from lmu_spiking.errors import ValidationError, check_whole
from lmu_spiking.loihi.advice import Advice
from lmu_spiking.loihi.entry import PAIRS
from lmu_spiking.loihi.limits import CORES_PER_CHIP, weights_cores
from lmu_spiking.loihi.noisy import NoisyLayout
from lmu_spiking.loihi.target import Target
from lmu_spiking.theory import window_delays

STRUCTURES = ("auto", "weights", "decode")
HOPELESS = 0.5  # of the signal, an error that is told before the run


def structure_of(structure: str, n_neurons: int, target: str, chips: int = 1) -> str:
    """``"weights"`` or ``"decode"``, as `deploy` takes it.

    Raises
    ------
    ValidationError
        If weights are asked for and exceed the chips.
    """
    if structure not in STRUCTURES:
        raise ValidationError(
            "deploy.structure",
            structure,
            "is not a structure",
            f"use one of {', '.join(map(repr, STRUCTURES))}",
        )
    check_whole("deploy.chips", chips, 1)
    if structure == "decode" or target == Target.CORE:
        return "decode" if structure == "decode" else "weights"
    try:
        cores = weights_cores(n_neurons, 2 * PAIRS)
        if cores > chips * CORES_PER_CHIP:
            raise ValidationError(
                "deploy.memory.n_neurons",
                n_neurons,
                f"takes {cores} cores, of the {_there(chips)}, all to all",
                "use more chips, fewer neurons or structure='decode'",
            )
    except ValidationError:
        if structure == "weights":
            raise
        return "decode"
    return "weights"


def relays_advice(n_neurons: int, n_relays: int, chips: int = 1) -> Advice:
    """What it means that all to all did not fit, and relays were taken.

    Parameters
    ----------
    n_neurons, n_relays : int
        Of the memory.
    chips : int
        That there are.
    """
    try:
        cores = weights_cores(n_neurons, 2 * PAIRS)
        needs = f"take {cores} cores, of the {_there(chips)}"
    except ValidationError:
        needs = "have more axons than a core takes, on any number of chips"
    text = (
        f"all to all, {n_neurons} neurons {needs}: they go through {n_relays} relays "
        "(structure='decode'), with the error of so few; "
        f"{most_all_to_all(chips)} neurons, all to all, fit and do better"
    )
    return Advice("structure", 1, None, text)


def clipped_advice(layout, u: np.ndarray) -> tuple[Advice, ...]:
    """What it means that inputs ``u`` (T,) are beyond the range of a layout.

    On core nothing is clipped, but for noisy neurons, whose relays are made for it.
    """
    beyond = np.count_nonzero(np.abs(u) > layout.input_range * (1 + 1e-9))
    if not beyond or (
        layout.target == Target.CORE and not isinstance(layout, NoisyLayout)
    ):
        return ()
    text = (
        f"{beyond / len(u):.2g} of the samples are beyond input_range "
        f"({layout.input_range:.3g}) and clipped, which no prediction knows of; "
        f"use input_range={np.abs(u).max():.3g}"
    )
    return (Advice("input", int(beyond), float(np.abs(u).max()), text),)


def foreseen(layout, u: np.ndarray, predicted) -> tuple[Advice, ...]:
    """What is known to go wrong before inputs ``u`` (T,) are run."""
    return clipped_advice(layout, u) + hopeless_advice(layout, predicted)


def hopeless_advice(layout, predicted) -> tuple[Advice, ...]:
    """That a memory will not hold its window, by its prediction."""
    error = predicted.nrmse(window_delays(layout))
    if error < HOPELESS:
        return ()
    text = (
        f"the window is predicted to be wrong by {error:.2g} of the signal: this "
        "memory does not hold it; use more neurons, a lower order, a longer theta or a "
        "higher max_rate"
    )
    return (Advice("error", 1, float(error), text),)


def most_all_to_all(chips: int = 1) -> int:
    """The most neurons that so many chips hold, all to all."""
    least, most = 1, 2**13
    while most - least > 1:
        middle = (least + most) // 2
        try:
            cores = weights_cores(middle, 2 * PAIRS)
        except ValidationError:
            cores = CORES_PER_CHIP * chips + 1
        if cores > chips * CORES_PER_CHIP:
            most = middle
        else:
            least = middle
    return least


def _there(chips: int) -> str:
    return f"{chips * CORES_PER_CHIP} on {chips} chip{'s' * (chips > 1)}"
