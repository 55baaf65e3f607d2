import numpy as np
import pytest

pytest.importorskip("jax")

from lmu_spiking.conversion import convert
from lmu_spiking.errors import SignalFileError, ValidationError
from lmu_spiking.experiments.learning import spoken_digits as spoken_digit

SPEAKERS = ("ann", "bob")


@pytest.fixture(scope="module")
def spoken():
    """Ten "digits": a bump of power that moves up or down from one of five bands."""
    rng, rows = np.random.default_rng(0), []
    for speaker in SPEAKERS:
        for digit in range(10):
            for index in range(16):
                frames = int(rng.integers(15, 25))
                way = (digit % 2 * 2 - 1) * np.linspace(-3, 3, frames)[:, None]
                at = 4 + 6 * (digit // 2) + way + rng.normal(0, 0.3)
                power = 10 * np.exp(-(((np.arange(32) - at) / 2) ** 2))
                level = 8 + 3 * (speaker == "bob") + rng.normal(0, 0.3, power.shape)
                rows.append((digit, speaker, index, power + level))
    digit, speaker, index, bands = zip(*rows, strict=True)
    about = (np.array(digit), np.array(speaker), np.array(index))
    return spoken_digit.Spoken([], list(bands), *about, 8000.0)


@pytest.fixture(scope="module")
def trained(spoken):
    data = spoken_digit.sequences(spoken)
    return data, *spoken_digit.trained_spoken(data, 0, epochs=5)


def test_the_split_is_by_index_and_shares_nothing(spoken):
    data = spoken_digit.sequences(spoken, whole=False)
    # each that trains does so in two trimmings
    assert (len(data.train), len(data.valid), len(data.test)) == (240, 100, 100)
    assert data.trained_on("valid") == data.trained_on("test") == 0
    first = np.flatnonzero(spoken.index < 5)
    np.testing.assert_array_equal(data.test.lengths[3], len(spoken.bands[first[3]]))
    np.testing.assert_array_equal(data.test.y, spoken.digit[first])


def test_a_held_out_speaker_tests_alone(spoken):
    data = spoken_digit.sequences(spoken, "bob", whole=False)
    assert (len(data.train), len(data.valid), len(data.test)) == (220, 50, 160)
    whole = spoken_digit.sequences(spoken, "bob")
    assert len(whole.train) == 320
    assert whole.trained_on("test") == 0
    assert whole.trained_on("valid") == 50
    # bob is louder: none of the loud recordings trains
    mean = [part.x[:, :8].mean() for part in (whole.train, data.test)]
    assert mean[1] - mean[0] == pytest.approx(3, abs=0.3)
    with pytest.raises(ValidationError, match=r"held_out.*ann.*bob"):
        spoken_digit.sequences(spoken, "eve")


def test_learns_them_far_above_chance(trained):
    _, params, row = trained
    assert row["trained_on"] == 220
    assert row["rate_accuracy"] > 0.4  # chance is 0.1
    assert [cell.memory_d for cell in params.cells] == [32, 40]


def test_altered_recordings_keep_length_and_level(spoken):
    x = spoken_digit.sequences(spoken).train.x
    out = spoken_digit.altered(np.random.default_rng(0), x)
    assert out.shape == x.shape
    live = (x != 0).any(axis=2)
    np.testing.assert_array_equal((out != 0).any(axis=2), live)
    change = (out.sum((1, 2)) - x.sum((1, 2))) / live.sum(axis=1) / 32
    # the mean changes by the loudness, of standard deviation 1, and by the masks
    assert 0.8 < change.std() < 1.3
    assert abs(change.mean()) < 4 / np.sqrt(len(x))


def test_accuracy_by_time_heard_ends_at_that_of_whole_recordings():
    right, wrong = np.eye(10)[3], np.eye(10)[4]
    # the first is right from frame 10 on (0.125 s), the second always, and is short
    outputs = [np.array([wrong] * 10 + [right] * 20), np.array([right] * 5)]
    rows = spoken_digit.heard_rows(outputs, [3, 3])
    found = {row["heard"]: (row["accuracy"], row["ended"]) for row in rows}
    assert found[0.1] == (0.5, 0.5)
    assert found[0.15] == (1.0, 0.5)
    assert found[None] == (1.0, 1.0)


def test_a_file_of_something_else_is_refused(tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, x=np.zeros(3))
    with pytest.raises(SignalFileError, match="no file of spoken digits"):
        spoken_digit.load_spoken(path)
    some = {"digit": [1], "speaker": ["ann"], "index": [0], "rate": 8000}
    np.savez(path, audio=np.zeros(9, np.int16), length=[10], **some)
    with pytest.raises(SignalFileError, match="not as long"):
        spoken_digit.load_spoken(path)


def test_sound_is_streamed_as_in_one_run(trained, tmp_path):
    pytest.importorskip("kaldi_native_fbank")
    data, params, _ = trained
    rng, path = np.random.default_rng(0), tmp_path / "sound.npz"
    length, audio = [1990, 2410], rng.integers(-3000, 3000, 4400).astype(np.int16)
    about = {"digit": [1, 2], "speaker": ["ann", "bob"], "index": [0, 0]}
    np.savez(path, audio=audio, length=length, rate=8000, **about)
    spoken = spoken_digit.load_spoken(path)
    # 25 ms at 8 kHz are 200 samples, and a frame comes every 80
    assert [len(b) for b in spoken.bands] == [(n - 200) // 80 + 1 for n in length]
    how = {"lengths": data.train.lengths, "neuron_type": "if", "n_neurons": 10**6}
    made = convert(params, data.train.x, last=True, **how)
    outputs, row = spoken_digit.streamed(made, spoken, [0, 1])
    exact = spoken_digit.rate_outputs(params, spoken, [0, 1])
    for spikes, rates in zip(outputs, exact, strict=True):
        np.testing.assert_allclose(spikes, rates, atol=0.05 * np.abs(rates).max())
    assert row["readout_latency"] == pytest.approx(0.02, abs=0.0021)


def test_another_trimming_is_shorter_or_ends_in_silence():
    rng, said = np.random.default_rng(0), np.full((30, 4), 20.0)
    said[:6] = 9.0  # silence before the word
    rows = [spoken_digit.trimmed(rng, said) for _ in range(200)]
    less, more = [r for r in rows if len(r) < 30], [r for r in rows if len(r) > 30]
    assert 70 < len(less) < 130 and len(less) + len(more) >= 190
    for row in less:
        assert len(row) >= 18
        np.testing.assert_array_equal(row, said[: len(row)])
    for row in more:
        np.testing.assert_array_equal(row[:30], said)
        assert abs(row[30:].mean() - 9) < 1
