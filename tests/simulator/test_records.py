"""Records keep the samples that Nengo would keep, in the order of the steps."""

import pickle

import nengo
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmu_spiking import Simulator
from lmu_spiking.errors import ValidationError
from lmu_spiking.simulator.records import Record


@given(
    st.floats(0.3, 40.0),
    st.lists(st.integers(0, 50), min_size=1, max_size=8),
)
def test_samples_of_pieces_are_those_of_the_whole(period, pieces):
    record = Record((1,), None, period, np.float32)
    steps = np.arange(1, sum(pieces) + 1)
    first, counts = 0, []
    for n in pieces:
        counts.append(record.samples_in(first, n))
        first += n
    assert sum(counts) == np.count_nonzero(steps % period < 1)


@pytest.mark.parametrize("trials", [None, 1, 3])
def test_blocks_follow_each_other(trials):
    record = Record((2, 3), trials, 1.0, np.float64)
    blocks = np.arange((trials or 1) * 9 * 6.0).reshape(trials or 1, 9, 6)
    for a, b in ((0, 4), (4, 4), (4, 9)):
        record.append(blocks[:, a:b])
    assert len(record) == 9
    found = record.array()
    expected = blocks.reshape(-1, 9, 2, 3)
    assert np.array_equal(found, expected if trials else expected[0])
    assert not found.flags.writeable
    record.clear()
    assert len(record) == 0
    assert record.array().shape == (() if trials is None else (trials,)) + (0, 2, 3)
    assert record.array().dtype == np.float64


@given(
    st.sampled_from([None, 2]),
    st.lists(
        st.one_of(
            st.integers(0, 90),
            st.slices(30),
            st.just(slice(None)),
        ),
        max_size=8,
    ),
)
def test_a_record_is_the_list_that_nengo_has(trials, what):
    """Samples come (a number) and are deleted (a slice)."""
    record, expected, count = Record((2,), trials, 1.0, np.float64), [], 0
    for entry in what:
        held, copy = record.array(), record.array().copy()
        if isinstance(entry, slice):
            del record[entry]
            del expected[entry]
        else:
            block = np.arange(count, count + 2.0 * entry * (trials or 1))
            block = block.reshape(trials or 1, entry, 2)
            record.append(block)
            expected += list(np.moveaxis(block, 1, 0))
            count += block.size
        assert np.array_equal(held, copy)
        assert len(record) == len(expected)
        samples = [x if trials else x[0] for x in expected]
        assert np.array_equal(list(record), samples)
        for part in (slice(None), slice(-3, None), slice(1, 9, 2)):
            assert isinstance(record[part], list)
            assert np.array_equal(record[part], samples[part])
        if samples:
            assert np.array_equal(record[-1], samples[-1])
            assert np.array_equal(np.asarray(record)[..., -1, :], samples[-1])
        else:
            with pytest.raises(IndexError):
                record[-1]
    again = pickle.loads(pickle.dumps(record))
    assert np.array_equal(again.array(), record.array()) and len(again) == len(record)


@pytest.mark.parametrize("trials", [None, 2])
def test_samples_are_taken_away_one_by_one(trials):
    """A viewer keeps the last hundred samples."""
    record = Record((1,), trials, 1.0, np.float64)
    record.append(np.arange(5.0 * (trials or 1)).reshape(trials or 1, 5, 1))
    expected = record.copy()
    assert isinstance(expected, list)
    for index in (0, -1, 1):
        assert np.array_equal(record.pop(index), expected.pop(index))
        assert np.array_equal(record.copy(), expected)
    with pytest.raises(IndexError):
        record.pop(2)
    assert len(record) == 2


@pytest.mark.parametrize("trials", [None, 2])
def test_samples_are_replaced_and_compared_as_those_of_a_list(trials):
    record = Record((2,), trials, 1.0, np.float64)
    record.append(np.arange(10.0 * (trials or 1)).reshape(trials or 1, 5, 2))
    expected, seen = record.copy(), record.array()
    before = seen.copy()
    assert record == expected and record != expected[1:] and record != 3
    assert np.array_equal(record + expected[:1], expected + expected[:1])
    assert np.array_equal(expected[:1] + record, expected[:1] + expected)
    record[1] = expected[1] = -expected[1]
    record[-2:] = expected[-2:] = [-2 * x for x in expected[-2:]]
    assert record == expected
    assert np.array_equal(seen, before)
    with pytest.raises(ValidationError, match=r"sim.data.raw: \(3,\) does not replace"):
        record[0] = np.ones(3)
    with pytest.raises(ValidationError, match="'1 samples' does not replace 2"):
        record[:2] = expected[:1]
    if trials:  # an array of all samples has the trials first
        with pytest.raises(ValidationError, match="does not replace 5 samples"):
            record[:] = record.array()
    record[:] = record
    assert record == expected == record
    with pytest.raises(IndexError):
        record[7] = expected[0]
    with pytest.raises(ValidationError, match="cannot add samples"):
        record += expected


def test_what_is_written_to_a_sample_is_not_lost_in_silence():
    record = Record((2,), None, 1.0, np.float64)
    record.append(np.ones((1, 3, 2)))
    for sample in (record[0], record[:][1], record.pop()):
        with pytest.raises(ValueError, match="read-only"):
            sample[0] = 9.0


@pytest.mark.parametrize("every", [None, 0.003])
def test_raw_samples_as_a_viewer_takes_them(every):
    """NengoGUI's plots of voltages copy the list, and delete what was in it."""
    with nengo.Network(seed=1) as model:
        ens = nengo.Ensemble(10, 1)
        probe = nengo.Probe(ens.neurons, "voltage", sample_every=every)
        other = nengo.Probe(ens)
    seen = []
    for make in (nengo.Simulator, Simulator):
        options = {} if make is nengo.Simulator else {"dtype": "float64"}
        with make(model, progress_bar=False, **options) as sim:
            taken = []
            for n in (1, 1, 5, 2, 70, 1):
                sim.run_steps(n)
                raw = sim.data.raw[probe]
                taken.append(raw[:])
                del sim.data.raw[probe][:]
                assert len(raw) == 0 and len(sim.data[probe]) == 0
            assert sim.data[other].shape == (80, 1)
            seen.append([np.reshape(x, (-1, 10)) for x in taken])
    for a, b in zip(*seen, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-10)
