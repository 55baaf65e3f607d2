import copy
import io
import os
import pickle
import stat
import subprocess
import sys
import tomllib
from dataclasses import FrozenInstanceError, fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_spiking import files
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import LMUSpikingError, SignalFileError, ValidationError
from lmu_spiking.files import write_atomically
from lmu_spiking.memory import spec as module
from lmu_spiking.memory.spec import MemorySpec, SignalSpec, asked_error
from lmu_spiking.neurons.curves import NEURON_TYPES

positive = st.floats(1e-3, 1e3)
seeds = st.integers(0, 2**31 - 1)


@st.composite
def specs(draw):
    order = draw(st.integers(1, 20))
    some = st.lists(positive, min_size=order, max_size=order).map(tuple)
    pairs = draw(st.booleans())
    kind = st.sampled_from(["poisson", "stochastic", "rate"] if pairs else NEURON_TYPES)
    neurons = draw(kind)
    return MemorySpec(
        n_neurons=draw(st.integers(2 * order, 10**9)),
        order=order,
        theta=draw(st.floats(0.1, 100.0)),
        tau=draw(positive),
        dt=draw(st.floats(1e-5, 0.1)),
        neuron_type=neurons,
        tuning=draw(
            st.sampled_from([None, "pairs", "drawn"] if pairs else [None, "drawn"])
        ),
        max_rate=draw(st.floats(1.0, 300.0)),
        radii=draw(st.one_of(positive, some)),
        tuning_seed=draw(seeds),
        noise_seed=draw(seeds),
        signal=SignalSpec(draw(positive), draw(positive)),
    )


# -- values ----------------------------------------------------------------------------


def test_defaults_are_those_of_the_contract():
    spec = MemorySpec()
    assert (spec.order, spec.theta, spec.tau, spec.dt) == (6, 0.5, 0.1, 0.001)
    assert (spec.n_neurons, spec.neuron_type, spec.max_rate) == (6000, "poisson", 300)
    assert (spec.radii, spec.signal) == (1.0, SignalSpec(2.0, 0.5))
    assert spec.ldn == LDN(6, 0.5)


def test_is_a_value():
    assert MemorySpec() == MemorySpec()
    assert len({MemorySpec(), MemorySpec(), MemorySpec(order=5)}) == 2
    with pytest.raises(FrozenInstanceError):
        MemorySpec().order = 7


def test_replace_checks_again():
    spec = MemorySpec(radii=(1.0,) * 6)
    assert spec.replace(noise_seed=3) == MemorySpec(radii=(1.0,) * 6, noise_seed=3)
    with pytest.raises(ValidationError):
        spec.replace(tau=-1.0)
    with pytest.raises(ValidationError):
        spec.replace(order=7)  # six radii


def test_arguments_are_those_of_the_network():
    arguments = MemorySpec(tau=0.05).arguments()
    assert arguments["synapse"] == 0.05
    assert "tau" not in arguments
    assert arguments["signal"] == SignalSpec()
    assert "radii" not in MemorySpec(tuning="optimal").arguments()


@pytest.mark.parametrize("radii", [[1, 2], np.array([1.0, 2.0]), (1.0, 2)])
def test_radii_of_any_kind_are_a_tuple(radii):
    spec = MemorySpec(order=2, radii=radii)
    assert spec.radii == (1.0, 2.0)
    assert all(type(r) is float for r in spec.radii)


# -- files -----------------------------------------------------------------------------


@given(spec=specs())
def test_goes_to_toml_and_back(tmp_path_factory, spec):
    path = tmp_path_factory.mktemp("spec") / "memory.toml"
    text = spec.to_toml(path)
    assert path.read_text() == text
    back = MemorySpec.from_toml(path)
    assert back == spec
    assert back.digest == spec.digest
    assert MemorySpec.from_dict(tomllib.loads(text)) == spec
    assert MemorySpec.from_dict(spec.to_dict()) == spec


def test_an_error_that_was_asked_for_is_kept_beside_it(tmp_path):
    path, spec = tmp_path / "s.toml", MemorySpec(order=3)
    spec.to_toml(path)
    assert asked_error(path) is None
    spec.to_toml(path, asked=0.05)
    assert asked_error(path) == 0.05
    assert MemorySpec.from_toml(path) == spec


@pytest.mark.parametrize(
    "table", ["plan = 1", "[plan]", "[plan]\nerror = -1", "[plan]\nerrors = 0.1"]
)
def test_what_is_no_error_asked_for_is_refused(tmp_path, table):
    path = tmp_path / "s.toml"
    path.write_text(table)
    for read in (asked_error, MemorySpec.from_toml):
        with pytest.raises(ValidationError, match=r"s\.toml\.plan"):
            read(path)


