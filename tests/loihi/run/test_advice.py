import re
import warnings

import nengo
import numpy as np
import pytest

from lmu_spiking.errors import ValidationError
from lmu_spiking.loihi.run.advice import Advice, advice_table, advise, listening, named
from lmu_spiking.loihi.run.target import nengo_loihi, run_on


@pytest.fixture
def loihi():
    pytest.importorskip("nengo_loihi")
    return nengo_loihi()


# -- warnings ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "said, kind, worst, text",
    [
        ("Overflow in q0", "overflow", None, "RESULTS ARE WRONG.*arrive.*21 bits"),
        ("Overflow in current", "overflow", None, "filtered current .23 bits"),
        ("Overflow in u2", "overflow", None, "current and bias"),
        ("Overflow", "overflow", None, "an integer of the chip"),
        ("Lost 3 extra bits in weight rounding", "lost bits", 3, "4 of 7 bits"),
        (
            "tau_s is already set to 0.1, which is larger than 0.005. Using 0.1.",
            "time constant",
            0.1,
            "0.1 and 0.005 s became 0.1 s.*synapse=None",
        ),
        (
            "tau_s is currently 0, which is smaller than 5e-05. Overwriting tau_s",
            "time constant",
            5e-5,
            "0 and 5e-05 s became 5e-05 s",
        ),
        (
            "NengoLoihi does not support initial values for 'voltage' being non-zero",
            "initial state",
            None,
            "starts all voltages at 0",
        ),
        (
            "Intercepts are larger than intercept limit (0.95). High intercept values",
            "intercepts",
            0.95,
            "above 0.95 were lowered.*Uniform",
        ),
        ("Noise amplitude falls below lower limit", "noise", None, "raise noise_exp"),
        (
            "Noise amplitude exceeds upper limit (25 > 23)",
            "noise",
            None,
            "lower noise_",
        ),
        ("Combining two Lowpass synapses, this may", "passthrough", None, "summed tau"),
        ("Model is precomputable. Setting", "precompute", None, "leave it at None"),
        (
            "Received PES error greater than chip max",
            "learning",
            None,
            "pes_error_scale",
        ),
        ("Trace increment exceeds upper limit", "learning", None, "learning rate"),
        ("Clipping learning weights", "learning", None, "Clipping learning weights:"),
        (
            "Too many spikes (60) sent in one",
            "host spikes",
            None,
            "snip_max_spikes_per",
        ),
        ("a {new} warning\nin two lines", "other", None, r"^a \{new\} warning"),
    ],
)
def test_known_warnings(said, kind, worst, text):
    (advice,) = advise({said: 2})
    assert (advice.kind, advice.count, advice.worst) == (kind, 2, worst)
    assert re.search(text, advice.text, re.DOTALL)
    assert advice.serious is (kind in ("overflow", "lost bits"))


def test_the_worst_comes_first_and_is_named():
    heard = {
        "something new": 1,
        "Lost 1 extra bits in weight rounding": 30,
        "Noise amplitude falls below lower limit": 1,
        "Lost 4 extra bits in weight rounding": 10,
        "Overflow in q0": 7,
        "Overflow in current": 5,
        "something else": 1,
    }
    advice = advise(heard)
    kinds = [one.kind for one in advice]
    assert kinds == ["overflow", "overflow", "lost bits", "noise", "other", "other"]
    assert advice[2].count == 40 and advice[2].worst == 4
    assert "3 of 7 bits" in advice[2].text
    assert [one.serious for one in advice] == [True] * 3 + [False] * 3
    assert sum(one.count for one in advice) == sum(heard.values())
    row = dict(kind="lost bits", count=40, worst=4, text=advice[2].text)
    assert advice_table(advice)[2] == row
    assert advise({}) == () and advice_table(()) == []
    assert not Advice("lost bits", 1, 1, "").serious


