r"""Limits of a Loihi chip, of the first generation, and what blocks take of them.

An axon with ``n`` weights is stored in entries of at most 64 weights, with 10 bits
ahead, in words of 64 bits [2]:

.. math:: \sum_{entries} 64 \lceil (8 n_{entry} + 10) / 64 \rceil .

Sources
-------
[1] M. Davies et al., "Loihi: a neuromorphic manycore processor with on-chip learning",
    IEEE Micro 38(1), 82-99, 2018: cores, compartments, synapse memory, weights.
[2] NengoLoihi 1.1.0, ``block.py``: the contents of a core.
[3] NengoLoihi 1.1.0, ``builder/discretize.py``: the integers it writes.
[4] M. Davies et al., "Advancing neuromorphic computing with Loihi: a survey of results
    and outlook", Proceedings of the IEEE 109(5), 911-934, 2021: boards.
"""

from dataclasses import asdict, astuple, dataclass

from lmu_spiking.errors import ValidationError, check_whole


@dataclass(frozen=True)
class CoreLimits:
    """Capacity of one core [1, 2].

    Parameters
    ----------
    compartments : int
        Neurons.
    in_axons : int
        Sources of spikes that arrive.
    out_axons : int
        Pairs of a neuron and a core that its spikes go to.
    synapse_bits : int
        128 KB, in 16,384 words.
    """

    compartments: int = 1024
    in_axons: int = 4096
    out_axons: int = 4096
    synapse_bits: int = 16_384 * 64


@dataclass(frozen=True)
class IntegerLimits:
    """Ranges of the integers of a neuron [3]: mantissas, exponents, accumulators.

    Parameters
    ----------
    threshold_mantissa_bits, threshold_exponent : int
        ``v_th = mantissa 2^6``.
    bias_mantissa_bits, bias_exponent_max : int
        ``bias = mantissa 2^0 ... mantissa 2^7``, and a sign.
    weight_exponent_min : int
        A weight counts ``mantissa 2^(6 + exponent)``, with an exponent up to 0.
    decay_bits : int
        Of the leaks of current and voltage.
    accumulator_bits : int
        Of the input of a step, besides the sign; beyond, it wraps round.
    current_bits : int
        Of the filtered input, besides the sign; beyond, it wraps round.
    """

    threshold_mantissa_bits: int = 17
    threshold_exponent: int = 6
    bias_mantissa_bits: int = 12
    bias_exponent_max: int = 7
    weight_exponent_min: int = -6
    decay_bits: int = 12
    accumulator_bits: int = 21
    current_bits: int = 23

    @property
    def threshold_max(self) -> int:
        """Return the largest threshold, 8,388,544."""
        return (2**self.threshold_mantissa_bits - 1) << self.threshold_exponent

    @property
    def bias_max(self) -> int:
        """Return the largest bias, 524,160."""
        return (2**self.bias_mantissa_bits - 1) << self.bias_exponent_max


# The one chip that all rooms of the library know.
CORE = CoreLimits()
LIMITS = asdict(CORE)
# Storage of the weights of an axon [2]. With both signs in one synapse the last bit of
# a weight is lost: even values from -254 to 254.
WEIGHT_BITS = 8
ENTRY_WEIGHTS = 64  # of one entry, at most
HEADER_BITS = 4 + 6  # of an entry: for its format and its length
WORD_BITS = 64  # an entry is rounded up to whole words
INTEGERS = IntegerLimits()
CORES_PER_CHIP = 128  # [1]
BOARDS = ("Kapoho Bay", 2), ("Nahuku", 8), ("Nahuku", 32)  # and their chips [4]


