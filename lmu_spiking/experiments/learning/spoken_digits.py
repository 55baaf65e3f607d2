r"""Spoken digits: mel bands, two cells, spikes, and a decision every 10 ms.

The Free Spoken Digit Dataset has ten digits, said 50 times by each of six speakers at
8 kHz.  By its authors' split the first five recordings of each digit and speaker test
(index 0 to 4: 300 of 3,000).  The next five chose everything that is set below, and are
trained on afterwards.  Another question is that of a speaker who was never heard:
all recordings of one speaker test, and the five others train.

A recording becomes the logarithms of mel bands by kaldi-native-fbank, which computes
them as a stream, too: 25 ms of sound every 10 ms, presented for as long.  So a network
that is fed by a microphone decides anew with every frame.

The data are the user's own copy, in one ``.npz``: ``audio`` (samples of all recordings,
int16), ``length``, ``digit``, ``speaker`` and ``index`` of each, and ``rate`` (Hz).

What was tried: without other trimmings (`trimmed`), 0.957 to 0.983 of what validates
were right whatever the mixing of bands, noise, units, weight decay or epochs, and the
same few recordings were wrong: those that end in a long silence or early.
"""

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from lmu_spiking.brief import brief
from lmu_spiking.conversion import Conversion
from lmu_spiking.errors import (
    LMUSpikingError,
    SignalFileError,
    ValidationError,
    check_one_of,
)
from lmu_spiking.experiments.published.models import train_kept
from lmu_spiking.files import NOT_OURS, open_arrays
from lmu_spiking.lmu.forward import forward
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.studies.stream import ModelStream
from lmu_spiking.tasks.sequences import Part, Sequences
from lmu_spiking.training.recipes import Recipe
from lmu_spiking.training.settings import TrainSettings

FRAME = 0.01  # seconds from one frame to the next
HEARING = 0.025  # seconds of sound in a frame
BANDS, LOWEST = 32, 60.0  # number of bands, and the lowest frequency (Hz)
# added to the power of a band: that of a noise just heard, below which silence differs
# from recording to recording (natural logarithm, of samples of 16 bits)
FLOOR = 8.0
LONGEST = 120  # frames of a recording that is trained on; the others are cut
TEST, VALID = 5, 10  # indices below the first test, below the second validate
# recordings are trimmed by hand: some end early, some with half a second of silence, so
# that each is trained on once more with less of its end, or with silence after it
SHORTEST, SILENCE = 0.6, 60  # share of it, frames
# augmentation: loudness, rate and shift of a recording, and bands that are masked
LOUDNESS, RATE, SHIFT, MASKED = 1.0, 0.15, 2.0, 6
HEARD = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.6, 0.8)  # seconds


@dataclass(frozen=True, eq=False)
class Spoken:
    """Recordings of spoken digits.

    Parameters
    ----------
    audio : list of (samples,) ndarray
    bands : list of (frames, BANDS) ndarray
    digit, index : (n,) ndarray of int
    speaker : (n,) ndarray of str
    rate : float
        Samples a second.
    """

    audio: list[np.ndarray]
    bands: list[np.ndarray]
    digit: np.ndarray
    speaker: np.ndarray
    index: np.ndarray
    rate: float

    __repr__ = brief


# -- sound into frames ---------------------------------------------------------------