def test_only_those_of_nengo_loihi_are_kept(loihi):
    """Others are raised or shown by the user's own filters, as if nobody listened."""
    from nengo_loihi.builder.discretize import discretize_weights

    config = loihi.block.SynapseConfig(weight_exp=-3, weight_bits=7, fanout_type=1)
    with pytest.warns(UserWarning, match="mine") as others, listening() as heard:
        warnings.simplefilter("ignore", DeprecationWarning)
        for _ in range(3):
            discretize_weights(config, np.array([100.0]))
            warnings.warn("mine", UserWarning, stacklevel=1)
            warnings.warn("not asked for", DeprecationWarning, stacklevel=1)
    assert heard == {"Lost 2 extra bits in weight rounding": 3}
    assert {str(w.message) for w in others} == {"mine"}
    with listening(), pytest.raises(UserWarning, match="mine"):
        warnings.simplefilter("error")
        warnings.warn("mine", UserWarning, stacklevel=1)


def test_a_run_tells_of_overflow_and_lost_bits(loihi):
    """Strong inputs run over; a long synapse beside a fast one costs bits."""
    with nengo.Network(seed=0) as net:
        a = nengo.Ensemble(100, 1, gain=np.full(100, 1.0), bias=np.full(100, 3.0))
        b = nengo.Ensemble(100, 1)
        neurons(a.neurons, b.neurons, 0.1, weight=0.05)
        nengo.Connection(a.neurons, b.neurons, transform=1e-5 * np.eye(100))
    run = run_on(net, "emulator", 0.3)
    kinds = {one.kind: one for one in run.advice}
    assert run.advice[0].kind == "overflow" and run.advice[0].count > 1
    assert kinds["time constant"].worst == 0.1
    assert kinds["initial state"].count == 2
    assert not any(one.kind == "overflow" for one in run_on(net, "simreal", 0.3).advice)


# -- refusals ------------------------------------------------------------------------


def place(net, ensemble, where):
    nengo_loihi().add_params(net)
    net.config[ensemble].on_chip = where


def neurons(source, sink, synapse=None, weight=1e-3):
    weights = np.full((sink.size_in, source.size_out), weight)
    nengo.Connection(source, sink, transform=weights, synapse=synapse)


def link(source, sink, **options):
    """A connection between what is taken from a and b."""

    def make(net, a, b):
        nengo.Connection(source(a, b), sink(a, b), **options)

    return make


def with_a(**changed):
    def make(net, a, b):
        for name, value in changed.items():
            setattr(a, name, value)

    return make


def probe_a(attribute="output", of=lambda a: a.neurons, **options):
    return lambda net, a, b: nengo.Probe(of(a), attribute, **options)


def through(first, second, **first_options):
    def make(net, a, b):
        middle = nengo.Node(size_in=1)
        nengo.Connection(a, middle, synapse=first, **first_options)
        nengo.Connection(middle, b, synapse=second, transform=[[1], [1]])

    return make


def learned(rule, source=lambda a: a, **options):
    def make(net, a, b):
        y = nengo.Node(lambda t, x: None, size_in=1)
        conn = nengo.Connection(source(a), y, learning_rule_type=rule, **options)
        nengo.Connection(nengo.Node(0.1), conn.learning_rule)

    return make


def feedback(net, a, b):
    back = nengo.Node(lambda t, x: x, size_in=1)
    nengo.Connection(a, back)
    nengo.Connection(back, a)


def nobody(net, a, b):
    place(net, a, False)
    place(net, b, False)


def host_synapse(net, a, b):
    place(net, a, False)
    neurons(a.neurons, b.neurons, ALPHA)


def direct(net, a, b):
    a.neuron_type = nengo.Direct()
    place(net, a, True)


def in_a_part(net, a, b):
    with nengo.Network() as part:
        c = nengo.Ensemble(10, 1, label="c")
    place(part, c, False)


def from_node(value=0.5):
    return lambda a, b: nengo.Node(value)