def axon_bits(weights: int) -> int:
    """Return the synapse memory of one axon with so many weights, bits.

    Parameters
    ----------
    weights : int
        Of the axon.

    Returns
    -------
    int
    """

    def entry_bits(n: int) -> int:
        return WORD_BITS * -(-(WEIGHT_BITS * n + HEADER_BITS) // WORD_BITS)

    entries, rest = divmod(weights, ENTRY_WEIGHTS)
    return entries * entry_bits(ENTRY_WEIGHTS) + (rest and entry_bits(rest))


def most_on_core(axons: int) -> int:
    """Return the neurons whose weights from ``axons``, all to all, fit on one core.

    Parameters
    ----------
    axons : int
        In-axons.

    Returns
    -------
    int
    """
    # fewer neurons, until the entries of all axons fit into the synapse memory
    most = CORE.compartments
    while most > 1 and axons * axon_bits(most) > CORE.synapse_bits:
        most -= 1
    return most


def split(m: int, inputs: int = 0) -> int:
    """Return the neurons on a core when ``m``, all to all, are split over the fewest.

    Compartments, axons and synapse bits all fit; a last, smaller block takes what is
    left.  Nothing is taken off for equal weights, which a core stores once.

    Parameters
    ----------
    m : int
        Neurons, each with a weight to all of them.
    inputs : int
        Other neurons, and axons of the host, that project to all of them: two for each
        number that a `nengo.Node` sends.

    Returns
    -------
    int

    Raises
    ------
    ValidationError
        If no split fits.
    """
    m, inputs = check_whole("split.m", m, 1), check_whole("split.inputs", inputs, 0)
    rows = m + inputs
    # the fewest cores with the same number of neurons each
    for cores in range(1, m + 1):
        size = -(-m // cores)
        use = CoreLimits(size, rows, size * -(-m // size), rows * axon_bits(size))
        if fits(use):
            return size
    room = CORE.in_axons - inputs
    fewer = f"at most {room} neurons, or " if room > 0 else ""
    problem = (
        f"neurons and {inputs} inputs exceed the {CORE.in_axons} in-axons of a core"
    )
    raise ValidationError("split.m", m, problem, f"use {fewer}structure='decode'")


def weights_cores(m: int, inputs: int = 0) -> int:
    """Return the cores of ``m`` neurons, all to all, in blocks of `split`.

    Parameters
    ----------
    m : int
        Neurons.
    inputs : int
        Further in-axons.

    Returns
    -------
    int
    """
    return -(-m // split(m, inputs))


def fits(use: CoreLimits) -> bool:
    """Return whether so much use is within a core.

    Parameters
    ----------
    use : CoreLimits

    Returns
    -------
    bool
    """
    return all(u <= most for u, most in zip(astuple(use), astuple(CORE), strict=True))


@dataclass(frozen=True)
class BlockBudget:
    """Use that one block makes of its core.

    Parameters
    ----------
    name : str
        ``"memory[0:112]"``.
    source : str
        The ensemble, connection or probe that it is of: ``"memory"``.
    kind : {"neurons", "decode", "readout"}
    compartments, in_axons, out_axons, synapse_bits : int
        See `CoreLimits`.
    """

    name: str
    source: str
    kind: str
    compartments: int
    in_axons: int
    out_axons: int
    synapse_bits: int

    @property
    def use(self) -> dict[str, float]:
        """Return each of the four, over its limit."""
        return {name: getattr(self, name) / limit for name, limit in LIMITS.items()}

    @property
    def fullest(self) -> str:
        """Return the name of the one that is nearest to its limit."""
        return max(self.use, key=self.use.__getitem__)

    @property
    def problems(self) -> tuple[ValidationError, ...]:
        """Return what exceeds its limit: quantity, value, limit and way out."""
        return tuple(
            ValidationError(
                f"{self.name}.{name}",
                getattr(self, name),
                f"exceeds the {limit} {name.replace('_', '-')} of a core",
                self._remedy(name),
            )
            for name, limit in LIMITS.items()
            if getattr(self, name) > limit
        )

    def _remedy(self, name: str) -> str:
        """Return the way out of too much use of one kind."""
        decode = "use structure='decode'"
        if self.kind != "neurons":
            return "decode fewer dimensions, or from fewer neurons, at a time"
        if name == "in_axons":
            return f"let at most {CORE.in_axons} neurons project to it, or {decode}"
        if name == "out_axons":
            return f"let its neurons project to fewer cores, one axon each, or {decode}"
        if name == "compartments":
            return f"put at most {CORE.compartments} neurons on a core (block_shape)"
        # synapse bits: the largest block of the same axons whose bits fit
        rows = -(-self.synapse_bits // axon_bits(self.compartments))
        most = most_on_core(rows)
        if rows * axon_bits(most) > CORE.synapse_bits:
            return decode
        return f"put at most {most} neurons on a core (block_shape), or {decode}"


@dataclass(frozen=True)
class Budget:
    """Use that a network makes of so many chips, a core for each block.

    Parameters
    ----------
    blocks : tuple of BlockBudget
        In the order in which NengoLoihi makes them.
    chips : int
        Number of chips available.
    """

    blocks: tuple[BlockBudget, ...]
    chips: int = 1

    @property
    def cores(self) -> int:
        """Return the number of cores, one for each block."""
        return len(self.blocks)

    @property
    def chips_needed(self) -> int:
        """Return the number of chips needed, with 128 cores each."""
        return -(-self.cores // CORES_PER_CHIP)

    @property
    def problems(self) -> tuple[ValidationError, ...]:
        """Return all that does not fit: where, value, limit and way out."""
        problems = [problem for block in self.blocks for problem in block.problems]
        if self.chips_needed > self.chips:
            limit = f"{self.chips * CORES_PER_CHIP} cores of {self.chips} chip"
            rest = f"exceeds the {limit}{'s' * (self.chips > 1)}"
            rest = self.cores, rest, _more_chips(self.chips_needed)
            problems.append(ValidationError("budget.cores", *rest))
        return tuple(problems)

    @property
    def fits(self) -> bool:
        """Return whether blocks fit their cores, and cores the chips."""
        return not self.problems

    def check(self) -> "Budget":
        """Return itself if it fits; else raise the first of `problems`.

        Returns
        -------
        Budget
        """
        for problem in self.problems:
            raise problem
        return self

    def table(self) -> list[dict]:
        """Return a row for each block: chip and core in order, counts, fullest use.

        Returns
        -------
        list[dict]
        """
        return [
            {"chip": k // CORES_PER_CHIP, "core": k % CORES_PER_CHIP}
            | asdict(block)
            | {"fullest": block.fullest, "use": block.use[block.fullest]}
            for k, block in enumerate(self.blocks)
        ]


def _more_chips(needed: int) -> str:
    """Return the way out of too many cores: the smallest board that has enough."""
    for name, chips in BOARDS:
        if chips >= needed:
            chips = f"chips={needed} (a {name} board has {chips})"
            return f"use {chips}, fewer neurons or structure='decode'"
    return f"no board has {needed} chips: use fewer neurons or structure='decode'"
