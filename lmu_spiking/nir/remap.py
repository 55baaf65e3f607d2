r"""Loops drawn as differential equations, as the step of a simulator needs them.

A leak with its loop, ``tau dx/dt = -x + A' x + B' u``, is the system
``dx/dt = K x + L u`` with ``K = (A' - I) / tau``.  Nengo's discrete loop is that system
held over a step if (Principle 3)

.. math::

    A'_{dt} = (e^{K dt} - a I) / (1 - a), \qquad
    B'_{dt} = \int_0^{dt} e^{K s} ds\, L / (1 - a), \qquad a = e^{-dt / \tau}.
"""

from dataclasses import replace

import numpy as np
from scipy.linalg import expm

from lmu_spiking.errors import ValidationError, check_positive
from lmu_spiking.nir.arrays import matrix, noted, number
from lmu_spiking.nir.parts import Clock


def remapped(nodes, clock: Clock) -> dict:
    """The nodes of a graph; those of continuous loops as the step needs them."""
    nodes = dict(nodes)
    if clock.discrete:
        return nodes
    for name, node in list(nodes.items()):
        role = noted(node).get("role")
        if not isinstance(role, str) or role != "recurrent":
            continue
        into = name.removesuffix("recurrent") + "input_weights"
        linear = all(type(nodes.get(one)).__name__ == "Linear" for one in (name, into))
        if not linear or "tau" not in noted(node):
            raise ValidationError(
                "from_nir.source",
                name,
                f"is a loop that needs two Linear nodes, itself and {into}, and a tau",
                "draw the graph anew with to_nir",
            )
        tau = check_positive(
            f"from_nir.{name}.metadata.tau", number(noted(node)["tau"]), "seconds"
        )
        weights = {}
        for one in (name, into):
            try:
                weights[one] = matrix(nodes[one].weight)
            except ValidationError as error:
                raise ValidationError(f"from_nir.{one}", "Linear", str(error)) from None
        A, B = weights[name], weights[into]
        if not A.shape[0] == A.shape[1] == B.shape[0]:
            raise ValidationError(
                f"from_nir.{name}",
                A.shape,
                f"must be square, with the {B.shape[0]} rows of {into}",
                "draw the graph anew with to_nir",
            )
        A, B = _held(A, B, tau, clock.dt)
        nodes[name] = replace(node, weight=A)
        nodes[into] = replace(nodes[into], weight=B)
    return nodes


def _held(A, B, tau: float, dt: float):
    """``A', B'`` of the discrete loop, from those of the continuous one."""
    d, k = B.shape
    system = np.zeros((d + k, d + k))
    system[:d, :d] = (A - np.eye(d)) / tau
    system[:d, d:] = B / tau
    step = expm(system * dt)
    kept = -np.expm1(-dt / tau)
    return (step[:d, :d] - (1 - kept) * np.eye(d)) / kept, step[:d, d:] / kept
