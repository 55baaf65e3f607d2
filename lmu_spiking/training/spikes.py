r"""Training through spikes: spikes forward, the gradient of their mean backward.

A conversion says which neurons a model is given (`conversion.ConvertSettings`).  Here
the spikes of these neurons are computed step by step while the model is trained, so
that a small network learns with the very errors that it will make.

The exact state ``m`` of a memory and what spikes have added to it are computed side by
side, as in the error model (`theory.fixed_point`).  In step ``k``

.. math::

    x_k = T m_k + N Z_k, \qquad Z_{k+1} = K Z_k + L (s(x_k) - x_k), \qquad
    \hat m_k = m_k + U C Z_k .

``x`` is what the neurons receive, in their own basis (``T`` leads into it, ``U`` out of
it), ``Z`` the error that goes round the loop of ``K``, ``L``, ``C`` and ``N``
(`dynamics.covariance.closed_loop`), and ``s(x)`` what the spikes of this step decode
to.  Each dimension has on/off pairs, of which one spike decodes to ``w`` or ``-w``.
Poisson neurons of a dimension draw ``\mathrm{Poisson}(|x| / w)`` spikes.  The staggered
neurons of one side add ``|x| / w`` to one accumulator and spike whenever it passes 1.

Hidden units spike in the same way, at the rates of ``f(J)``.  What receives a unit (the
next cell, ``e_h``, ``W_h``) counts its spikes during a whole presentation.  The readout
counts those of the first step, or of as many steps as its lowpass averages.

Spikes have no derivative.  But all of these neurons have the mean that the rate-based
model computes, so that a spiking value ``s`` becomes ``x + r (s - x)`` with the bracket
held constant, and its gradient is that of the mean at the noisy state: a memory's
spikes pass the gradient of the exact memory, and a unit's spikes ``f'(J)`` at the drive
that it received.  ``r`` is 1 and follows the size of the noise: in proportion to a
state's rms or to a unit's mean activity, since a conversion fits the worth of a spike
to them, and with the root of an activity where numbers are Poisson.  Without it a
training makes activities larger to escape noise that follows them: the loss rose.

Letters: ``n`` sequences, ``T`` samples, ``p`` steps of a presentation, ``k`` memories,
``d`` order, ``z`` states of a loop.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np

from lmu_spiking.conversion.conversion import Conversion, convert
from lmu_spiking.conversion.settings import ConvertSettings
from lmu_spiking.dynamics.covariance import closed_loop
from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import ValidationError
from lmu_spiking.lmu.params import LMUParams
from lmu_spiking.training._jax import jax, jnp, lax
from lmu_spiking.training.chip import curve_of
from lmu_spiking.training.model import (
    arrays_of,
    driven,
    encoded,
    last_of,
    loss_of,
    mean_within,
)
from lmu_spiking.training.settings import TrainSettings, check_without

DRAWN = ("poisson",)  # types whose spikes are drawn; staggered ones are counted
SEEN = 200  # sequences that a conversion is designed for
# the largest mean whose Poisson numbers are drawn by inversion, and the number at which
# inversion ends: more have a chance below 1e-20
FEW, MOST = 40.0, 120.0


class SpikingEngine:
    """Outputs and gradients of an LMU through the spikes of its conversion.

    Each epoch begins with the conversion of its first weights (`begin_epoch`), whose
    neurons and decoders stay the same until the next one.

    Parameters
    ----------
    params : LMUParams
    settings : TrainSettings
        Without noise, crops, errors of a chip and trained windows.
    spikes : ConvertSettings
        Of Poisson neurons, or of staggered ``"if"`` or ``"regular"`` ones.
    data : Sequences
        The task, for whose training sequences the memories are designed.

    Attributes
    ----------
    names, thetas : tuple of str
        The names of all that is trained, and of the windows among it: none.

    Raises
    ------
    ValidationError
        If these neurons are none of those, or a setting has no place here.
    """

    def __init__(
        self, params: LMUParams, settings: TrainSettings, spikes: ConvertSettings, data
    ):
        _check(params, settings, spikes)
        self.params, self.settings, self.spikes = params, settings, spikes
        self.names, self.thetas = settings.names(params), ()
        self.dtype = np.dtype(settings.precision)
        self._data, self._loops = data, []
        curves = tuple((cell.activation, cell.chip) for cell in params.cells)
        self._static = {"curves": curves, "steps": spikes.steps, "last": data.last}
        self._static |= {"staggered": spikes.staggered, "mixes": spikes.kept > 0}

    def close(self) -> None:
        """Do nothing: there is nothing to free."""

    def begin_epoch(self, weights: Mapping) -> None:
        """Design the spiking network of these weights.

        Parameters
        ----------
        weights : mapping of str to array
        """
        params = self.params.updated({k: np.asarray(w) for k, w in weights.items()})
        x = self._data.train.x
        every, ends = max(1, len(x) // SEEN), self._data.train.lengths
        x = x[::every][:SEEN].astype(float)  # as `convert` takes them
        ends = None if ends is None else ends[::every][:SEEN]
        how = {"last": self._data.last, "lengths": ends}
        made = convert(params, x, **how, **vars(self.spikes))
        self._loops = [
            {name: jnp.asarray(a, dtype=self.dtype) for name, a in loop.items()}
            for loop in loops_of(made)
        ]

    def features(self, x: np.ndarray, lengths=None) -> dict[str, np.ndarray]:
        """Return what the gradients are computed from: the inputs, normalised.

        Parameters
        ----------
        x : (n, T, c) array_like
        lengths : (n,) ndarray of int, optional
            Steps of each sequence, which is padded at its end.

        Returns
        -------
        dict of str to ndarray
            ``x``, and ``lengths`` where they are given.
        """
        x = self.params.normalised(np.asarray(x, dtype=float)).astype(self.dtype)
        return {"x": x} if lengths is None else {"x": x, "lengths": np.asarray(lengths)}

    def gradients(self, weights: Mapping, features: Mapping, y, step_weights, rng):
        """Return the loss, and its derivative by all that is trained.

        Parameters
        ----------
        weights, features, y, step_weights
            As in `engine.JaxEngine.gradients`.
        rng : numpy.random.Generator
            Draws the spikes.

        Returns
        -------
        loss : scalar array
            Of the batch.
        gradients : dict of str to array
            By name.
        """
        y = y if y.dtype.kind in "iu" else y.astype(self.dtype)
        moving, others = self._sorted(weights)
        if step_weights is not None:
            step_weights = step_weights.astype(self.dtype)
        penalty = self.dtype.type(self.settings.rate_penalty)
        rest = self._key(rng), y, penalty, step_weights
        options = self._static | {"classes": self._data.classes}
        loss, slopes = _loss(
            moving, others, self._loops, self._kept, dict(features), rest, **options
        )
        return loss, {name: slopes[name] for name in self.names}

    def outputs(self, weights: Mapping, features: Mapping, batch: int = 100):
        """Return the outputs that spikes give: (n, T, q), or (n, q) at the last step.

        Parameters
        ----------
        weights, features
            As in `gradients`.
        batch : int
            Sequences at a time.

        Returns
        -------
        ndarray
            The same in every call for the same weights and neurons, since the seed of
            the settings draws the spikes anew.
        """
        moving, others = self._sorted(weights)
        rng, found = np.random.default_rng(self.settings.seed), []
        for i in range(0, len(features["x"]), batch):
            some = {name: value[i : i + batch] for name, value in features.items()}
            given = self._loops, self._kept, some
            y = _outputs(moving | others, *given, self._key(rng), **self._static)[0]
            found.append(np.asarray(y))
        return np.concatenate(found)

    @property
    def _kept(self):
        """Return the share of earlier samples in an output, as a number of JAX's."""
        return self.dtype.type(self.spikes.kept)

    def _key(self, rng: np.random.Generator):
        """Return a key of JAX that a generator draws."""
        return jax.random.PRNGKey(int(rng.integers(2**31)))

    def _sorted(self, weights: Mapping) -> tuple[dict, dict]:
        """Return the arrays that are trained, and the others."""
        arrays = {k: jnp.asarray(w, dtype=self.dtype) for k, w in weights.items()}
        moving = {name: arrays.pop(name) for name in self.names}
        return moving, arrays