first, second = (lambda a, b: a), (lambda a, b: b)
to_node = lambda a, b: nengo.Node(lambda t, x: None, size_in=2)  # noqa: E731
ALPHA = nengo.Alpha(0.1)
SPARSE = nengo.Sparse((2, 2), indices=[[0, 0]], init=1.0)
SPARSE_PAIR = nengo.Sparse((20, 2), indices=[[0, 0]], init=1e-3)
POISSON = nengo.PoissonSpiking(nengo.LIFRate())
REFUSED = {  # what is said, and of what
    r"Connection\(a.neurons -> b.neurons\).synapse: Alpha\(tau=0.1\) is no Lowpass.* "
    r"use nengo.Lowpass\(tau\), or take one end off the chip: .*on_chip = False$": (
        lambda net, a, b: neurons(a.neurons, b.neurons, ALPHA)
    ),
    r"a.neurons -> b.neurons\).synapse: Alpha": host_synapse,
    r"synapse: Alpha\(tau=0.1\)": through(ALPHA, None),
    "two synapses meet at a passthrough node.* set one of them": through(ALPHA, 0.1),
    "not distributions.*; connect without a passthrough node": through(
        0.1, None, transform=nengo.dists.Uniform(0, 1)
    ),
    r"Ensemble\(a\).noise: WhiteNoise.* leave it None": with_a(
        noise=nengo.processes.WhiteNoise(seed=0)
    ),
    r"Ensemble\(a\).gain: .* comes alone; give gain and bias": with_a(gain=np.ones(20)),
    r"Ensemble\(a\).bias: .* comes alone": with_a(bias=np.ones(20)),
    r"Ensemble\(a\).neuron_type: PoissonSpiking.* at random, .*; use ": with_a(
        neuron_type=POISSON
    ),
    r"neuron_type: LIFRate\(\) has rates.* or .*on_chip = False$": with_a(
        neuron_type=nengo.LIFRate()
    ),
    r"base_type=Tanh": with_a(neuron_type=nengo.RegularSpiking(nengo.Tanh())),
    "has the amplitude 2 on its base type.* amplitude=2$": with_a(
        neuron_type=nengo.RegularSpiking(nengo.LIFRate(amplitude=2))
    ),
    "run_on.network: .* has no ensemble that is for the chip": nobody,
    r"Probe\(a.neurons\).sample_every: 0.002 .* take every n-th row": probe_a(
        sample_every=0.002
    ),
    r"Probe\(a -> a\).attr: 'output' of a connection is not seen": probe_a(
        of=lambda a: nengo.Connection(a, a)
    ),
    r"Probe\(a.neurons\).attr: 'refractory_time' .* use 'output' or 'voltage'": probe_a(
        "refractory_time"
    ),
    r"Probe\(a\).attr: 'input' is not seen on the chip; use 'decoded_output'": probe_a(
        "input", of=lambda a: a
    ),
    r"Connection\(a.neurons -> b.neurons\[...\]\).post: .*rows of zeros": (
        lambda net, a, b: neurons(a.neurons, b.neurons[:10])
    ),
    r"Connection\(a.neurons -> b\[...\]\).post": (
        lambda net, a, b: neurons(a.neurons, b[:1])
    ),
    r"Connection\(a -> b\[...\]\).post": link(first, lambda a, b: b[1]),
    r"Connection\(Node -> b\[...\]\).post": link(from_node(), lambda a, b: b[1]),
    r"Connection\(Node -> b\).transform: .* cannot be between host and chip": link(
        from_node([1, 1]), second, transform=SPARSE
    ),
    r"Connection\(b -> Node\).transform": link(second, to_node, transform=SPARSE),
    r"cannot run Connection\(b -> b\), says nengo-loihi: Applying a sparse": link(
        second, second, transform=SPARSE
    ),
    r"learning_rule_type: RLS.* is not PES": learned(nengo.RLS()),
    r"learning_rule_type: PES.* is not PES on decoders": learned(
        nengo.PES(), lambda a: a.neurons, transform=np.full((1, 20), 1e-3)
    ),
    "only supports `Lowpass` pre-synapses": learned(nengo.PES(pre_synapse=ALPHA)),
    r"says nengo-loihi: .*Current \(U\) scaling.*; use a shorter synapse": (
        lambda net, a, b: neurons(a.neurons, b.neurons, 50.0)
    ),
    "use a shorter tau_rc": with_a(neuron_type=nengo.LIF(tau_rc=20)),
    "cannot run .*'b'.*weights dwarf the threshold.* scale weights down": (
        lambda net, a, b: neurons(a.neurons, b.neurons, weight=1.0)
    ),
    r"cannot run Ensemble\(a\), says nengo-loihi: .*NaNs detected in encoders": with_a(
        encoders=np.zeros((20, 1))
    ),
}
SILENT = {  # what nengo-loihi runs as something else, without a word
    r"Ensemble\(a\).neuron_type: AdaptiveLIF\(\) would be built as LIF": with_a(
        neuron_type=nengo.AdaptiveLIF()
    ),
    r"Ensemble\(a\).neuron_type: Direct\(\) has no neurons": direct,
    r"Ensemble\(c\).on_chip: False is set in a part .*outermost network": in_a_part,
}


