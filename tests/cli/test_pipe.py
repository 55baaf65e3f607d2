import io

import numpy as np
import pytest

from lmu_spiking.cli.pipe import LONGEST, Raw, Recording, Text
from lmu_spiking.errors import SignalFileError, ValidationError
from lmu_spiking.signals import Signal


class Trickle(io.BytesIO):
    """A pipe from which a few bytes come at a time."""

    def read1(self, size=-1):
        return self.read(3)


def read(text, column=None, size=None, dt=None, most=1000, pipe=io.BytesIO):
    source = Text(pipe(text.encode()), column, size, dt)
    blocks = list(source.blocks(most))
    return np.concatenate(blocks).tolist(), source


@pytest.mark.parametrize("pipe", [io.BytesIO, Trickle])
@pytest.mark.parametrize(
    ("text", "column", "names", "rows"),
    [
        ("1\n2\n3.5\n", None, ["0"], [[1], [2], [3.5]]),
        ("1\r\n2\r\n3.5", None, ["0"], [[1], [2], [3.5]]),
        ("\n\n# u\n1\n\n2\n3.5\n", None, ["u"], [[1], [2], [3.5]]),
        ("\ufeffu\n1\n", None, ["u"], [[1]]),
        ("time,u\n0,1\n0.5,2\n", None, ["u"], [[1], [2]]),
        ("time;u;v\n0;1,5;2\n0,5;3;4\n", "v,u", ["v", "u"], [[2, 1.5], [4, 3]]),
        ("a\tb\n1\t2\n", "all", ["a", "b"], [[1, 2]]),
        ("1 2  3\n4 5 6\n", "all", ["0", "1", "2"], [[1, 2, 3], [4, 5, 6]]),
        ("0,1,2\n0.5,3,4\n", "1", ["1"], [[1], [3]]),
        ('"a","b"\n"1","2"\n', "b", ["b"], [[2]]),
        ("1,\n2,\n", None, ["0"], [[1], [2]]),
    ],
)
def test_lines_of_many_kinds(text, column, names, rows, pipe):
    found, source = read(text, column, pipe=pipe)
    assert (found, source.names) == (rows, names)


def test_a_model_takes_all_columns_that_it_needs():
    found, source = read("time,a,b\n0,1,2\n", size=2)
    assert (found, source.names) == ([[1, 2]], ["a", "b"])


@pytest.mark.parametrize("most", [1, 3, 100])
def test_blocks_are_no_longer_than_asked(most):
    text = "\n".join(map(str, range(10)))
    for pipe in (io.BytesIO, Trickle):
        blocks = list(Text(pipe(text.encode()), None).blocks(most))
        assert max(map(len, blocks)) <= most
        assert np.concatenate(blocks)[:, 0].tolist() == list(range(10))


def test_what_has_come_is_not_kept_back():
    """The first block is there before the second has been read."""
    file = Trickle(b"1\n2\n3\n4\n")
    blocks = Text(file, None).blocks(100)
    assert next(blocks).tolist() == [[1]]
    assert file.tell() < 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty; pipe numbers into it, or name a file with --input"),
        ("\n \n", "is empty; pipe numbers into it, or name a file with --input"),
        ("1\n2\nabc\n4\n", "line 3 has 'abc' where a finite number should be"),
        ("1\n\n2\nnan\n4\n", "line 4 has 'nan' where a finite number should be"),
        ("u\n1\n2\n-inf\n", "line 4 has '-inf' where a finite number should be"),
        ("1\n2\n1_0\n", "line 3 has '1_0' where a finite number should be"),
        ("1\n2\n3,4\n", "line 3 has '3,4' where a finite number should be"),
        ("nan\n1\n", "line 1 has 'nan' where a finite number should be"),
        ("time,u\n0,1\n0.1,2\n0.2,\n", "line 4 has 1 cells, and line 1 2"),
        ("time,u\n0,1\n0.1,2\n,3\n", "line 4 has an empty cell where a finite numbe"),
        ("a,b\n1,2\n", "holds 2 columns, a, b: choose one with column, or all"),
        ("1,2\n", "holds 2 columns, 0, 1: choose one with column, or all; without a"),
        ("time_ms,u\n0,1\n", None),
    ],
)
def test_wrong_lines(text, message):
    blocks = []
    with pytest.raises(SignalFileError) as error:
        blocks += Text(io.BytesIO(text.encode()), None).blocks(1000)
    said = str(error.value)
    assert said.startswith("standard input: ") and "\n" not in said
    if message:
        assert said.removeprefix("standard input: ").startswith(message)
    if "line 3" in said and text.startswith("1\n2"):
        assert np.concatenate(blocks).tolist() == [[1], [2]]  # what came before it


def test_the_step_of_a_column_of_time_is_held_against_the_network():
    text = "time,u\n0,1\n0.01,2\n0.02,3\n"
    assert read(text, dt=0.01)[0] == [[1], [2], [3]]
    with pytest.raises(
        SignalFileError, match=r"a step of 0.01 s, .* or use --dt 0.01$"
    ):
        read(text, dt=0.001)
    with pytest.raises(
        SignalFileError, match=r"step of 0 s, where one of 0.01 s is ex"
    ):
        read("time,u\n0,1\n0,2\n", dt=0.01)
    with pytest.raises(
        ValidationError, match="'v' is not in the file; choose one of ti"
    ):
        read(text, "v")


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_line_without_an_end(end):
    file = io.BytesIO(b"1\n" + b"1" * (2 * LONGEST) + end)
    blocks = []
    with pytest.raises(SignalFileError, match="line 2 is longer than 1,048,576 bytes"):
        blocks += Text(file, None).blocks(1000)
    assert np.concatenate(blocks).tolist() == [[1]]


@pytest.mark.parametrize("pipe", [io.BytesIO, Trickle])
def test_raw_numbers(pipe):
    x = np.random.default_rng(0).standard_normal((11, 2)).astype("<f4")
    blocks = list(Raw(pipe(x.tobytes()), 2).blocks(4))
    np.testing.assert_array_equal(np.concatenate(blocks), x)
    assert max(map(len, blocks)) <= 4
    with pytest.raises(SignalFileError, match=r"ends with 3 bytes of a sample of 8$"):
        list(Raw(pipe(x.tobytes() + b"abc"), 2).blocks(4))
    with pytest.raises(SignalFileError, match="standard input: is empty; pipe"):
        list(Raw(pipe(b""), 2).blocks(4))


def test_a_recording_at_its_own_pace():
    """A block is there when its last sample has been recorded, and not before."""
    now, slept = [100.0], []

    def sleep(seconds):
        slept.append(seconds)
        now[0] += seconds

    signal = Signal(np.arange(10.0), 0.5, "test", "made here")
    source = Recording(signal, True, clock=lambda: now[0], sleep=sleep)
    came = []
    for block in source.blocks(4):
        came.append((now[0] - 100, len(block)))
        now[0] += 0.25  # to compute it
    assert came == [(2.0, 4), (4.0, 4), (5.0, 2)]
    assert slept == [2.0, 1.75, 0.75]
    assert source.behind == 0.0
    # a slow computation falls behind, and does not sleep
    slept.clear()
    for _ in source.blocks(4):
        now[0] += 3.0
    assert slept == [2.0]
    assert source.behind == 3.0
    whole = [block.tolist() for block in Recording(signal, False).blocks(6)]
    assert whole == [[[float(i)] for i in range(6)], [[6.0], [7.0], [8.0], [9.0]]]