def loops_of(conversion: Conversion) -> list[dict[str, np.ndarray]]:
    """Return the matrices and numbers that the spikes of each cell follow.

    Parameters
    ----------
    conversion : Conversion

    Returns
    -------
    list of dict of str to ndarray
        Of each cell:

        - ``A``, ``B``: the exact memory, from sample to sample;
        - ``A_step``, ``B_step``: the same from step to step of a presentation;
        - ``K``, ``L``, ``N``, ``T`` and ``out`` (``U C``): the loop of the error;
        - ``worth`` (k, d): ``w``, the value that a spike stands for;
        - ``radii`` (k, d): values beyond which the neurons clip;
        - ``per_sample``, ``per_read`` (units,): the spikes of a unit of activity 1 in a
          presentation, and in the steps that the readout averages.
    """
    params, s, found = conversion.params, conversion.settings, []
    for i, cell in enumerate(params.cells):
        design, hidden = conversion.memories[i], conversion.hidden[i]
        (k, d), p = (cell.memory_d, cell.order), design.population
        A, B = cell.ldn.discretize(params.dt)
        longer = LDN(d, cell.theta * s.steps * s.dt / params.dt)
        A_step, B_step = longer.discretize(s.dt)
        K, L, C, N = closed_loop(design.loop)
        # the mean worth of a spike on either side
        worth = np.bincount(p.dimension, np.abs(p.decoders)) / s.dt
        worth = worth / np.bincount(p.dimension)
        bounded = np.isfinite(p.ceiling).all()
        radii = p.radii if bounded else np.full(k * d, np.inf)
        top = 1.0 if cell.activation == "tanh" else conversion.uses[i].top
        per_step = hidden.per_unit // cell.sides * hidden.max_rate / top * s.dt
        per_step = np.broadcast_to(per_step, (cell.units,))
        loop = {"A": A, "B": B, "A_step": A_step, "B_step": B_step}
        loop |= {"K": K, "L": L, "N": N, "T": design.T, "out": design.U @ C}
        loop |= {"worth": worth.reshape(k, d), "radii": np.reshape(radii, (k, d))}
        loop |= {"per_sample": per_step * s.steps, "per_read": per_step * s.steps_read}
        found.append(loop)
    return found


