"""Names that options take, so that the shell knows them before the library is imported.

They stand here a second time because the modules that define them import Nengo, which
takes a second; a word is completed within 0.2 s.  A test holds them to the library's.
"""

NEURON_TYPES = (
    *("poisson", "stochastic", "regular", "rate", "if", "lif", "rate-lif", "adaptive"),
    *("rate-adaptive", "poisson-lif", "stochastic-lif", "regular-lif"),
)
SPIKING = tuple(name for name in NEURON_TYPES if not name.startswith("rate"))
REALISED = ("balanced", "optimal")
TUNINGS = ("pairs", "recruited", "drawn", *REALISED)
NOISY = ("poisson", "stochastic")
PHASES = ("staggered", "random")
# what run --compare adds, in results and the names of its specs
BESIDE = ("with_error_feedback", "staggered")
PLANNED = (*NOISY, "regular", "if", "lif", "adaptive")
CONVERTED = (*NOISY, "regular", "if")
CONVERTED_TUNINGS = (*REALISED, "pairs")
CHIP_TYPES = ("if", "lif", "noisy")
STRUCTURES = ("auto", "weights", "decode")
TARGETS = ("compiled", "core")
RUNGS = ("core", "simreal", "emulator", "board")
GOALS = ("neurons", "spikes")
TASKS = ("digits", "psmnist", "mackey-glass", "capacity", "recall", "ecg")
ENGINES = ("jax", "nengo-dl")
REPRODUCED = ("poisson-figure", "capacity", "delay-network", "mackey-glass", "psmnist")
TIMED = (
    *("poisson", "lif", "regular", "rate", "poisson-drawn", "poisson-array"),
    "lif-array",
)
PEERS = ("nengo", "lmu_spiking", "nengo_dl", "nengo_ocl", "brian2", "c")
SIGNALS = ("white", "ecg")
FORMATS = ("csv", "f32")
SHELLS = ("bash", "zsh", "fish")
