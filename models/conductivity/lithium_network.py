"""The lithium sub-lattice as a periodic graph: hops between sites, the windows they pass, and where they lead.

Nodes are all sites that hold lithium, however little; a hop is a straight line between two of them. A path percolates
in as many dimensions as the lattice translations of its closed walks span (rank of the quotient graph's cycles), which
is counted without building a supercell.
"""

from dataclasses import dataclass

import numpy as np

from ionscout.models.conductivity.crystal_sites import Pairs, SiteTable

LONGEST_HOP = 6.0  # Å; beyond it nothing hops in a straight line. A network that needs more counts as not percolating.
USUAL_HOP = 4.0  # Å; hops in fast conductors are 1.6–3.5 Å long
# A framework site blocks a window when it is occupied to at least this share. Lower: rare dopants on the lithium sites
# of a garnet would close it; higher: anions disordered over two positions would vanish.
BLOCKING_OCCUPANCY = 0.3
# Å: framework atoms farther from the line limit no window of interest (largest anion 2.2 Å, so windows above 1.2 Å).
WINDOW_REACH = 3.4
CLOSED = -1.5  # Å, window of a path that does not exist: less than any line can have without meeting an atom's centre
_BLOCK = 200_000  # pairs of a hop and an ion looked at together
_CHUNK = 256  # hops turned into Python numbers at a time


@dataclass(frozen=True)
class LithiumNetwork:
    """h directed hops between lithium sites, shorter than `LONGEST_HOP`, and what surrounds lithium.

    Attributes:
        sites: the crystal. hops: site pairs; every hop is there in both directions.
        window [h]: radius (Å) of the largest sphere that passes the straight line without touching framework ions; NaN
            for hops longer than `window_hop`, where none was computed.
        window_hop: Å. around: framework neighbours of lithium sites within 6 Å.
        percolation_distances: shortest longest-hop (Å) of paths that percolate in 1, 2, 3 dimensions, [3]; inf: none.
        bottlenecks: widest narrowest-window (Å) of paths that percolate in 1, 2, 3 dimensions, [3]; −inf: none.
    """

    sites: SiteTable
    hops: Pairs
    window: np.ndarray
    window_hop: float
    around: Pairs
    percolation_distances: np.ndarray
    bottlenecks: np.ndarray

    def dimension(self, hop: float = USUAL_HOP) -> int:
        """Number of dimensions (0 to 3) in which hops of at most `hop` Å lead on for ever."""
        return int((self.percolation_distances <= hop).sum())


def lithium_network(sites: SiteTable) -> LithiumNetwork:
    """Find the hops and their windows. Windows are those of hops up to 4 Å, or to the hop that percolates in 3D."""
    nearby = sites.neighbours(sites.lithium > 0, LONGEST_HOP)
    hops = nearby.where(sites.lithium[nearby.second] > 0)
    framework = sites.anion + sites.cation
    around = nearby.where(framework[nearby.second] >= BLOCKING_OCCUPANCY)
    reached = percolation(hops, hops.distance)
    finite = reached[np.isfinite(reached)]
    limit = max(USUAL_HOP, float(finite.max()) if len(finite) else 0.0) + 1e-6
    window = np.full(len(hops.first), np.nan)
    short = hops.distance <= limit
    passed = hops.where(short)
    window[short] = _windows(sites, passed, around)
    return LithiumNetwork(sites, hops, window, limit, around, reached, -percolation(passed, -window[short]))


def _windows(sites: SiteTable, hops: Pairs, around: Pairs) -> np.ndarray:
    """Smallest distance from the line to a framework ion, minus its radius, [h].

    Each direction looks at its own half of the line, where its start is the nearer end; the smaller half counts.
    """
    count = np.bincount(around.first, minlength=len(sites.lithium))
    order = np.argsort(around.first, kind="stable")
    start = np.concatenate([[0], np.cumsum(count)[:-1]])
    unit = hops.vectors(sites) / hops.distance[:, None]
    to_ion = around.vectors(sites)
    half = np.full(len(hops.first), WINDOW_REACH)
    # In blocks, so that a dense cell takes time instead of memory.
    number = np.cumsum(count[hops.first]) // _BLOCK
    for block in np.split(np.arange(len(half)), np.flatnonzero(np.diff(number)) + 1):
        length = count[hops.first[block]]
        hop = np.repeat(block, length)
        place = np.arange(len(hop)) - np.repeat(np.cumsum(length) - length, length) + start[hops.first][hop]
        pair = order[place]
        near = around.distance[pair] <= hops.distance[hop] / 2 + WINDOW_REACH
        hop, pair = hop[near], pair[near]
        along = np.einsum("ij,ij->i", to_ion[pair], unit[hop])
        squared = around.distance[pair] ** 2
        other = squared - 2 * along * hops.distance[hop] + hops.distance[hop] ** 2
        t = np.clip(along, 0.0, hops.distance[hop] / 2)
        gap = np.sqrt(np.maximum(squared - 2 * t * along + t**2, 0.0)) - sites.radius[around.second[pair]]
        free = other > 1e-4  # the hop's own end does not block it, when shared with other species
        np.minimum.at(half, hop[free], gap[free])
    return np.minimum(half, half[_reverse(hops)])


