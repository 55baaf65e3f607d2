"""Refusals of what the chip cannot do, and advice on what it did badly.

NengoLoihi 1.1 refuses by exceptions, many of them bare assertions deep in the build,
and reports damage by warnings alone.  Here both become sentences that name what was
wrong, the limit and the way out, before the build and after the run.  The limits are
those of NengoLoihi 1.1.0 and its emulator: 7 bits and a sign of a weight, one exponent
for a core, one synapse for a core, 21 and 23 bits for what a neuron sums.
"""

import contextlib
import re
import sys
import traceback
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import nengo
from nengo import neurons as known
from nengo.base import ObjView
from nengo.connection import LearningRule
from nengo.ensemble import Neurons
from nengo.transforms import NoTransform

from lmu_spiking.errors import LMUSpikingError, ValidationError
from lmu_spiking.loihi.poisson.neuron import NoisyRectifiedLinear

# --------------------------------------------------------------------------------------
# Which neurons Loihi has, and refusals of those it would silently replace.
#
# nengo-loihi looks its builders up along the bases of a type, so that any subclass of a
# type it knows is built as that type: an ``AdaptiveLIF`` runs without adaptation.  Here
# a neuron type passes only if it is, exactly, one that the chip reproduces, or one that
# somebody has given a builder of its own.


OFF_CHIP = "network.config[ensemble].on_chip = False"
HOST = f"take its ensemble off the chip: {OFF_CHIP}"
BASES = (known.LIFRate, known.RectifiedLinear)  # base types of RegularSpiking


def _fault(neuron_type) -> tuple[str, str] | None:
    """Return what is wrong with a neuron type on the chip and the way out, or None."""
    from nengo_loihi.builder.builder import Builder

    kind, base = type(neuron_type), getattr(neuron_type, "base_type", None)
    faithful = _faithful()
    if kind is nengo.RegularSpiking and type(base) not in BASES:
        problem = f"has the base type {type(base).__name__}, which Loihi does not have"
        return problem, f"use nengo.LIFRate() or nengo.RectifiedLinear(), or {HOST}"
    if kind is nengo.RegularSpiking and base.amplitude != 1:
        amplitude = f"{base.amplitude:g}"
        problem = (
            f"has the amplitude {amplitude} on its base type, where it scales rates"
        )
        return problem, f"give it to RegularSpiking itself: amplitude={amplitude}"
    if kind in (*faithful, nengo.RegularSpiking) or kind in Builder.builders:
        return None  # built as itself
    if isinstance(neuron_type, (nengo.PoissonSpiking, nengo.StochasticSpiking)):
        remedy = 'use neuron_type="if" (nengo.SpikingRectifiedLinear), or '
        remedy += "NoisyRectifiedLinear, whose spikes are nearly Poisson"
        return "draws its spikes at random, which Loihi cannot", remedy
    if isinstance(neuron_type, known.AdaptiveLIF):
        return "would be built as LIF, without adaptation", f"use nengo.LIF, or {HOST}"
    for base in (*faithful, nengo.RegularSpiking):
        if isinstance(neuron_type, base):
            name = base.__name__
            return f"would be built as its base {name}", f"use {name} itself, or {HOST}"
    remedy = f"nengo.LIF or nengo.SpikingRectifiedLinear, or {HOST}"
    if not neuron_type.spiking:
        return (
            "has rates, and Loihi only spikes",
            f"use its spiking counterpart, {remedy}",
        )
    return "does not exist on Loihi", f"use {remedy}"


def _faithful() -> tuple[type, ...]:
    """Return the types that the chip reproduces as they are; the most derived first."""
    from nengo_loihi.neurons import LoihiLIF, LoihiSpikingRectifiedLinear

    own = NoisyRectifiedLinear, LoihiLIF, LoihiSpikingRectifiedLinear
    return (*own, nengo.LIF, nengo.SpikingRectifiedLinear)


# --------------------------------------------------------------------------------------

