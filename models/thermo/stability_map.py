"""Where in a ternary system a partner does not react: reaction energies over a Gibbs triangle, and the stable area."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pymatgen.core import Composition

from ionscout.datasets.errors import InvalidInput
from ionscout.datasets.hulls.base import Hull
from ionscout.models.thermo.equilibrium import stated_formula, stated_unit
from ionscout.models.thermo.interface import interface

# |ΔE| below which a composition counts as stable with the partner: that of the heat maps of the Mo group as stated by
# Chu et al., Mater. Chem. Front. 2024 (10.1039/d3qm01111a), section 3.2.
STABLE_BELOW = 0.05
STEPS = 20  # per side: 231 compositions, a second of work; from 10 to 20 stable shares against LLZO change by ≤ 0.012
FEWEST, MOST = 2, 100

Progress = Callable[[int, int], None]


@dataclass(frozen=True, eq=False)
class StabilityMap:
    """Reaction energies over a triangle.

    Attributes:
        corners: formulas of the three corners.
        partner: what every composition is brought into contact with.
        threshold: eV/atom.
        fractions: atomic fractions of the corners at every grid point, [n, 3].
        energies: most exothermic closed reaction with the partner, eV per atom of both, ≤ 0, [n].
        triangles: grid points of each small triangle, for drawing, [m, 3].
        contour: line segments at −threshold in atomic fractions, [k, 2, 3].
        stable_share: share of the triangle's area with a reaction weaker than the threshold, energies taken linear
            within the small triangles.
    """

    corners: tuple[str, str, str]
    partner: str
    hull: str
    hull_version: str
    correction: str
    threshold: float
    fractions: np.ndarray
    energies: np.ndarray
    triangles: np.ndarray
    contour: np.ndarray
    stable_share: float


def stability_map(
    corners: tuple[Composition, Composition, Composition],
    partner: Composition,
    hull: Hull,
    *,
    steps: int = STEPS,
    threshold: float = STABLE_BELOW,
    progress: Progress | None = None,
) -> StabilityMap:
    """Worst closed reaction of every composition of a triangle with a partner.

    Every composition is placed on the hull: between compounds it is their equilibrium mixture.

    Args:
        corners: elements (Li, M, O) or compounds, mixed by atoms.
        steps: intervals per side of the grid, 2 … 100; (steps + 1)(steps + 2)/2 compositions.
        threshold: eV/atom.
        progress: called with (done, all).

    Raises:
        UnsupportedElement, DataUnavailable: an element without data on this hull.
        InvalidInput: corners that do not span a triangle, steps or threshold out of range.
    """
    if not FEWEST <= steps <= MOST:
        raise InvalidInput(f"A map has {FEWEST} to {MOST} steps per side; {steps} is outside.")
    if not 0 < threshold < float("inf"):
        raise InvalidInput("The threshold of the reaction energy is in eV/atom and above 0; the default is 0.05.")
    points = np.array([(i, j, steps - i - j) for i in range(steps + 1) for j in range(steps + 1 - i)]) / steps
    elements = sorted({el.symbol for corner in corners for el in corner.elements})
    shares = np.array([[corner.get_atomic_fraction(symbol) for symbol in elements] for corner in corners])  # [3, n_el]
    if np.linalg.matrix_rank(shares, tol=1e-9) < 3:
        raise InvalidInput(
            f"{', '.join(stated_formula(c) for c in corners)} do not span a triangle; name three independent corners."
        )

    energies = np.empty(len(points))
    for number, point in enumerate(points):
        amounts = {symbol: n for symbol, n in zip(elements, (point @ shares).tolist(), strict=True) if n > 1e-12}
        energies[number] = interface(Composition(amounts), partner, hull).reaction_energy
        if progress is not None:
            progress(number + 1, len(points))
    triangles = _triangles(steps)
    excess = energies + threshold  # ≥ 0 is stable
    return StabilityMap(
        corners=(stated_formula(corners[0]), stated_formula(corners[1]), stated_formula(corners[2])),
        partner=stated_formula(stated_unit(partner)),
        hull=hull.name,
        hull_version=hull.version,
        correction=hull.correction,
        threshold=threshold,
        fractions=points,
        energies=energies,
        triangles=triangles,
        contour=_contour(points, excess, triangles),
        stable_share=float(np.mean([_share(excess[corner]) for corner in triangles])),
    )


def lithium_oxide_map(metal: str, partner: Composition, hull: Hull, **options: object) -> StabilityMap:
    """The Li–M–O triangle of one element; see `stability_map`."""
    corners = Composition("Li"), Composition(metal), Composition("O2")
    return stability_map(corners, partner, hull, **options)  # type: ignore[arg-type]


def _triangles(steps: int) -> np.ndarray:
    """Small triangles of the grid as numbers of its points, [steps², 3]."""
    number: dict[tuple[int, int], int] = {}
    for i in range(steps + 1):
        for j in range(steps + 1 - i):
            number[i, j] = len(number)
    found = []
    for i in range(steps):
        for j in range(steps - i):
            found.append((number[i, j], number[i + 1, j], number[i, j + 1]))
            if (i + 1, j + 1) in number:
                found.append((number[i + 1, j], number[i, j + 1], number[i + 1, j + 1]))
    return np.array(found)


def _share(values: np.ndarray) -> float:
    """Share of a triangle's area on which the linear interpolation of its three values is not negative."""
    above = values >= 0
    if above.all() or not above.any():
        return float(above.all())
    lonely = int(np.flatnonzero(above == (above.sum() == 1))[0])  # the corner on a side of its own
    others = np.delete(values, lonely)
    cut = float(np.prod(values[lonely] / (values[lonely] - others)))
    return cut if above[lonely] else 1 - cut


def _contour(points: np.ndarray, values: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Segments along which the interpolated values change sign, [k, 2, 3]."""
    segments = []
    for corners in triangles:
        crossings = []
        for a, b in ((0, 1), (1, 2), (2, 0)):
            p, q = corners[a], corners[b]
            if (values[p] >= 0) != (values[q] >= 0):
                part = values[p] / (values[p] - values[q])
                crossings.append(points[p] + part * (points[q] - points[p]))
        if len(crossings) == 2:
            segments.append(crossings)
    return np.array(segments, dtype=float).reshape(-1, 2, 3)