def _check(params: LMUParams, settings: TrainSettings, spikes: ConvertSettings) -> None:
    """Refuse neurons whose spikes are not known, and settings that have no place."""
    if spikes.neuron_type not in DRAWN and not spikes.staggered:
        problem = "has spikes that training does not know"
        remedy = "use 'poisson', or staggered 'if' or 'regular'"
        raise ValidationError("spikes.neuron_type", spikes.neuron_type, problem, remedy)
    if spikes.staggered and any(cell.chip is not None for cell in params.cells):
        problem, remedy = "are not staggered on a chip", "use 'poisson'"
        raise ValidationError("spikes.initial_phases", "staggered", problem, remedy)
    names = ("noise", "noise_covariance", "crop", "late", "stretch", "trainable_theta")
    check_without(settings, names, "has no place beside spikes", "leave it out, or 0")


# -- compiled once for all engines of the same shapes ----------------------------------


def _run(arrays, loops, kept, inputs, key, curves, steps, last, staggered, mixes):
    """Return outputs, and the mean activity of the hidden units."""
    activity, at_end = 0.0, last and not mixes
    x, ends = inputs["x"], inputs.get("lengths")
    # the steps of each sequence (n, T, 1), where they differ
    alive: Any = None
    if ends is not None:
        alive = (jnp.arange(x.shape[1])[None] < ends[:, None])[:, :, None]
    for i, (curve, loop) in enumerate(zip(curves, loops, strict=True)):
        final = i == len(curves) - 1
        run_key, fire_key = jax.random.split(jax.random.fold_in(key, i))
        exact, received = _cell(
            curve_of(*curve),
            arrays_of(arrays, i),
            loop,
            x,
            run_key,
            steps,
            staggered,
            final and at_end,
            ends,
            alive,
        )
        some = alive if exact.shape[1] == inputs["x"].shape[1] else None
        if final:  # the readout receives the spikes of a step
            received = _fired(fire_key, exact, loop["per_read"], staggered, some)
        elif received is None:
            received = _fired(fire_key, exact, loop["per_sample"], staggered, some)
        x, size = received, jnp.abs(exact)
        if last and final:
            size = size if some is None and ends is not None else last_of(size, ends)
            activity = activity + jnp.mean(size)
        elif some is not None:
            activity = activity + jnp.mean(mean_within(size, ends, axis=(0, 1)))
        else:
            activity = activity + jnp.mean(size)
    y = x @ arrays["readout.D"].T + arrays["readout.c"]
    if mixes:
        y = _mixed(y, kept, (1 - kept ** len(curves)) * arrays["readout.c"])
    if last:
        y = y[:, -1] if y.shape[1] == 1 else last_of(y, ends)
    return y, activity


