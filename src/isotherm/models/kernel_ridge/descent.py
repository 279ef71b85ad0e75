"""Least loss of some dozens of variables: L-BFGS on a cheap loss, then a few steps of BFGS on the dear one.

What a loss on a part of the items knows best is its curvature, which that on all items shares: the inverse
Hessian of the former makes two or three steps on the latter worth a dozen.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy.optimize import minimize

from isotherm.linalg.cholesky import NotPositiveDefiniteError
from isotherm.progress import Advance
from isotherm.types import Float64

_PENALTY = 1e-3  # on the distance from where the descent began: decides where the data does not
_SHORTER = 0.25  # a step that gains nothing is tried again, so much of it
_TRIALS = 4
_CURVED = 1e-12  # curvature along a step, below which it teaches nothing

Loss: TypeAlias = Callable[[Float64], tuple[float, Float64]]  #: of x: the loss and its gradient


@dataclass(frozen=True, eq=False)
class Minimum:
    """x, and the inverse of the Hessian there as the steps have shown it, (n, n)."""

    x: Float64
    inverse_hessian: Float64


@dataclass(frozen=True, eq=False)
class Box:
    """Bounds of x, and what its first numbers are drawn to.

    bounds: (n, 2).  anchor: (n,), within the bounds.  n_drawn: so many of x, the first ones, are drawn to it.
    """

    bounds: Float64
    anchor: Float64
    n_drawn: int

    @classmethod
    def around(cls, start: Float64, bounds: Float64, n_drawn: int) -> "Box":
        """The anchor is the start, as far as the bounds allow."""
        return cls(bounds, np.clip(start, *bounds.T), n_drawn)

    def penalized(self, loss: Loss) -> Loss:
        """With the penalty; infinite where a kernel has no Cholesky factor."""

        def penalized(x: Float64) -> tuple[float, Float64]:
            try:
                value, gradient = loss(x)
            except NotPositiveDefiniteError:
                return np.inf, np.zeros_like(x)
            distance = x - self.anchor
            distance[self.n_drawn :] = 0
            gradient = gradient + (2 * _PENALTY / self.n_drawn) * distance
            return value + _PENALTY / self.n_drawn * float(distance @ distance), gradient

        return penalized


def descend(loss: Loss, box: Box, steps: int, advance: Advance) -> Minimum:
    """By so many steps of L-BFGS from the anchor.  advance: told of each."""
    solution = minimize(
        box.penalized(loss),
        box.anchor,
        jac=True,
        method="L-BFGS-B",
        bounds=box.bounds,
        options={"maxiter": steps, "maxcor": max(steps, 1)},
        callback=lambda x: advance(1),
    )
    return Minimum(np.asarray(solution.x), np.asarray(solution.hess_inv.todense()))


def refine(loss: Loss, box: Box, found: Minimum, steps: int) -> Float64:
    """From the minimum of a like loss, so many steps of BFGS with the curvature found there."""
    penalized = box.penalized(loss)
    x, inverse = found.x, found.inverse_hessian
    value, gradient = penalized(x)
    for _ in range(steps):
        trials = (np.clip(x - _SHORTER**n * (inverse @ gradient), *box.bounds.T) for n in range(_TRIALS))
        for tried in trials:
            tried_value, tried_gradient = penalized(tried)
            if tried_value < value:
                break
        else:
            return x
        inverse = _updated(inverse, tried - x, tried_gradient - gradient)
        x, value, gradient = tried, tried_value, tried_gradient
    return x


def _updated(inverse: Float64, step: Float64, change: Float64) -> Float64:
    """The inverse Hessian once a step has changed the gradient (BFGS)."""
    curvature = float(step @ change)
    if curvature <= _CURVED:
        return inverse
    solved = inverse @ change
    both = np.outer(solved, step)
    updated: Float64 = inverse + (1 + change @ solved / curvature) / curvature * np.outer(step, step)
    updated -= (both + both.T) / curvature
    return updated
