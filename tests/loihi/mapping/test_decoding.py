import numpy as np
import pytest
from scipy.signal import lfilter

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.dynamics.mapping import map_onto
from lmu_spiking.loihi.chip.integers import effective_tau, synaptic_decay
from lmu_spiking.loihi.mapping.curves import (
    chip_neurons,
    choose_curves,
    measure_decoders,
)
from lmu_spiking.memory.basis import band_moments

DT, TAU, STEPS, LEAD = 0.001, 0.05, 30_000, 200


def measured(kind, target, order=2, n_neurons=36, seed=0):
    ldn = LDN(order, 0.2)
    mapped = map_onto(ldn, effective_tau(TAU, DT, target), DT)
    moments = band_moments(ldn, DT, 2.0, 0.5)
    rng = np.random.RandomState(seed)
    neurons = chip_neurons(kind, target)
    curves = choose_curves(ldn, mapped, DT, moments, n_neurons, neurons, rng)
    a = synaptic_decay(TAU, DT, target)
    x = lfilter([1.0], [1.0, -0.99], rng.randn(STEPS, order), axis=0)
    x *= curves.radii / 4 / x.std(axis=0)
    return curves, x, measure_decoders(curves, x, a, DT, target, rng, LEAD), a


@pytest.mark.parametrize(
    "kind, target",
    [
        ("if", "core"),
        ("if", "emulator"),
        pytest.param("lif", "core", marks=pytest.mark.slow),
        pytest.param("lif", "emulator", marks=pytest.mark.slow),
    ],
)
def test_decoders_are_unbiased_on_what_did_not_make_them(kind, target):
    curves, x, found, a = measured(kind, target)
    held = x[LEAD + (len(x) - LEAD) // 2 :]
    smooth = [
        lfilter([1 - a], [1, -a], s, axis=0) for s in (held + found.residual, held)
    ]
    decoded, wanted = (s[LEAD:] for s in smooth)
    slopes = np.sum(decoded * wanted, axis=0) / np.sum(wanted**2, axis=0)
    np.testing.assert_allclose(slopes, 1.0, atol=0.02)
    offset = (decoded - wanted).mean(axis=0) / curves.radii
    assert np.abs(offset).max() < 0.02


@pytest.mark.parametrize("kind", ["if", "lif"])
def test_what_is_kept_of_the_activities(kind):
    curves, x, found, _ = measured(kind, "emulator")
    columns = np.sort(np.concatenate([of for of, _ in found.parts]))
    np.testing.assert_array_equal(columns, np.arange(36))
    for i, (of, gram) in enumerate(found.parts):
        assert (curves.dimension[of] == i).all()
        np.testing.assert_allclose(gram, gram.T)
        assert np.linalg.eigvalsh(gram).min() > 0
    assert found.residual.shape == (len(x) - LEAD - (len(x) - LEAD) // 2, 2)
    assert (found.slopes > 0).all() and (found.activities >= 0).all()
    # a rate rises from 0 at -radius by about max_rate / 2 for a radius
    rise = found.slopes * curves.gain
    assert (20 < rise).all() and (rise < 120).all()


def test_the_decoded_value_is_unbiased_on_what_made_the_decoders():
    # E[D p x^T] = E[x x^T]: an identity, by the second step
    _, x, found, a = measured("if", "simreal")
    stride = max(1, round(-0.1 / np.log(a)))
    keep = np.arange(LEAD, LEAD + (len(x) - LEAD) // 2, stride)
    wanted = lfilter([1 - a], [1, -a], x, axis=0)[keep]
    decoded = found.activities @ found.decoders.T
    np.testing.assert_allclose(
        decoded.T @ wanted, wanted.T @ wanted, rtol=1e-6, atol=1e-6 * np.sum(wanted**2)
    )