GENTLE = "max_rates of 200 to 250 Hz and intercepts within ±0.5"
SERIOUS_BITS = 2  # lost bits, of the 7 of a weight, that change results


@dataclass(frozen=True)
class Advice:
    """A warning of NengoLoihi, or a choice of `deploy`, with what it means.

    Parameters
    ----------
    kind : str
        ``"overflow"``, ``"lost bits"``, ``"time constant"``, ``"initial state"``,
        ``"intercepts"``, ``"noise"``, ``"learning"``, ``"host spikes"``,
        ``"passthrough"``, ``"precompute"`` or ``"other"``; ``"structure"``,
        ``"input"`` and ``"error"`` are of `deploy`.
    count : int
        How often: steps of an overflow, axons whose weights lost bits, samples clipped.
    worst : float or None
        Bits lost, the largest time constant in seconds, or the largest input; None
        where nothing is measured.
    text : str
        What it means and the remedy.
    """

    kind: str
    count: int
    worst: float | None
    text: str

    @property
    def serious(self) -> bool:
        """Return whether results are wrong, or a weight has 5 bits or fewer left."""
        bits = self.kind == "lost bits" and self.worst >= SERIOUS_BITS
        return self.kind == "overflow" or bits


def advice_table(advice) -> list[dict]:
    """Return the rows of a table.

    Parameters
    ----------
    advice : sequence of Advice

    Returns
    -------
    list[dict]
    """
    return [asdict(one) for one in advice]


# -- warnings ------------------------------------------------------------------------

SUMMED = {
    "q0": "the weights that arrive in a step (21 bits)",
    "current": "the filtered current (23 bits)",
    "u2": "current and bias (23 bits)",
}

# Kind, the warning with the numbers in it to be compared, and what it means. What is
# most urgent comes first, also in a report.
KNOWN = (
    (
        "overflow",
        r"Overflow(?: in (?P<where>\w+))?",
        "RESULTS ARE WRONG: {where} ran over and wrapped round, which a chip does "
        f"without a word; use smaller weights and drives ({GENTLE}, inputs within ±1), "
        "fewer neurons or a shorter synapse",
    ),
    (
        "lost bits",
        r"Lost (?P<worst>\d+) extra bits in weight rounding",
        "at worst {left} of 7 bits of a weight are left: its largest weight, the "
        "threshold and the biases of a core share one exponent; use "
        f"{GENTLE}, a shorter synapse, and no input far stronger than the other "
        "weights",
    ),
    (
        "time constant",
        r"tau_s is (?:already set to|currently) (?P<a>[\d.e+-]+), which is "
        r"(?:larger|smaller) than (?P<b>[\d.e+-]+?)\. ",
        "a core has one synapse, and the largest of those asked for is used for all "
        "({a} and {b} s became {worst:g} s); give all that enters an ensemble one tau, "
        "or what comes from the host synapse=None",
    ),
    (
        "noise",
        r"Noise amplitude falls below",
        "noise is smaller than the chip has: it runs with the least, 2^-6 of a unit; "
        "raise noise_exp or switch enable_noise off",
    ),
    (
        "noise",
        r"Noise amplitude exceeds",
        "noise is larger than the chip has: it runs with the most, 2^23; "
        "lower noise_exp",
    ),
    (
        "host spikes",
        r"Too many spikes",
        "more spikes came from the host in a step than the board takes, and the rest "
        "were dropped; raise options={{'snip_max_spikes_per_step': ...}}",
    ),
    (
        "learning",
        r"(?P<said>.*(?:PES|[Tt]race|learning weights).*)",
        "{said}: change the learning rate, or pes_error_scale of the Model",
    ),
    (
        "initial state",
        r"NengoLoihi does not support initial values",
        "a chip starts all voltages at 0, not at random like Nengo 4, so that neurons "
        "with like tuning spike in step; let their biases differ",
    ),
    (
        "intercepts",
        r"Intercepts are larger than intercept limit \((?P<worst>[\d.e+-]+)\)",
        "intercepts above {worst:g} were lowered to it, since they need gains that "
        "cost weights their bits; use nengo.dists.Uniform(-0.5, 0.5)",
    ),
    (
        "passthrough",
        r"Combining two Lowpass",
        "two synapses around a passthrough node became one Lowpass of their summed "
        "tau, another filter; keep one of them and set the other to None",
    ),
    (
        "precompute",
        r"Model is precomputable",
        "the input does not depend on the output, so precompute=False only slows the "
        "run; leave it at None",
    ),
    ("other", r"(?P<said>.*)", "{said}"),
)