def _mixed(y, kept, begin):
    """Return outputs (n, T, q) that a lowpass has mixed with earlier ones."""

    def mix(before, now):
        before = kept * before + (1 - kept) * now
        return before, before

    # until the first sample arrived, it has filtered the bias alone
    _, y = lax.scan(mix, jnp.broadcast_to(begin, y[:, 0].shape), y.swapaxes(0, 1))
    return y.swapaxes(0, 1)


STATIC = ("curves", "steps", "last", "staggered", "mixes")
_outputs = jax.jit(_run, static_argnames=STATIC)


@partial(jax.jit, static_argnames=(*STATIC, "classes"))
@jax.value_and_grad
def _loss(moving, others, loops, kept, x, rest, *, classes, **static):
    """Return the loss, and its derivatives by what moves."""
    key, y, penalty, weights = rest
    outputs, activity = _run(others | moving, loops, kept, x, key, **static)
    return loss_of(classes, outputs, y, weights) + penalty * activity


def _cell(
    f,
    own: Mapping,
    loop,
    x,
    key,
    steps: int,
    staggered: bool,
    at_end: bool,
    ends=None,
    alive=None,
):
    """Return activities (n, T, units) at noisy states, and those of a sample's spikes.

    The latter are None where the cell does not receive them itself.  Of all samples, or
    of the last one alone where nothing else counts.  ``ends`` (n,) are the lengths of
    the sequences, and ``alive`` (n, T, 1) the steps before them.
    """
    n, T, _ = x.shape
    (k, d), units = loop["worth"].shape, len(own["W_m"])
    hears_itself = bool(own.keys() & {"e_h", "W_h"})
    u_all, J_all = encoded(own, x), jnp.broadcast_to(driven(own, x), (n, T, units))

    def sample(before, now):
        # exact state, its error, accumulators, noisy state, activities of the units
        m, Z, V, read, h = before
        u, J, key, here = now
        if "e_h" in own:
            u = u + h @ own["e_h"].T
        if "e_m" in own:
            u = u + read @ own["e_m"].T
        # the exact state, and what the spikes of a presentation add to it
        of_memory, of_units = jax.random.split(key)
        Z, V = _presented(loop, m, u, Z, V, of_memory, steps, staggered)
        m = m @ loop["A"].T + u[:, :, None] * loop["B"]
        power = jnp.square(m)
        if here is not None:  # a sequence that has ended has no part in it
            power = jnp.where(here[:, :, None], power, 0.0)
        follow = _relative(jnp.sqrt(jnp.mean(power, axis=(0, 2))))
        noise = follow[:, None] * (Z @ loop["out"].T)
        read = (m + noise).reshape(n, k * d)
        if not hears_itself:
            return (m, Z, V, read, h), read
        # the units, and their spikes in a presentation
        J = J + read @ own["W_m"].T
        exact = f(J + h @ own["W_h"].T if "W_h" in own else J)
        h = _fired(of_units, exact, loop["per_sample"], staggered, here)
        return (m, Z, V, read, h), (exact, h)

    phases, run_key = jax.random.split(key)
    begin = (
        jnp.zeros((n, k, d), x.dtype),
        jnp.zeros((n, k, len(loop["K"])), x.dtype),
        jax.random.uniform(phases, (n, k, d, 2), x.dtype),
        jnp.zeros((n, k * d), x.dtype),
        jnp.zeros((n, units), x.dtype),
    )
    keys = jax.random.split(run_key, T)
    here = None if alive is None else alive.swapaxes(0, 1)
    by_sample = u_all.swapaxes(0, 1), J_all.swapaxes(0, 1), keys, here
    _, found = lax.scan(sample, begin, by_sample)
    found = jax.tree_util.tree_map(lambda a: a.swapaxes(0, 1), found)
    if hears_itself:
        return found
    read: Any = found
    if at_end:
        read, J_all = (last_of(each, ends)[:, None] for each in (read, J_all))
    return f(J_all + read @ own["W_m"].T), None