def _reverse(hops: Pairs) -> np.ndarray:
    """Position of each hop's way back, [h]."""
    there = np.column_stack([hops.first, hops.second, hops.offset])
    back = np.column_stack([hops.second, hops.first, -hops.offset])
    ordered = np.lexsort(there.T[::-1])
    reverse = np.empty(len(there), dtype=np.int64)
    reverse[np.lexsort(back.T[::-1])] = ordered
    return reverse


def percolation(hops: Pairs, cost: np.ndarray) -> np.ndarray:
    """Lowest cost at which hops up to it percolate in 1, 2 and 3 dimensions, [3]; inf where they never do.

    Kruskal's algorithm on the quotient graph: a union–find structure carries the translation from each site to its
    root, and a hop inside a component closes a walk whose translation joins the component's span.
    """
    forward = (hops.first < hops.second) | ((hops.first == hops.second) & (_sign(hops.offset) > 0))
    chosen = np.flatnonzero(forward)
    chosen = chosen[np.argsort(cost[chosen], kind="stable")]
    reached = np.full(3, np.inf)
    forest = _Forest()
    rank = 0
    for start in range(0, len(chosen), _CHUNK):  # most networks percolate within their first few hundred hops
        part = chosen[start : start + _CHUNK]
        ends = zip(hops.first[part].tolist(), hops.second[part].tolist(), hops.offset[part].tolist(), strict=True)
        for position, (i, j, offset) in enumerate(ends):
            found = forest.join(i, j, offset)
            if found > rank:
                reached[rank:found] = cost[part[position]]
                rank = found
                if rank == 3:
                    return reached
    return reached


def _sign(offset: np.ndarray) -> np.ndarray:
    """Sign of the first component that is not zero, [p]."""
    lead = np.where(offset[:, 0] != 0, offset[:, 0], np.where(offset[:, 1] != 0, offset[:, 1], offset[:, 2]))
    return np.sign(lead)


class _Forest:
    """Union–find over sites of a periodic graph; every root knows the translations that its component repeats with."""

    def __init__(self) -> None:
        self.parent: dict[int, int] = {}
        self.shift: dict[int, tuple[int, int, int]] = {}  # cell of a site relative to its parent's
        self.span: dict[int, list[tuple[int, int, int]]] = {}  # independent translations, at roots

    def _find(self, i: int) -> tuple[int, tuple[int, int, int]]:
        parent = self.parent.setdefault(i, i)
        if parent == i:
            return i, (0, 0, 0)
        root, (x, y, z) = self._find(parent)
        a, b, c = self.shift[i]
        if root != parent:
            self.parent[i] = root
            self.shift[i] = (a + x, b + y, c + z)
        return root, self.shift[i]

    def join(self, i: int, j: int, offset: list[int]) -> int:
        """Add the hop from i to j in the cell `offset`; return the dimension of their component."""
        root_i, (a, b, c) = self._find(i)
        root_j, (x, y, z) = self._find(j)
        # Where i lies in the cell of root i, root j lies here:
        step = (a + offset[0] - x, b + offset[1] - y, c + offset[2] - z)
        span = self.span.setdefault(root_i, [])
        if root_i == root_j:
            _extend(span, step)
            return len(span)
        for translation in self.span.pop(root_j, []):
            _extend(span, translation)
        self.parent[root_j] = root_i
        self.shift[root_j] = step
        return len(span)


def _extend(span: list[tuple[int, int, int]], t: tuple[int, int, int]) -> None:
    """Append a translation if it is independent of those there."""
    if len(span) == 3 or t == (0, 0, 0):
        return
    if len(span) == 1:
        independent = any(_cross(span[0], t))
    elif len(span) == 2:
        independent = sum(x * y for x, y in zip(_cross(*span), t, strict=True)) != 0
    else:
        independent = True
    if independent:
        span.append(t)


def _cross(s: tuple[int, int, int], t: tuple[int, int, int]) -> tuple[int, int, int]:
    return s[1] * t[2] - s[2] * t[1], s[2] * t[0] - s[0] * t[2], s[0] * t[1] - s[1] * t[0]