@contextlib.contextmanager
def listening():
    """Collect NengoLoihi's warnings, by text; those of others are shown as before.

    Filters and what shows warnings are as before afterwards.

    Yields
    ------
    Counter
        How often each text was heard.
    """
    heard = Counter()
    with warnings.catch_warnings():
        others = warnings.showwarning

        def show(message, category, filename, lineno, file=None, line=None):
            if _inside(filename):
                heard[" ".join(str(message).split())] += 1
            else:
                others(message, category, filename, lineno, file, line)

        warnings.showwarning = show
        warnings.filterwarnings("always", module="nengo_loihi")
        yield heard


def advise(heard) -> tuple[Advice, ...]:
    """Return advice from warnings and how often each was heard; the worst first.

    Parameters
    ----------
    heard : mapping of str to int
        Texts, and how often each was heard.

    Returns
    -------
    tuple[Advice, ...]
    """
    alike = defaultdict(list)
    for said, count in heard.items():
        # which kind of warning it is, and its numbers
        matches = (re.match(pattern, said, re.DOTALL) for _, pattern, _ in KNOWN)
        rank, match = next(pair for pair in enumerate(matches) if pair[1])
        parts = match.groupdict()
        numbers = (float(parts[name]) for name in ("worst", "a", "b") if name in parts)
        key = rank, parts.get("where") or parts.get("said") or ""
        alike[key].append((max(numbers, default=None), count, parts))
    # warnings of one kind are one piece of advice, on the worst of them
    advice = []
    for (rank, place), warned in sorted(alike.items()):
        kind, _, text = KNOWN[rank]
        worst, _, parts = max(warned, key=lambda one: one[0] or 0.0)
        where = SUMMED.get(place, "an integer of the chip")
        left = max(0, round(7 - (worst or 0.0)))
        text = text.format(**parts | {"worst": worst, "where": where, "left": left})
        advice.append(Advice(kind, sum(count for _, count, _ in warned), worst, text))
    return tuple(advice)


def _inside(filename: str) -> bool:
    """Return whether a file is NengoLoihi's."""
    module = sys.modules.get("nengo_loihi")
    return module is not None and Path(module.__file__).parent in Path(filename).parents


# -- refusals ------------------------------------------------------------------------

# What NengoLoihi says, what that means where it says too little, and the way out.
WAYS_OUT = (
    (
        "weight exponent|bias scaling",
        "",
        f"use {GENTLE}, a shorter synapse, or fewer neurons, whose weights are larger",
    ),
    (
        "syn1, Lowpass",
        "two synapses meet at a passthrough node, and one is no Lowpass",
        "set one of them to None",
    ),
    ("man > 0", "weights dwarf the threshold, which rounds to 0", "scale weights down"),
    (r"Current \(U\) scaling", "", "use a shorter synapse"),
    (r"Voltage \(V\) scaling", "", "use a shorter tau_rc"),
    (
        "exceeded max",
        "",
        "use fewer neurons, or spread those that send and those that receive over "
        "cores: network.config[ensemble].block_shape = nengo_loihi.BlockShape(...)",
    ),
    ("precompute", "", "leave precompute at None"),
    ("more chips", "", "give options={'n_chips': ...}"),
    ("connection error", "", "see that the board is on and that this host may use it"),
    ("nxsdk>=", "", "upgrade NxSDK"),
    ("all zero", "", "let neurons fire where the evaluation points are"),
    ("remove_passthrough", "", "connect without a passthrough node, or by an array"),
    ("configured as on_chip", "", f"set {OFF_CHIP}"),
)
BUILT = nengo.Connection, nengo.Ensemble, nengo.Probe