class MelStream:
    """Blocks of sound in, frames of log mel bands out.

    Parameters
    ----------
    rate : float
        Samples a second.
    """

    def __init__(self, rate: float):
        try:
            import kaldi_native_fbank as knf  # pyright: ignore[reportMissingImports]
        except ImportError:  # no extra brings it
            problem = "kaldi_native_fbank is not installed"
            remedy = "run: pip install kaldi-native-fbank"
            raise LMUSpikingError(f"{problem}; {remedy}") from None
        options = knf.FbankOptions()
        frame, mel = options.frame_opts, options.mel_opts
        frame.samp_freq, frame.dither, frame.snip_edges = float(rate), 0.0, True
        frame.frame_length_ms, frame.frame_shift_ms = 1e3 * HEARING, 1e3 * FRAME
        mel.num_bins, mel.low_freq, options.use_energy = BANDS, LOWEST, False
        self._bank, self._rate, self._read = knf.OnlineFbank(options), float(rate), 0

    def push(self, block) -> np.ndarray:
        """Take samples (n,), and return the frames that are ready now.

        Parameters
        ----------
        block : (n,) array_like
            Of 16 bits: -32,768 to 32,767.

        Returns
        -------
        (frames, BANDS) ndarray
        """
        block = np.asarray(block, dtype=np.float32)
        self._bank.accept_waveform(self._rate, block.tolist())
        ready = self._bank.num_frames_ready
        frames = [self._bank.get_frame(i) for i in range(self._read, ready)]
        self._read = ready
        # silence of all recordings is alike
        return np.logaddexp(np.reshape(frames, (-1, BANDS)), FLOOR)


def load_spoken(path) -> Spoken:
    """Return the recordings of a file with their mel bands.

    Parameters
    ----------
    path : path-like
        See the module.

    Returns
    -------
    Spoken

    Raises
    ------
    SignalFileError
        If the file is missing, or holds something else.
    LMUSpikingError
        If kaldi-native-fbank is not installed.
    """
    names = ("audio", "length", "digit", "speaker", "index", "rate")
    try:
        with open_arrays(path) as file:
            read = {name: file[name] for name in names}
    except NOT_OURS as error:
        raise SignalFileError(f"{path}: is no file of spoken digits: {error}") from None
    audio, ends = read["audio"], np.cumsum(read["length"])
    if audio.ndim != 1 or not len(ends) or ends[-1] != len(audio):
        problem = f"audio {audio.shape} is not as long as the lengths say"
        raise SignalFileError(f"{path}: {problem}")
    cuts, rate = np.split(audio, ends[:-1]), float(read["rate"])
    bands = [MelStream(rate).push(cut) for cut in cuts]
    about = (read["digit"].astype(int), read["speaker"], read["index"].astype(int))
    return Spoken(cuts, bands, *about, rate)


# -- what is learned -----------------------------------------------------------------


def sequences(
    spoken: Spoken, held_out: str | None = None, whole: bool = True
) -> Sequences:
    """Return the task: recordings of known speakers, or of one who was never heard.

    Parameters
    ----------
    spoken : Spoken
    held_out : str, optional
        The speaker whose recordings test; by default index 0 to 4 of each speaker do.
    whole : bool
        Train on what validates, too, as after all is chosen: keep the last epoch.

    Returns
    -------
    Sequences
        Index 5 to 9 validate (of the other speakers).

    Raises
    ------
    ValidationError
        If there is no such speaker.
    """
    test, choose = spoken.index < TEST, spoken.index < VALID
    valid = choose & ~test
    if held_out is not None:
        check_one_of("sequences.held_out", held_out, sorted(set(spoken.speaker)))
        test = spoken.speaker == held_out
        valid &= ~test
    parts = (
        _part(spoken, ~test & (whole | ~valid), trained=True),
        _part(spoken, valid, cut=whole),
        _part(spoken, test),
    )
    split = "index 0 to 4 tests" if held_out is None else f"{held_out} tests"
    about = f"spoken digits, {len(spoken.bands)} recordings, {split}"
    return Sequences("spoken", *parts, FRAME, 10, True, about, altered)


