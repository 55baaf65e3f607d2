"""The window that stored matrices ``Ad, Bd`` hold, if they are an LDN's at all."""

import numpy as np

from lmu_spiking.dynamics.ldn import LDN
from lmu_spiking.errors import ParamsFileError

MOST_ORDER = 512  # a matrix exponential of it takes 0.2 s
TOLERANCE = 1e-5  # of the largest number; single precision leaves 1e-7


def check_zoh(name: str, Ad: np.ndarray, Bd: np.ndarray, theta: float) -> None:
    """Refuse matrices that are not the zero-order hold of an LDN of ``theta`` steps."""
    d = len(Bd)
    if d <= MOST_ORDER and Ad.shape == (d, d) and theta > 0:
        for ours, theirs in zip(LDN(d, theta).discretize(1.0), (Ad, Bd), strict=True):
            if not np.abs(ours - theirs).max() <= TOLERANCE * np.abs(ours).max():
                break
        else:
            return
    raise ParamsFileError(
        f"layer {name}: its A and B {Ad.shape}, {Bd.shape} are not those of a Legendre "
        f"delay network of {theta:g} steps (trained, or of another kind or "
        "discretisation); keep them fixed and train again"
    )


def theta_of(name: str, Ad: np.ndarray, Bd: np.ndarray) -> float:
    r"""Steps of the window whose zero-order hold is ``Ad, Bd``.

    The mean of the window moves by ``1/theta`` for an impulse, nearly, so that
    ``theta`` starts at ``1/Bd_0``; Newton's steps on ``h = 1/theta`` follow, with
    ``d\bar B/dh = \bar A(h) B``.  Where a whole or half number of steps fits as well,
    it is taken.

    Raises
    ------
    ParamsFileError
        If they are the matrices of no Legendre delay network.
    """
    d = len(Bd)
    h = float(Bd[0])
    scale = np.sqrt(2.0 * np.arange(d) + 1)
    B = LDN(d, 1.0).B / scale
    if not _held(Ad, Bd):
        h = 0.0
    for _ in range(8):  # the error is squared in each
        if not 0 < h < 1e6:
            break
        A_h, B_h = LDN(d, 1 / h).discretize(1.0)
        slope = (A_h * scale / scale[:, None]) @ B
        step = float(((Bd - B_h) / scale) @ slope / (slope @ slope))
        h += step
        if abs(step) <= 1e-12 * abs(h):
            break
    theta = 1 / h if 0 < h < np.inf else 0.0
    half = round(2 * theta) / 2 if theta < 1e9 else 0.0
    if abs(half - theta) <= 1e-6 * theta:
        theta = half
    check_zoh(name, Ad, Bd, theta)
    return theta


def _held(Ad: np.ndarray, Bd: np.ndarray) -> bool:
    """Return whether ``A Bd = (Ad - I) B``, which holds for every window."""
    d = len(Bd)
    if not 0 < d <= MOST_ORDER or Ad.shape != (d, d):
        return False
    ldn, change = LDN(d, 1.0), Ad - np.eye(d)
    size = np.abs(ldn.A) @ np.abs(Bd) + np.abs(change) @ np.abs(ldn.B)
    return bool((np.abs(ldn.A @ Bd - change @ ldn.B) <= 1e-4 * size).all())