def test_the_file_is_readable_by_people(tmp_path):
    spec = MemorySpec(
        tuning="drawn", error_feedback=(900.0, 0.02), initial_phases="random"
    )
    spec.to_toml(tmp_path / "deep" / "folder" / "a.toml")
    items = tomllib.loads((tmp_path / "deep" / "folder" / "a.toml").read_text())
    assert set(items) == {f.name for f in fields(MemorySpec)}
    assert items["signal"] == {"bandwidth": 2.0, "rms": 0.5}
    assert items["error_feedback"] == [900.0, 0.02]
    assert MemorySpec.from_toml(tmp_path / "deep" / "folder" / "a.toml") == spec


def test_what_a_file_leaves_out_is_the_default(tmp_path):
    path = tmp_path / "short.toml"
    path.write_text("order = 4\n[signal]\nrms = 0.1\n")
    spec = MemorySpec.from_toml(path)
    assert spec == MemorySpec(order=4, signal=SignalSpec(rms=0.1))


def test_numbers_of_numpy_are_numbers():
    spec = MemorySpec(
        n_neurons=np.int64(600),
        order=np.int32(4),
        theta=np.float64(0.3),
        radii=(1,) * 4,
    )
    same = MemorySpec(n_neurons=600, order=4, theta=0.3, radii=(1.0,) * 4)
    assert spec == same
    assert spec.to_toml() == same.to_toml()
    assert spec.digest == same.digest


# -- digests ---------------------------------------------------------------------------


@given(spec=specs())
def test_equal_specs_have_equal_digests(spec):
    assert spec.replace().digest == spec.digest
    assert len(spec.digest) == 12
    assert spec.replace(noise_seed=(spec.noise_seed + 1) % 2**31).digest != spec.digest


def test_whole_numbers_have_the_digest_of_floats():
    one = MemorySpec(
        theta=1, tau=1, dt=1, max_rate=300, radii=2, signal=SignalSpec(2, 1)
    )
    other = MemorySpec(
        theta=1.0,
        tau=1.0,
        dt=1.0,
        max_rate=300.0,
        radii=2.0,
        signal=SignalSpec(2.0, 1.0),
    )
    assert one == other
    assert one.digest == other.digest


def test_every_field_counts_in_the_digest():
    changes = {
        "n_neurons": 600,
        "order": 5,
        "theta": 0.4,
        "tau": 0.2,
        "dt": 0.002,
        "neuron_type": "stochastic",
        "tuning": "drawn",
        "max_rate": 200.0,
        "radii": 2.0,
        "aggregated": True,
        "tuning_seed": 1,
        "noise_seed": 1,
        "signal": SignalSpec(1.0, 0.5),
        "error_feedback": "auto",
        "initial_phases": "random",
        "size_in": 2,
    }
    assert set(changes) == {f.name for f in fields(MemorySpec)}
    digests = {MemorySpec(**{key: value}).digest for key, value in changes.items()}
    assert len(digests | {MemorySpec().digest}) == len(changes) + 1


@pytest.mark.parametrize(
    "fields",
    [
        {"initial_phases": "evenly"},
        {"initial_phases": "staggered"},
        {"initial_phases": "staggered", "neuron_type": "lif"},
        {"initial_phases": "staggered", "neuron_type": "if", "tuning": "drawn"},
        {"initial_phases": "random", "neuron_type": "if", "aggregated": True},
    ],
)
def test_phases_that_neurons_cannot_have_are_refused(fields):
    with pytest.raises(ValidationError, match=r"MemorySpec\.initial_phases: "):
        MemorySpec(**fields)


def test_phases_of_old_results_are_told_from_staggered_ones():
    """A default spec and one that says "staggered" have the same digest."""
    plain, random = (
        MemorySpec(neuron_type="if", initial_phases=p) for p in (None, "random")
    )
    assert plain.digest == plain.replace(initial_phases="staggered").digest
    assert plain.digest != random.digest
    assert plain.has_sums and not random.has_sums
    assert MemorySpec().has_sums and not MemorySpec(neuron_type="lif").has_sums


def test_the_digest_is_the_same_in_every_process():
    code = (
        "from lmu_spiking.memory.spec import MemorySpec\n"
        "print(MemorySpec(order=2, radii=(1.5, 2.0), tuning='drawn').digest)"
    )
    mine = MemorySpec(order=2, radii=(1.5, 2.0), tuning="drawn").digest
    run = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"PYTHONHASHSEED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == mine