def _part(spoken: Spoken, chosen, trained: bool = False, cut: bool = False) -> Part:
    """Return chosen recordings, each with another trimming as well if ``trained``.

    Recordings that train, and all that are ``cut``, end after `LONGEST` frames.
    """
    if not chosen.any():
        raise ValidationError("sequences.spoken", 0, "has a part without recordings")
    longest, digits = LONGEST if trained or cut else None, spoken.digit[chosen]
    rows = [spoken.bands[i][:longest] for i in np.flatnonzero(chosen)]
    if trained:
        rng = np.random.default_rng(0)
        rows += [trimmed(rng, row)[:LONGEST] for row in rows]
        digits = np.tile(digits, 2)
    ends = np.array([len(row) for row in rows])
    x = np.zeros((len(rows), ends.max(), rows[0].shape[1]))
    for row, into, end in zip(rows, x, ends, strict=True):
        into[:end] = row
    return Part(x, digits, ends)


def trimmed(rng: np.random.Generator, bands: np.ndarray) -> np.ndarray:
    """Return a recording without some of its end, or with silence after it.

    Parameters
    ----------
    rng : numpy.random.Generator
    bands : (T, c) ndarray

    Returns
    -------
    (frames, c) ndarray
        Silence is about the tenth of each band that is most quiet.
    """
    if rng.random() < 0.5:
        return bands[: max(8, int(len(bands) * rng.uniform(SHORTEST, 1)))]
    quiet = np.quantile(bands, 0.1, axis=0)
    more = quiet + rng.normal(0, 0.5, (rng.integers(5, SILENCE), len(quiet)))
    return np.concatenate([bands, more])


