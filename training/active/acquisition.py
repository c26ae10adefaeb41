"""How much a measurement is worth: expected improvement, upper confidence bound, Thompson sampling, one dial.

The dial d in [0, 1] says how much of the choice may be about learning. It widens the posterior by β = d / (1 − d): at 0
only the predicted value counts (exploitation), at 0.5 the functions are the textbook ones, at 1 only the uncertainty
counts (exploration). Objectives are maximised.
"""

from typing import Literal

import numpy as np
from scipy.stats import norm

from ionscout.datasets.errors import OutOfRange, UnknownName
from ionscout.training.active.posterior import Posterior

Method = Literal["ucb", "ei", "thompson"]
SURE = 1e-9  # decades; a smaller deviation is none
METHODS: tuple[Method, ...] = ("ucb", "ei", "thompson")


def widening(dial: float) -> float:
    """β of a dial: 0 → 0, 0.5 → 1, 1 → infinity.

    Raises:
        OutOfRange: the dial is outside [0, 1].
    """
    if not 0.0 <= dial <= 1.0:
        raise OutOfRange(f"The exploration dial is {dial}; give a number from 0 (exploit) to 1 (explore).")
    return np.inf if dial == 1.0 else dial / (1.0 - dial)


def expected_improvement(mean: np.ndarray, deviation: np.ndarray, best: float) -> np.ndarray:
    """E[max(f − best, 0)] for independent Gaussians [n]; `max(mean − best, 0)` where the deviation is 0.

    Source: Jones, Schonlau, Welch, J. Global Optim. 13, 455 (1998), equation 15.
    """
    gain = mean - best
    spread = deviation > SURE
    safe = np.where(spread, deviation, 1.0)
    u = np.clip(gain / safe, -40.0, 40.0)  # beyond, density and tail are 0 or 1 in double precision
    return np.where(spread, gain * norm.cdf(u) + safe * norm.pdf(u), np.maximum(gain, 0.0))


def upper_confidence_bound(mean: np.ndarray, deviation: np.ndarray, beta: float) -> np.ndarray:
    """mean + β · deviation [n]; β = ∞ ranks by deviation alone. Source: Srinivas et al., ICML 2010."""
    return deviation.copy() if np.isinf(beta) else mean + beta * deviation


def thompson(posterior: Posterior, beta: float, rng: np.random.Generator) -> np.ndarray:
    """One joint draw [n] with its departure from the mean widened by β; the best of it is the Thompson choice.

    Source: Thompson, Biometrika 25, 285 (1933); Chapelle and Li, NeurIPS 2011 for the widening.
    """
    departure = posterior.draw(1, rng)[0] - posterior.mean
    return departure if np.isinf(beta) else posterior.mean + beta * departure


def score(
    posterior: Posterior, method: Method, dial: float, best: float | None, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Exploitation and exploration part of each candidate's worth, [n] each; their sum is the acquisition value.

    The exploitation part is the acquisition at dial 0, the exploration part what the dial adds to it.

    Args:
        best: the best value known so far, for expected improvement; None takes the best predicted mean.

    Raises:
        OutOfRange, UnknownName.
    """
    beta, mean, deviation = widening(dial), posterior.mean, posterior.deviation
    if method == "ucb":
        total, exploitation = upper_confidence_bound(mean, deviation, beta), mean
    elif method == "ei":
        incumbent = float(mean.max()) if best is None else best
        width = deviation if np.isinf(beta) else beta * deviation
        total = deviation if np.isinf(beta) else expected_improvement(mean, width, incumbent)
        exploitation = np.maximum(mean - incumbent, 0.0)
        if dial == 0.0:  # nothing predicted above the incumbent: the improvement is flat, the mean still ranks
            total = exploitation = mean - incumbent
    elif method == "thompson":
        total, exploitation = thompson(posterior, beta, rng), mean
    else:
        raise UnknownName(f"There is no acquisition '{method}'; choose one of {', '.join(METHODS)}, nehvi.")
    if np.isinf(beta):
        return np.zeros(len(mean)), total
    return exploitation, total - exploitation