def test_a_spec_computes_nothing_until_its_synapse_is_asked_for(monkeypatch):
    searches = []

    def search(*arguments, **options):
        searches.append(arguments)
        return 0.25

    monkeypatch.setattr(module, "choose_tau", search)
    spec = MemorySpec(tuning="optimal", order=4)
    assert spec.ldn.order == 4
    assert not searches
    assert spec.tau == spec.replace(noise_seed=1).tau == 0.25
    assert spec == MemorySpec(tuning="optimal", order=4, tau=0.25)
    assert len(searches) == 1
    for twin in (copy.deepcopy(spec), pickle.loads(pickle.dumps(spec))):
        assert (twin, twin.digest) == (spec, spec.digest)
    assert MemorySpec.tau is None  # the default of the field
    assert len(searches) == 1


# -- files that go wrong ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "order = 6\nneurons = 600\n",
            "neurons: 600 is not known; use n_neurons, order",
        ),
        ("[signal]\nhigh = 2.0\n", "signal.high: 2.0 is not known; use bandwidth, rms"),
        ("signal = 3\n", "signal: 3 must be a table"),
        ('theta = "0.5"\n', "theta: '0.5' must be a positive number"),
        ("theta = true\n", "theta: True must be a positive number"),
        ("tau = nan\n", "tau: nan must be a positive number"),
        ("tau = inf\n", "tau: inf must be a positive number"),
        ("dt = -0.001\n", "dt: -0.001 must be a positive number"),
        ("dt = 0.6\n", "dt: 0.6 is longer than the window theta of 0.5 s"),
        ("order = 6.5\n", "order: 6.5 must be a whole number"),
        ("order = true\n", "order: True must be a whole number"),
        ('order = "6"\n', "order: '6' must be a whole number"),
        ("n_neurons = 600.0\n", "n_neurons: 600.0"),
        ('n_neurons = "600"\n', "n_neurons: '600'"),
        ("n_neurons = true\n", "n_neurons: True"),
        ("n_neurons = 11\n", "n_neurons: 11 is less than 2 per dimension"),
        ("n_neurons = -600\n", "n_neurons: -600"),
        ("radii = -1.0\n", "radii: -1.0"),
        ("radii = nan\n", "radii: nan"),
        ("radii = inf\n", "radii: inf"),
        ("radii = true\n", "radii: True"),
        ("radii = [1.0, 2.0]\n", "radii: [1.0, 2.0]"),
        ("radii = [1.0, 1.0, 1.0, 1.0, 1.0, 0.0]\n", "radii"),
        ("radii = [true, true, true, true, true, true]\n", "radii"),
        ('radii = "111111"\n', "radii: '111111'"),
        ("neuron_type = 1\n", "neuron_type: 1 is unknown; use "),
        ('neuron_type = "spiking"\n', "neuron_type: 'spiking' is unknown"),
        ('tuning = "nice"\n', "tuning: 'nice'"),
        ("tuning = 0\n", "tuning: 0"),
        ('aggregated = "yes"\n', "aggregated: 'yes'"),
        ("aggregated = 1\n", "aggregated: 1"),
        ("aggregated = []\n", "aggregated: []"),
        ("noise_seed = -1\n", "noise_seed: -1 must be a whole number"),
        ("noise_seed = 2147483648\n", "noise_seed: 2147483648 must be"),
        ("tuning_seed = 1.0\n", "tuning_seed: 1.0 must be a whole number"),
        ("tuning_seed = true\n", "tuning_seed: True must be a whole number"),
        ("max_rate = 0\n", "max_rate: 0 must be a positive number"),
        ("[signal]\nrms = nan\n", "signal.rms: nan must be a positive number"),
        ('[signal]\nbandwidth = "2"\n', "signal.bandwidth: '2' must be a positive"),
    ],
)
def test_values_that_a_file_may_not_have(tmp_path, text, message):
    path = tmp_path / "spec.toml"
    path.write_text(text)
    with pytest.raises(ValidationError) as error:
        MemorySpec.from_toml(path)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "content",
    [b"order = = 6\n", b"order = 6\norder = 7\n", b"\xff\xfe\x00order", b"[signal\n"],
)
def test_corrupt_files(tmp_path, content):
    path = tmp_path / "corrupt.toml"
    path.write_bytes(content)
    with pytest.raises(
        SignalFileError, match=r"corrupt\.toml: cannot be read: "
    ) as error:
        MemorySpec.from_toml(path)
    assert isinstance(error.value, OSError)
    assert "\n" not in str(error.value)


def test_missing_files_and_folders(tmp_path):
    for path in (tmp_path / "none.toml", tmp_path):
        with pytest.raises(SignalFileError, match=r"^spec .*: cannot be read: "):
            MemorySpec.from_toml(path)