def made(make):
    with nengo.Network(seed=0) as net:
        a, b = nengo.Ensemble(20, 1, label="a"), nengo.Ensemble(20, 2, label="b")
        make(net, a, b)
    return net


@pytest.mark.parametrize("said", [*REFUSED, *SILENT])
def test_refused(loihi, said):
    with pytest.raises(ValidationError, match=said) as error:
        run_on(made((REFUSED | SILENT)[said]), "emulator", 0.01)
    assert "\n" not in str(error.value)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("said", REFUSED)
def test_nengo_loihi_does_not_run_what_is_refused(loihi, said):
    net = made(REFUSED[said])
    with pytest.raises(Exception):  # noqa: B017 (of many kinds)
        with loihi.Simulator(net, target="sim") as sim:
            sim.run(0.01)


def test_precompute_with_feedback(loihi):
    with pytest.raises(ValidationError, match=r"Cannot precompute.*; leave precompute"):
        run_on(made(feedback), "emulator", 0.01, precompute=True)
    with pytest.raises(ValidationError, match=r"learning rules; leave precompute at"):
        run_on(made(learned(nengo.PES())), "emulator", 0.01, precompute=True)
    run = run_on(made(with_a()), "emulator", 0.01, precompute=False)
    assert "precompute" in [one.kind for one in run.advice]


def test_too_much_for_a_core(loihi):
    """250 neurons that send to 20 cores need 5000 axons, of which there are 4096."""

    def make(net, a, b):
        place(net, b, True)
        net.config[b].block_shape = loihi.BlockShape((1,), (20,))
        neurons(nengo.Ensemble(250, 1).neurons, b.neurons)

    with pytest.raises(ValidationError, match=r"Output axons .*BlockShape"):
        run_on(made(make), "simreal", 0.01)


ALLOWED = (
    lambda net, a, b: neurons(a.neurons[:10], b.neurons),
    lambda net, a, b: neurons(a.neurons, b.neurons, nengo.Lowpass(0)),
    lambda net, a, b: neurons(a.neurons, nengo.Node(size_in=2), ALPHA),
    link(lambda a, b: b[0], first),
    link(second, lambda a, b: b[:]),
    link(first, lambda a, b: b[0], solver=nengo.solvers.LstsqL2(weights=True)),
    link(from_node(), first, synapse=ALPHA),
    link(second, to_node, synapse=ALPHA),
    link(lambda a, b: a.neurons[:2], lambda a, b: a.neurons, transform=SPARSE_PAIR),
    through(0.1, None),
    learned(nengo.PES()),
    feedback,
    probe_a("voltage", of=lambda a: a.neurons[[3, 1]]),
    probe_a(of=lambda a: nengo.Node(0.5), sample_every=0.002),
    with_a(neuron_type=nengo.SpikingRectifiedLinear()),
    with_a(neuron_type=nengo.RegularSpiking(nengo.LIFRate())),
    with_a(neuron_type=nengo.Direct()),
)


@pytest.mark.parametrize("make", ALLOWED)
def test_not_refused(loihi, make):
    assert run_on(made(make), "emulator", 0.01).counts.updates > 0


def test_errors_of_the_user_are_not_touched(loihi):
    def broken(t):
        assert t < 0.005, "mine"
        return t

    with pytest.raises(AssertionError, match="mine"):
        make = lambda net, a, b: nengo.Connection(nengo.Node(broken), a)  # noqa: E731
        run_on(made(make), "emulator", 0.01)


def test_names():
    with nengo.Network():
        a, u = nengo.Ensemble(10, 2, label="a"), nengo.Node(0.5)
        conn = nengo.Connection(u, a.neurons[:1])
        rule = nengo.Connection(
            a, nengo.Node(size_in=2), learning_rule_type=nengo.PES(), label="taught"
        ).learning_rule
        assert named(a) == "a" and named(a[0]) == "a[...]"
        assert named(a.neurons) == "a.neurons" and named(u) == "Node"
        assert named(conn) == "Node -> a.neurons[...]"
        assert named(nengo.Probe(conn)) == named(conn)
        assert named(rule) == "taught.learning_rule"
