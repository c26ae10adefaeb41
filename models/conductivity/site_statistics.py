"""Statistics over the sites of a crystal: nearest neighbours, effective coordination, entropies, kinds of sites."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.special import entr

from ionscout.models.conductivity.crystal_sites import Pairs, SiteTable, element_scales

# Two lithium sites are of one kind when occupancy and surroundings agree to this. The surroundings are sums over
# neighbours that change by about 0.5 per Å of any of them: noise of a few hundredths of an Å stays below, different
# Wyckoff positions lie above.
SAME_SITE = 0.05


@dataclass(frozen=True)
class Shells:
    """Coordination by Hoppe's effective numbers.

    `number`, `distance`, `spread` [n]: effective coordination number, weighted mean distance and its standard
    deviation (Å); `weight` [p]: share of a bond that each pair is.
    """

    number: np.ndarray
    distance: np.ndarray
    spread: np.ndarray
    weight: np.ndarray


def effective_neighbours(pairs: Pairs, occupancy: np.ndarray, n: int) -> Shells:
    """Effective coordination of each first site by its second sites: weights exp(1 − (d/d̄)⁶) · occupancy.

    d̄ is the weighted mean itself, found by iteration from the shortest distance. Source: Hoppe, Z. Kristallogr. 150, 23
    (1979).
    """
    d, share = pairs.distance, occupancy[pairs.second]
    mean = nearest(pairs, n)
    weight = np.zeros_like(d)
    for _ in range(12):  # converges by a factor of about 4 a round
        weight = share * np.exp(1 - (d / mean[pairs.first]) ** 6)
        total = np.bincount(pairs.first, weight, n)
        with np.errstate(invalid="ignore"):
            mean = np.bincount(pairs.first, weight * d, n) / total
    square = np.bincount(pairs.first, weight * (d - mean[pairs.first]) ** 2, n)
    return Shells(total, mean, np.sqrt(square / np.maximum(total, 1e-12)), weight)


def nearest(pairs: Pairs, n: int, radius: np.ndarray | None = None) -> np.ndarray:
    """Distance (minus the second site's radius, if given) to the nearest second site, [n]; inf without any."""
    gap = pairs.distance if radius is None else pairs.distance - radius[pairs.second]
    least = np.full(n, np.inf)
    np.minimum.at(least, pairs.first, gap)
    return least


def weighted_mean(values: np.ndarray, weight: np.ndarray) -> float:
    """Mean over where the weight is positive; NaN where it nowhere is."""
    keep = (weight > 0) & np.isfinite(values)
    return float(np.average(values[keep], weights=weight[keep])) if keep.any() else float("nan")


def entropy(occupancy: np.ndarray) -> np.ndarray:
    """−x ln x − (1 − x) ln(1 − x): k_B per site, of being occupied or not."""
    x = np.clip(occupancy, 0, 1)
    return entr(x) + entr(1 - x)


def mixing_entropy(sites: SiteTable, occupancy: np.ndarray) -> float:
    """Mean entropy (k_B a site) of which element is there, over sites that hold any of the given entries [m]."""
    n = len(sites.anion)
    total = np.bincount(sites.entry_site, occupancy, n)
    share = occupancy / np.maximum(total[sites.entry_site], 1e-12)
    return weighted_mean(np.bincount(sites.entry_site, entr(np.clip(share, 0, 1)), n), total)


def site_kinds(sites: SiteTable, of: np.ndarray) -> np.ndarray:
    """Number (0, 1, …) of the kind of each site of an index [k]: sites alike in species, occupancy and surroundings.

    Instead of a space group, so that it works on coordinates with noise and on any cell: sites are linked when they
    agree within `SAME_SITE`, and linked sites are one kind. Kinds are numbered in the order of their first site.
    """
    around = sites.neighbours(of, 5.0)
    fade = (1 - (around.distance / 5.0) ** 2) ** 2 * np.exp(-around.distance / 2.0)
    n = len(sites.lithium)
    own = [sites.lithium, sites.anion, sites.cation, _mean_electronegativity(sites), sites.radius]
    near = [
        np.bincount(around.first, fade * kind[around.second], n)
        for kind in (sites.lithium, sites.anion * sites.radius, sites.cation)
    ]
    table = np.stack([*own, *near], 1)[of]
    first, second = np.nonzero((np.abs(table[:, None] - table[None]) < SAME_SITE).all(2))
    graph = coo_array((np.ones(len(first)), (first, second)), shape=(len(of), len(of)))
    label = connected_components(graph, directed=False)[1]
    _, start = np.unique(label, return_index=True)
    return np.argsort(np.argsort(start))[label]


def _mean_electronegativity(sites: SiteTable) -> np.ndarray:
    """Occupancy times Pauling's electronegativity, [n]: tells mixtures of the same radius apart."""
    x = element_scales().electronegativity[sites.entry_z]
    return np.bincount(sites.entry_site, sites.entry_occupancy * x, len(sites.lithium))