@pytest.mark.parametrize("items", [[1], "order", 3, None, {"signal": None}])
def test_dictionaries_that_are_none(items):
    with pytest.raises(LMUSpikingError):
        MemorySpec.from_dict(items)


def test_signal_must_be_a_signal_spec():
    with pytest.raises(ValidationError, match="signal"):
        MemorySpec(signal="white")


# -- whole or not at all ---------------------------------------------------------------


def refuse(*args, **kwargs):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize("step", ["replace", "fsync", "open", "chmod"])
def test_a_disk_that_refuses_leaves_the_old_file(tmp_path, monkeypatch, step):
    path = tmp_path / "spec.toml"
    MemorySpec(order=4).to_toml(path)
    owner = files if step == "open" else os
    monkeypatch.setattr(owner, step, refuse, raising=False)
    with pytest.raises(OSError, match="No space left"):
        MemorySpec(order=5).to_toml(path)
    monkeypatch.undo()
    assert MemorySpec.from_toml(path) == MemorySpec(order=4)
    assert os.listdir(tmp_path) == ["spec.toml"]


class FullDisk(io.FileIO):
    write = refuse


def test_a_disk_that_is_full_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "spec.toml"
    write_atomically(path, b"old")
    monkeypatch.setattr(files, "open", FullDisk, raising=False)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["spec.toml"]


def test_an_interrupt_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "spec.toml"
    write_atomically(path, b"old")

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["spec.toml"]


def test_writing_again_replaces_the_file(tmp_path):
    path = tmp_path / "spec.toml"
    write_atomically(path, b"a much longer text than the next")
    write_atomically(str(path), b"short")
    assert path.read_bytes() == b"short"


# -- files whole or not at all ---------------------------------------------------------


@pytest.mark.skipif(os.name != "posix", reason="needs modes of files")
@pytest.mark.parametrize("mask", [0o000, 0o022, 0o077])
def test_a_file_has_the_mode_that_its_user_wants(tmp_path, mask):
    path, before = tmp_path / "a", os.umask(mask)
    try:
        write_atomically(path, b"1")
        assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
        path.chmod(0o640)
        write_atomically(path, b"2")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    finally:
        os.umask(before)


@pytest.mark.skipif(os.name != "posix", reason="needs pipes")
def test_what_is_no_regular_file_is_not_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    write_atomically(pipe, b"through")
    assert os.read(reader, 100) == b"through"
    os.close(reader)
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        write_atomically(tmp_path / "folder", b"1")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "pipe"]


def test_a_long_name_is_written(tmp_path):
    write_atomically(tmp_path / ("a" * 250), b"1")
    assert (tmp_path / ("a" * 250)).read_bytes() == b"1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("theta = 1" + "0" * 400, "theta: 1000.* must be a positive number"),
        ("n_neurons = 1" + "0" * 400, "n_neurons: 1000.* must be at most"),
        ("tuning_seed = 1" + "0" * 400, "tuning_seed: 1000"),
        ("order = 1" + "0" * 5000, "cannot be read: "),
        ("radii = " + "[" * 9000 + "]" * 9000, "nested too deeply"),
        ("x = " + "{a = " * 3000, "nested too deeply"),
        (".".join("a" * 3000) + " = 1", "more than 20 parts"),
        ("order = 500000000000000\nn_neurons = 1000000000000000", "at most 10000"),
        ('order = 2000\nn_neurons = 90000\ntuning = "optimal"', "give tau as well"),
        ('order = 40\nn_neurons = 800\ntuning = "balanced"', "above 32.*give tau"),
        (
            'tuning = "optimal"\n[signal]\nbandwidth = 1e9',
            "bandwidth: 10000.* above 200",
        ),
        ("radii = [" + "1.0, " * 60_000 + "]", "larger than 256 KiB"),
        ('"' + "k" * 3000 + '" = 1', "is not known"),
    ],
)
def test_hostile_specs_end_in_one_line(tmp_path, text, said):
    path = tmp_path / "spec.toml"
    path.write_text(text)
    with pytest.raises(LMUSpikingError, match=said) as caught:
        MemorySpec.from_toml(path)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 600


def test_a_large_order_of_the_least_noise_takes_its_tau(tmp_path):
    path = tmp_path / "spec.toml"
    path.write_text('order = 40\nn_neurons = 4000\ntuning = "optimal"\ntau = 0.1')
    assert MemorySpec.from_toml(path).order == 40
    with pytest.raises(ValidationError, match=r"order: 300 is above 200.*give tau"):
        MemorySpec(order=300, n_neurons=60_000, tuning="optimal")