def _presented(loop: Mapping, m, u, Z, V, key, steps: int, staggered: bool):
    """Return the loop's states and voltages after a presentation, held constant."""
    m, u = lax.stop_gradient((m, u))

    def step(before, key):
        m, Z, V = before
        x = m @ loop["T"].T + Z @ loop["N"].T
        value, V = _pairs(loop, x, V, key, staggered)
        m = m @ loop["A_step"].T + u[:, :, None] * loop["B_step"]
        return (m, Z @ loop["K"].T + (value - x) @ loop["L"].T, V), None

    (_, Z, V), _ = lax.scan(step, (m, Z, V), jax.random.split(key, steps))
    return lax.stop_gradient((Z, V))


def _fired(key, exact, per, staggered: bool, alive=None):
    """Return activities decoded from spikes, ``per`` of them for an activity of 1.

    ``alive`` says which of them lie within the lengths of sequences.

    The noise has a gradient, too: spikes are worth more for units of larger activity,
    and Poisson numbers vary more where they are larger.
    """
    size, sign = jnp.abs(exact), jnp.sign(exact)
    expected = lax.stop_gradient(size * per)
    if staggered:
        number = jnp.floor(expected + jax.random.uniform(key, size.shape, size.dtype))
    else:
        number = _poisson(key, expected)
    noise = lax.stop_gradient(sign * number / per - exact)
    seen = size if alive is None else jnp.where(alive, size, 0.0)
    follow = _relative(jnp.mean(seen, axis=0))
    if not staggered:
        follow = jnp.sqrt(follow * _relative(size + 1 / per))
    return exact + follow * noise


def _relative(size):
    """Return 1 with the relative gradient of a size, or exactly 1 where that is 0."""
    there = size > 0
    size = jnp.where(there, size, 1.0)
    return size / lax.stop_gradient(size)


def _pairs(loop: Mapping, x, V, key, staggered: bool):
    """Return what the spikes of one step decode to, and the accumulators after it.

    ``x`` (n, k, d) is what the neurons receive; ``V`` (n, k, d, 2) are the accumulators
    of both sides, which Poisson neurons have no use for.
    """
    clipped = jnp.clip(x, -loop["radii"], loop["radii"])
    expected = jnp.abs(clipped) / loop["worth"]
    if not staggered:
        return jnp.sign(x) * loop["worth"] * _poisson(key, expected), V
    sides = jnp.stack(
        [jnp.where(x > 0, expected, 0), jnp.where(x < 0, expected, 0)], -1
    )
    V = V + sides
    number = jnp.floor(V)
    return loop["worth"] * (number[..., 0] - number[..., 1]), V - number


def _poisson(key, mean):
    """Return Poisson numbers of these means, as floats.

    For means up to `FEW` they come from one uniform number each, by inversion: JAX
    draws as many uniform numbers as there are spikes, which took ten times as long.
    For larger means they come from JAX.
    """
    few, many = jax.random.split(key)
    small = jnp.minimum(mean, FEW)
    # rounded sums of chances may end a little below 1
    u = jax.random.uniform(few, mean.shape, mean.dtype, maxval=1 - 4e-6)

    def unfinished(state):
        i, _, _, below = state
        return (i < MOST) & jnp.any(u > below)

    def more(state):
        i, number, p, below = state
        number = number + (u > below)
        i = i + 1
        p = p * small / i
        return i, number, p, below + p

    p = jnp.exp(-small)
    begin = jnp.zeros((), mean.dtype), jnp.zeros_like(mean), p, p
    _, number, _, _ = lax.while_loop(unfinished, more, begin)

    def large():
        drawn = jax.random.poisson(many, jnp.maximum(mean, FEW))
        return jnp.where(mean > FEW, drawn.astype(mean.dtype), number)

    return lax.cond(jnp.any(mean > FEW), large, lambda: number)