@contextlib.contextmanager
def refusing(target: str):
    """Raise a ValidationError for what NengoLoihi raises or asserts.

    Errors that arise outside it, in a function of a Node say, pass as they are.

    Parameters
    ----------
    target : str
        Name of a `Target`.
    """
    try:
        yield
    except LMUSpikingError:
        raise
    except Exception as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        if not _inside(last.filename):
            raise
        said = " ".join(str(error).split()) or last.line or type(error).__name__
        found = (way for way in WAYS_OUT if re.search(way[0], said))
        _, meant, remedy = next(found, ("", "", ""))
        problem = f"cannot run {_built(error)}, says nengo-loihi: {meant or said}"
        raise ValidationError("run_on.target", target, problem, remedy) from error


def _built(error: Exception) -> str:
    """Return what was being built when an error was raised."""
    found = "this network"
    for frame, _ in traceback.walk_tb(error.__traceback__):
        for name in ("obj", "conn", "nengo_probe", "block"):
            local = frame.f_locals.get(name)
            if isinstance(local, BUILT):
                found = f"{type(local).__name__}({named(local)})"
            elif name == "block" and local is not None:
                found = str(getattr(local, "label", found))
    return found


def check_network(network: nengo.Network, precompute: bool | None = None) -> None:
    """Raise a ValidationError for what NengoLoihi cannot build, before it tries.

    Parameters
    ----------
    network : nengo.Network
    precompute : bool, optional
        As of `target.run_on`.

    Raises
    ------
    ValidationError
        That names the object and the way out.
    """
    from nengo_loihi.splitter import Split

    for probe in network.all_probes:
        if isinstance(probe.obj, (nengo.Connection, LearningRule)):
            problem = "of a connection is not seen on the chip"
            raise refused("Probe", probe, "attr", problem, "probe what it connects")
    _check_places(network)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the build will say it again
        split = Split(network, precompute)
    # neurons, probes and connections of the chip, without nodes that pass values on
    ensembles = list(filter(split.on_chip, network.all_ensembles))
    if not ensembles:
        problem = "has no ensemble that is for the chip (those of Direct never are)"
        remedy = "add one, leave its on_chip at None, or use target='core'"
        raise ValidationError("run_on.network", network, problem, remedy)
    for ensemble in ensembles:
        _check_ensemble(ensemble)
    for probe in filter(split.on_chip, network.all_probes):
        _check_probe(probe)
    removed = split.passthrough.to_remove
    for conn in (*network.all_connections, *split.passthrough.to_add):
        if conn not in removed and not isinstance(conn.post_obj, LearningRule):
            _check_connection(conn, split.on_chip)


def _check_places(network) -> None:
    """Raise an error for places that NengoLoihi misses: it reads one config alone."""

    def place(config, ensemble):
        marked = "on_chip" in config[nengo.Ensemble].extra_params
        return config[ensemble].on_chip if marked else None

    for ensemble in network.all_ensembles:
        here = place(network.config, ensemble)
        if here and isinstance(ensemble.neuron_type, nengo.Direct):
            problem = "has no neurons to put on the chip"
            remedy = "use nengo.LIF()"
            raise refused("Ensemble", ensemble, "neuron_type", problem, remedy)
        for part in network.all_networks:
            there = place(part.config, ensemble)
            if there not in (None, here):
                where = f"Ensemble({named(ensemble)}).on_chip"
                problem = "is set in a part of the network, where it is not looked for"
                remedy = "set it in the config of the outermost network"
                raise ValidationError(where, there, problem, remedy)


