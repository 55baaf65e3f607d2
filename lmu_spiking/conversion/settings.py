"""Settings of a conversion: how a rate-based model becomes spikes."""

from dataclasses import dataclass

import numpy as np

from lmu_spiking.dynamics.feedback import check_feedback
from lmu_spiking.errors import (
    ValidationError,
    check_one_of,
    check_positive,
    check_seed,
    check_whole,
)
from lmu_spiking.networks.cell import steps_of
from lmu_spiking.networks.hidden import NEURON_TYPES
from lmu_spiking.neurons.curves import neuron_type
from lmu_spiking.neurons.population import is_staggered

TUNINGS = ("balanced", "optimal", "pairs")
SPIKING = tuple(name for name in NEURON_TYPES if name != "rate")
PREDICTABLE = ("poisson", "stochastic")  # beside those that are staggered


@dataclass(frozen=True)
class ConvertSettings:
    """Settings of a conversion: how a rate-based model becomes spikes.

    Parameters
    ----------
    n_neurons : int
        In all: memories and hidden units.
    presentation : float
        Seconds that each sample is presented for, a whole number of ``dt``.
    dt : float
        Step, seconds.
    neuron_type : {"poisson", "stochastic", "regular", "if"}
    tuning : {"balanced", "optimal", "pairs"}
        Of the memories, as in `LegendreMemory`: a basis and shares of least noise for
        the trained readouts, or the Legendre coefficients themselves.
    synapse : float, optional
        Recurrent lowpass of the memories, seconds; what is best by default.
    max_rate : float
        Rate of a neuron that is exceeded for about 0.1 % of the time, Hz.
    hidden_share : float
        Of the neurons, for the hidden units.  With error feedback, which they do not
        have, most of the noise that is left is theirs: 0.5 was better for digits.
    readout_synapse : float, optional
        Lowpass that the output is read through, at the end of a presentation, seconds.
        By default the spikes of a presentation's first step are read.  A third of the
        presentation has less noise, a presentation later.
    aggregated : bool
        Simulate neurons that are alike as one, the same in distribution.
    noise_seed : int
        Draws the spikes.
    error_feedback : "auto" or (2,) tuple of float, optional
        Of the memories, as in `LegendreMemory`; hidden units have none.
    initial_phases : {"staggered", "random"}, optional
        Where ``"regular"`` and ``"if"`` neurons begin, as in `LegendreMemory`, and each
        hidden unit's: staggered by default.

    Raises
    ------
    ValidationError
        If a setting is outside its range.
    """

    n_neurons: int = 100_000
    presentation: float = 0.01
    dt: float = 0.001
    neuron_type: str = "poisson"
    tuning: str = "balanced"
    synapse: float | None = None
    max_rate: float = 300.0
    hidden_share: float = 0.2
    readout_synapse: float | None = None
    aggregated: bool = True
    noise_seed: int = 0
    error_feedback: str | tuple[float, float] | None = None
    initial_phases: str | None = None

    def __post_init__(self):
        def keep(check, name, *limits):
            value = check(f"convert.{name}", getattr(self, name), *limits)
            object.__setattr__(self, name, value)

        keep(check_whole, "n_neurons", 4)
        keep(check_positive, "presentation", "seconds")
        steps_of(self.presentation, self.dt)
        keep(check_positive, "max_rate", "Hz")
        keep(check_seed, "noise_seed")
        for name in ("synapse", "readout_synapse"):
            if getattr(self, name) is not None:
                keep(check_positive, name, "seconds")
        check_one_of("convert.neuron_type", self.neuron_type, SPIKING)
        check_one_of("convert.tuning", self.tuning, TUNINGS)
        asked = check_feedback("convert.error_feedback", self.error_feedback)
        object.__setattr__(self, "error_feedback", asked)
        _ = self.staggered  # which refuses what cannot be
        # both memories and units have neurons
        keep(check_positive, "hidden_share")
        share = self.hidden_share
        if share >= 1:
            raise ValidationError("convert.hidden_share", share, "must be below 1")

    @property
    def steps(self) -> int:
        """Return the number of steps in a presentation."""
        return steps_of(self.presentation, self.dt)

    @property
    def read_after(self) -> int:
        """Return the number of steps from an output's first one until it is read."""
        # a synapse has filtered a step by the next one
        return 0 if self.readout_synapse is None else self.steps

    @property
    def kept(self) -> float:
        """Return the share of earlier samples in an output; 0 without a lowpass."""
        if self.readout_synapse is None:
            return 0.0
        return float(np.exp(-self.steps * self.dt / self.readout_synapse))

    @property
    def steps_read(self) -> float:
        """Return the number of steps whose plain mean is as noisy as the lowpass."""
        if self.readout_synapse is None:
            return 1.0
        steps = np.array([self.steps, 1]) * self.dt / self.readout_synapse
        shares = np.tanh(steps / 2)
        if self.staggered:
            # a rounding error weighs as much as the lowpass changes in a step
            a = np.exp(-steps[1])
            return float(np.sqrt(1 + a) / (1 - a))
        return float(shares[0] / shares[1])

    @property
    def staggered(self) -> bool:
        """Return whether neurons that are alike are staggered."""
        return is_staggered(neuron_type(self.neuron_type), "pairs", self.initial_phases)

    @property
    def simulates_sums(self) -> bool:
        """Return whether neurons are simulated as sums, where these are known."""
        known = self.neuron_type in PREDICTABLE or self.staggered
        return self.aggregated and known
