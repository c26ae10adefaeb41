"""Which sites of a crystal take which elements of another composition: a small linear program, then fractions."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import highspy
import numpy as np
from pymatgen.core import Element, Structure

UNPLACED = 3.0  # per atom without a site: more than any substitution, so that nothing is left out to save costs
REFILL = 0.2  # per atom by which a group is fuller or emptier than in the template
FEW = 1e-4  # occupancies below are rounding
FITTING_ROUNDS = 50  # of proportional fitting; converges to 1e-6 in about ten
ANIONS = frozenset({"O", "S", "Se", "Te", "N", "F", "Cl", "Br", "I"})


@dataclass(frozen=True)
class Group:
    """Sites that hold the same elements; `occupied` atoms in all."""

    elements: tuple[Element, ...]
    sites: tuple[int, ...]
    occupied: float


def site_groups(structure: Structure) -> list[Group]:
    """Sites with one set of elements, as one group each."""
    members: dict[tuple[Element, ...], list[int]] = {}
    for i, site in enumerate(structure):
        elements = tuple(sorted({Element(s.symbol) for s in site.species}))
        members.setdefault(elements, []).append(i)
    return [
        Group(elements, tuple(sites), float(sum(structure[i].species.num_atoms for i in sites)))
        for elements, sites in members.items()
    ]


def place(demand: dict[Element, float], groups: list[Group]) -> tuple[np.ndarray, float, float]:
    """(atoms of each element on each group [e, g], cost, atoms without a site), by a linear program.

    Variables: x[e, g]; what of e finds no site; how much fuller and emptier each group gets. Rows: the room of each
    group, the atoms of each element, the filling of each group. HiGHS gets them as arrays: it takes a quarter of the
    time of `scipy.optimize.linprog`, which asks the same solver and spends the rest on checking its input.
    """
    n_e, n_g = len(demand), len(groups)
    n_x, size = n_e * n_g, n_e * n_g + n_e + 2 * n_g
    substitution = [[min(_difference(e, h) for h in g.elements) for g in groups] for e in demand]
    cost = np.concatenate([np.ravel(substitution), np.full(n_e, UNPLACED), np.full(2 * n_g, REFILL)])
    amounts, filling = np.array(list(demand.values())), np.array([g.occupied for g in groups])
    room = np.maximum([len(g.sites) for g in groups], filling)
    element, group = np.divmod(np.arange(n_x), n_g)
    each = np.arange(n_g)
    model: Any = highspy.HighsLp()  # its stub lacks the array fields
    model.num_col_, model.num_row_ = size, n_e + 2 * n_g
    model.col_cost_, model.col_lower_, model.col_upper_ = cost, np.zeros(size), np.full(size, highspy.kHighsInf)
    model.row_lower_ = np.concatenate([np.full(n_g, -highspy.kHighsInf), amounts, filling])
    model.row_upper_ = np.concatenate([room, amounts, filling])
    matrix = model.a_matrix_
    matrix.format_ = highspy.MatrixFormat.kColwise
    matrix.start_ = np.concatenate([3 * np.arange(n_x), 3 * n_x + np.arange(n_e + 2 * n_g + 1)]).astype(np.int32)
    placed_rows = np.stack([group, n_g + element, n_g + n_e + group], 1).ravel()
    matrix.index_ = np.concatenate([placed_rows, n_g + np.arange(n_e), n_g + n_e + np.tile(each, 2)]).astype(np.int32)
    matrix.value_ = np.concatenate([np.ones(3 * n_x + n_e), -np.ones(n_g), np.ones(n_g)])
    solver: Any = highspy.Highs()
    solver.setOptionValue("output_flag", False)
    solver.setOptionValue("threads", 1)
    solver.passModel(model)
    solver.run()
    solution = np.asarray(solver.getSolution().col_value)
    return solution[:n_x].reshape(n_e, n_g), float(cost @ solution), float(solution[n_x : n_x + n_e].sum())


def least_cost(demand: dict[Element, float], elements: Iterable[Element]) -> float:
    """A lower bound on the cost of `place` in a crystal of these elements: every atom where it would fit best."""
    return sum(n * min(_difference(e, h) for h in elements) for e, n in demand.items())


def occupancies(
    structure: Structure, groups: list[Group], elements: list[Element], placed: np.ndarray
) -> list[dict[str, float]]:
    """Species of every site; an element keeps the preference for sites that it has in the template.

    Within a group the table [element, site] is fitted to the atoms of each element and the filling of each site
    (iterative proportional fitting), starting from the template's own occupancies.
    """
    species: list[dict[str, float]] = [{} for _ in structure]
    for j, group in enumerate(groups):
        wanted = placed[:, j]
        present = np.flatnonzero(wanted > FEW)
        if not len(present):
            continue
        own = np.array([structure[i].species.num_atoms for i in group.sites])
        filling = _spread(own, float(wanted[present].sum()))
        table = np.array(
            [
                [
                    structure[i].species[elements[e]] if elements[e] in group.elements else own[k]
                    for k, i in enumerate(group.sites)
                ]
                for e in present
            ]
        )
        table = table + 1e-6  # so that a site without the element can take some where all others are full
        for _ in range(FITTING_ROUNDS):
            table *= (wanted[present] / table.sum(1))[:, None]
            table *= filling / table.sum(0)
        for column, i in zip(table.T, group.sites, strict=True):
            species[i] = {elements[e].symbol: float(x) for e, x in zip(present, column, strict=True) if x > FEW}
    return species


def _spread(own: np.ndarray, total: float) -> np.ndarray:
    """Site fillings in proportion to the template's, none above 1 (or above its own), with the given sum."""
    most = np.maximum(own, 1.0)
    filling = np.minimum(own * total / own.sum(), most)
    for _ in range(len(own)):  # what full sites refuse goes to the others
        rest = total - filling.sum()
        open_sites = filling < most - 1e-9
        if rest < 1e-9 or not open_sites.any():
            break
        filling[open_sites] *= 1 + rest / filling[open_sites].sum()
        filling = np.minimum(filling, most)
    return filling


@lru_cache(maxsize=20_000)
def _difference(element: Element, other: Element) -> float:
    """Cost of an element on the other's site: unlike size (Å) and charge; an anion never replaces a cation."""
    if element == other:
        return 0.0
    if (element.symbol in ANIONS) != (other.symbol in ANIONS):
        return UNPLACED
    return 0.1 + abs(ionic_radius(element) - ionic_radius(other)) + 0.15 * abs(_charge(element) - _charge(other))


@lru_cache(maxsize=200)
def ionic_radius(element: Element) -> float:
    """Radius in Å of the ion that the element forms, averaged over its coordination numbers."""
    radii = {int(charge): float(r) for charge, r in element.ionic_radii.items()}
    if not radii:
        return float(element.atomic_radius or 1.0)
    return radii[min(radii, key=lambda charge: abs(charge - _charge(element)))]


@lru_cache(maxsize=200)
def _charge(element: Element) -> int:
    usual = element.common_oxidation_states or (0,)
    return min(usual) if element.symbol in ANIONS else max(usual)