def altered(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Return recordings as if said louder, faster, a little later, or half heard.

    Parameters
    ----------
    rng : numpy.random.Generator
    x : (n, T, c) ndarray
        Padded with zeros.

    Returns
    -------
    (n, T, c) ndarray
        Of the same lengths.
    """
    n, T, c = x.shape
    live = (x != 0).any(axis=2)
    ends, rows = live.sum(axis=1)[:, None], np.arange(n)[:, None]
    # another rate about the middle, and a shift: frames between two are interpolated
    rate = np.exp(rng.uniform(-RATE, RATE, (n, 1)))
    middle, shift = (ends - 1) / 2, rng.uniform(-SHIFT, SHIFT, (n, 1))
    at = np.clip(middle + (np.arange(T) - middle) * rate + shift, 0, ends - 1)
    before = at.astype(int)
    after, share = np.minimum(before + 1, ends - 1), (at - before)[:, :, None]
    out = (1 - share) * x[rows, before] + share * x[rows, after]
    # loudness, and a few neighbouring bands that say nothing
    out += rng.normal(0, LOUDNESS, (n, 1, 1))
    width = rng.integers(0, min(MASKED, c - 1), n, endpoint=True)
    first = rng.integers(0, c - width, endpoint=True)
    band = np.arange(c)
    masked = (band >= first[:, None]) & (band < (first + width)[:, None])
    level = (out * live[:, :, None]).sum(axis=(1, 2)) / (c * ends[:, 0])
    out = np.where(masked[:, None], level[:, None, None], out)
    return (out * live[:, :, None]).astype(np.float32)


def recipe(epochs: int = 20) -> Recipe:
    """Return the model and its training, chosen on the validation part.

    Parameters
    ----------
    epochs : int

    Returns
    -------
    Recipe
        A cell that sees 0.12 s of each band, and one that remembers its units for 1 s.
    """
    settings = TrainSettings(
        epochs=epochs,
        batch=50,
        learning_rate=0.003,
        schedule="cosine",
        noise=0.1,
        weight_decay=0.01,
        keep="last",
    )
    spikes = {"n_neurons": 10_000, "presentation": FRAME}
    cells: dict[str, Any] = {"memories": BANDS, "front": (3, 40, 12)}
    return Recipe(5, 80, 100, settings, spikes, normalised=True, **cells)


def trained_spoken(
    data: Sequences, seed: int, epochs: int | None = None, out=None, name: str = "lmu"
) -> tuple[LMUParams, dict]:
    """Train on the training part; return the parameters and a row.

    Parameters
    ----------
    data : Sequences
        From `sequences`.
    seed : int
        Of the initial parameters, the batches, the augmentation and the noise.
    epochs : int, optional
        Those of the recipe by default.
    out : path-like, optional
        Folder of the checkpoint, ``parts/NAME.npz``.
    name : str

    Returns
    -------
    params : LMUParams
    row : dict
        With ``rate_accuracy`` on the test part.
    """
    from lmu_spiking.training import evaluate

    chosen = recipe() if epochs is None else recipe(epochs)
    chosen = replace(chosen, settings=replace(chosen.settings, seed=seed))
    made = train_kept(chosen, data, seed, out, name)
    right = evaluate(made.params, data.test, data.classes)
    row = {"seed": seed, "rate_accuracy": right, "trained_on": len(data.train) // 2}
    row |= {"tested_on": len(data.test), "epochs": len(made.history)}
    return made.params, row | {"seconds": made.seconds, "params": made.params.n_params}


# -- decisions while it is said ------------------------------------------------------


def streamed(conversion: Conversion, spoken: Spoken, chosen) -> tuple[list, dict]:
    """Play recordings as a microphone would, and decide with every frame in spikes.

    Blocks of 10 ms go into the bands and, once there are 25 ms, into the network.

    Parameters
    ----------
    conversion : Conversion
    spoken : Spoken
    chosen : (k,) array_like of int
        Recordings.

    Returns
    -------
    outputs : list of (frames, 10) ndarray
        Of each recording.
    row : dict
        Seconds of ``latency`` by cause, ``real_time_factor`` (sound over computing
        time, bands included) and ``spikes`` a second.
    """
    block, outputs = round(FRAME * spoken.rate), []
    sound, computing, slowest = 0.0, 0.0, 0.0
    with ModelStream(conversion) as stream:
        for i in chosen:
            bank, parts = MelStream(spoken.rate), []
            for first in range(0, len(spoken.audio[i]), block):
                began = time.perf_counter()
                frames = bank.push(spoken.audio[i][first : first + block])
                parts.append(stream.push(frames).outputs)
                spent = time.perf_counter() - began
                computing, slowest = computing + spent, max(slowest, spent)
            outputs.append(np.concatenate([*parts, stream.finish().outputs]))
            sound += len(spoken.audio[i]) / spoken.rate
        latency, simulated = stream.latency, stream.seconds * stream.real_time_factor
        rate = stream.spikes / simulated
    row = {
        "recordings": len(outputs),
        "readout_latency": latency.readout,
        "block_latency": FRAME,
        "computation_latency": slowest,
        "computation_mean": computing / (sound / FRAME),
        "real_time_factor": sound / computing,
        "spikes_per_s": rate,
    }
    return outputs, row


def heard_rows(outputs, digits) -> list[dict]:
    """Return the accuracy by the time that has been heard of each recording.

    Parameters
    ----------
    outputs : list of (frames, 10) ndarray
    digits : (k,) array_like of int
        Those that were said.

    Returns
    -------
    list of dict
        ``heard`` (seconds of sound; None for whole recordings), ``accuracy`` and
        ``ended``, the share of the recordings that are no longer than that and count
        with their last decision.
    """
    rows, lengths = [], np.array([len(each) for each in outputs])
    for heard in (*HEARD, None):
        frames = np.inf if heard is None else round((heard - HEARING) / FRAME + 1)
        last = np.minimum(frames, lengths).astype(int) - 1
        said = [each[at].argmax() for each, at in zip(outputs, last, strict=True)]
        right = float(np.mean(np.array(said) == np.asarray(digits)))
        ended = float(np.mean(lengths <= frames))
        rows.append({"heard": heard, "accuracy": right, "ended": ended})
    return rows


def rate_outputs(params: LMUParams, spoken: Spoken, chosen) -> list[np.ndarray]:
    """Return the rate-based outputs at each frame of recordings.

    Parameters
    ----------
    params : LMUParams
    spoken : Spoken
    chosen : (k,) array_like of int

    Returns
    -------
    list of (frames, 10) ndarray
    """
    return [forward(params, spoken.bands[i][None])[0] for i in chosen]