def _check_ensemble(ensemble) -> None:
    """Raise an error for neurons that a core does not have."""
    fault = _fault(ensemble.neuron_type)
    if fault:
        raise refused("Ensemble", ensemble, "neuron_type", *fault)
    if ensemble.noise is not None:
        problem = "is not for the chip, whose neurons have noise of their own"
        remedy = f"leave it None, or {OFF_CHIP}"
        raise refused("Ensemble", ensemble, "noise", problem, remedy)
    if (ensemble.gain is None) != (ensemble.bias is None):
        given = "bias" if ensemble.gain is None else "gain"
        remedy = "give gain and bias, or neither"
        raise refused("Ensemble", ensemble, given, "comes alone", remedy)


def _check_probe(probe) -> None:
    """Raise an error for a probe of what the chip does not show."""
    if probe.sample_every is not None:
        problem = "is not for probes of the chip, which show every step"
        remedy = "leave it None and take every n-th row"
        raise refused("Probe", probe, "sample_every", problem, remedy)
    seen = ("decoded_output",)
    if isinstance(probe.obj, Neurons):
        seen = "output", "voltage", "input"
    if probe.attr not in seen:
        remedy = f"use {' or '.join(map(repr, seen))}"
        raise refused("Probe", probe, "attr", "is not seen on the chip", remedy)


def _check_connection(conn, on_chip: Callable) -> None:
    """Raise an error for what spikes cannot send, given what is on the chip."""
    ends = conn.pre_obj, conn.post_obj
    ends = [obj.ensemble if isinstance(obj, Neurons) else obj for obj in ends]
    sent, received = map(on_chip, ends)
    of_neurons = isinstance(conn.pre_obj, Neurons)
    lowpass = conn.synapse is None or isinstance(conn.synapse, nengo.Lowpass)
    if received and (sent or of_neurons) and not lowpass:
        problem = "is no Lowpass, the only synapse between neurons on the chip"
        remedy = f"use nengo.Lowpass(tau), or take one end off the chip: {OFF_CHIP}"
        raise refused("Connection", conn, "synapse", problem, remedy)
    weights = sent and not of_neurons and conn.solver.weights
    if received and not weights and conn.post_slice != slice(None):
        problem = "is a part, and the chip takes connections to all of it alone"
        remedy = "connect to all of it, with rows of zeros in the transform"
        raise refused("Connection", conn, "post", problem, remedy)
    dense = isinstance(conn.transform, (nengo.Dense, NoTransform))
    if (sent != received and not (received and of_neurons)) and not dense:
        problem = "cannot be between host and chip, where a transform is an array"
        raise refused("Connection", conn, "transform", problem, "use nengo.Dense")
    rule = conn.learning_rule_type
    if sent and rule is not None and (of_neurons or not isinstance(rule, nengo.PES)):
        problem = "is not PES on decoders, all that the chip learns by"
        remedy = f"use nengo.PES() from an ensemble, or {OFF_CHIP}"
        raise refused("Connection", conn, "learning_rule_type", problem, remedy)


def refused(kind: str, obj, attribute: str, problem: str, remedy: str):
    """Return a ValidationError of an attribute of an object in a network.

    Parameters
    ----------
    kind : str
        Of the object.
    obj : object
        Of a network.
    attribute : str
        Of the message.
    problem : str
        Of the message.
    remedy : str
        Of the message.
    """
    where = f"{kind}({named(obj)}).{attribute}"
    return ValidationError(where, getattr(obj, attribute), problem, remedy)


def named(obj) -> str:
    """Return what a user calls an object: its label, or what it is part of.

    Parameters
    ----------
    obj : object
        Of a network.

    Returns
    -------
    str
    """
    if isinstance(obj, ObjView):
        return f"{named(obj.obj)}[...]"
    if isinstance(obj, Neurons):
        return f"{named(obj.ensemble)}.neurons"
    if isinstance(obj, nengo.Probe):
        return named(obj.target)
    if isinstance(obj, LearningRule):
        return f"{named(obj.connection)}.learning_rule"
    if getattr(obj, "label", None):
        return obj.label
    if isinstance(obj, nengo.Connection):
        return f"{named(obj.pre)} -> {named(obj.post)}"
    return type(obj).__name__
