"""Why a conductivity was predicted: what species and sites add, where lithium can go, and what was measured nearby."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Protocol

import numpy as np
from pymatgen.core import Element, Structure

from ionscout.datasets.sources.base import ROOM_TEMPERATURE
from ionscout.datasets.sources.reference import Neighbour, reference_list
from ionscout.datasets.structure import Material
from ionscout.models.conductivity.completion import borrowed_crystal
from ionscout.models.conductivity.crystal_sites import SiteTable, site_table
from ionscout.models.conductivity.kinds import ConductivityKind
from ionscout.models.conductivity.lithium_network import USUAL_HOP, LithiumNetwork, lithium_network
from ionscout.models.conductivity.occlusion import Occluder
from ionscout.models.conductivity.site_statistics import site_kinds

NEIGHBOURS = 5
EXACT_SPECIES = 5  # up to here every subset is asked (32); beyond, orders are drawn
ORDERS = 8  # drawn orders and their reverses: then a contribution is sure to about a tenth of a decade
BATCH = 8  # materials between two looks at the clock
MOST_SITES = 12  # kinds of sites that are asked for, lithium's first; each costs one prediction

Values = Callable[[Sequence[Material]], np.ndarray]  # log10 σ of materials, [n]


class Predictor(Protocol):
    """What an explanation asks of a predictor."""

    def predict(
        self, materials: Sequence[Material], temperature_K: float, kind: ConductivityKind
    ) -> Sequence["HasConductivity"]: ...


class HasConductivity(Protocol):
    @property
    def conductivity(self) -> float: ...


@dataclass(frozen=True)
class SpeciesContribution:
    """Decades of conductivity that one element adds compared with a typical species in its place."""

    element: str
    role: str  # anion or cation
    decades: float


@dataclass(frozen=True)
class SiteContribution:
    """One kind of site.

    Attributes:
        label: elements and a running number. sites: how many per cell. occupancy: of all species together.
        decades: lost if the site held typical species, or no lithium; None where it is the only lithium site.
    """

    label: str
    sites: int
    occupancy: float
    decades: float | None


@dataclass(frozen=True)
class LithiumPaths:
    """The lithium sub-lattice within a hop distance.

    Attributes:
        hop: Å. dimension: 0 to 3. percolation: shortest hops (Å) that lead on in 1, 2 and 3 dimensions, None: none.
        bottleneck: widest narrowest-window (Å, sphere radius) of such paths, likewise.
        shortest_hop: Å, or None. mean_occupancy: of the sites that hold lithium. sites: kinds of them.
        network: the graph itself, for figures.
        borrowed_from: crystal that lent its sites to a bare formula; empty where the crystal itself was given.
    """

    hop: float
    dimension: int
    percolation: tuple[float | None, float | None, float | None]
    bottleneck: tuple[float | None, float | None, float | None]
    shortest_hop: float | None
    mean_occupancy: float
    sites: int
    network: LithiumNetwork
    borrowed_from: str = ""


@dataclass(frozen=True)
class Explanation:
    """Why one conductivity was predicted, in decades of S/cm at `temperature_K`.

    `baseline` is the prediction with every element but lithium replaced by a typical one of its role; baseline and
    species add up to `prediction` (Shapley values over the elements). Sites are each asked alone and need not add up:
    `sites_remainder` is what they leave of prediction − baseline. `paths_unknown` says why `paths` is None.
    """

    temperature_K: float
    prediction: float
    baseline: float
    species: tuple[SpeciesContribution, ...]
    sites: tuple[SiteContribution, ...]
    sites_remainder: float | None
    paths: LithiumPaths | None
    neighbours: tuple[Neighbour, ...]
    searched: tuple[str, ...]
    rows_searched: int
    paths_unknown: str = ""


def explain(
    predictor: Predictor,
    material: Material,
    temperature_K: float = ROOM_TEMPERATURE,
    kind: ConductivityKind = "total",
    *,
    hop: float = USUAL_HOP,
    neighbours: int = NEIGHBOURS,
    check_time: Callable[[], None] = lambda: None,
) -> Explanation:
    """Explain the prediction for one material; some 20–60 predictions, so about a second.

    Args:
        kind: of the conductivity that is explained.
        hop: longest hop (Å) that counts for the dimension of the lithium paths.
        neighbours: how many measured materials to list.
        check_time: called between predictions; raises when they take too long.
    """

    def values(materials: Sequence[Material]) -> np.ndarray:
        found: list[float] = []
        for start in range(0, len(materials), BATCH):
            check_time()
            answers = predictor.predict(materials[start : start + BATCH], temperature_K, kind)
            found += [answer.conductivity for answer in answers]
        return np.log10(found)

    occluder = Occluder(material)
    elements = occluder.elements()
    species, prediction, baseline = _species(occluder, elements, values)
    sites = _sites(occluder, prediction, values) if occluder.sites is not None else []
    known = [site.decades for site in sites if site.decades is not None]
    references = reference_list()
    group = None if material.cell is None else material.cell.space_group
    paths, unknown = _paths(material, hop)
    return Explanation(
        temperature_K=temperature_K,
        prediction=prediction,
        baseline=baseline,
        species=tuple(
            SpeciesContribution(el.symbol, "anion" if occluder.is_anion(el) else "cation", value)
            for el, value in zip(elements, species, strict=True)
        ),
        sites=tuple(sites),
        sites_remainder=prediction - baseline - sum(known) if sites else None,
        paths=paths,
        neighbours=tuple(
            references.nearest(material.composition, neighbours, space_group=group, temperature_K=temperature_K)
        ),
        searched=references.sources,
        rows_searched=len(references.measurements),
        paths_unknown=unknown,
    )


def _paths(material: Material, hop: float) -> tuple[LithiumPaths | None, str]:
    """The paths of a crystal, or of what a formula borrows, marked so; else why there are none."""
    if material.structure is not None:
        paths = lithium_paths(material.structure, hop)
        return (
            paths,
            "" if paths else "The crystal that was given has no lithium sites, so the lithium paths are unknown.",
        )
    lent = borrowed_crystal(material)
    paths = None if lent is None else lithium_paths(lent.structure, hop)
    if lent is None or paths is None:
        return (
            None,
            "No crystal was given, and no relative that fits lends its sites, so the lithium paths are unknown.",
        )
    return replace(paths, borrowed_from=lent.template), ""


def lithium_paths(structure: Structure, hop: float = USUAL_HOP) -> LithiumPaths | None:
    """Where lithium can go in hops of at most `hop` Å; None for a refinement without lithium."""
    sites = site_table(structure)
    held = np.flatnonzero(sites.lithium > 0)
    if not len(held):
        return None
    network = lithium_network(sites)
    return LithiumPaths(
        hop=hop,
        dimension=network.dimension(hop),
        percolation=_three(network.percolation_distances),
        bottleneck=_three(network.bottlenecks),
        shortest_hop=_number(float(network.hops.distance.min(initial=np.inf))),
        mean_occupancy=float(sites.lithium[held].mean()),
        sites=int(site_kinds(sites, held).max()) + 1,
        network=network,
    )


def _species(occluder: Occluder, elements: list[Element], values: Values) -> tuple[list[float], float, float]:
    """Shapley value of each element, the prediction, and the prediction with all of them typical."""
    n = len(elements)
    if n <= EXACT_SPECIES:
        wanted = [frozenset(c) for size in range(n + 1) for c in combinations(range(n), size)]
        orders: list[np.ndarray] = []
    else:
        rng = np.random.default_rng(0)
        drawn = [rng.permutation(n) for _ in range(ORDERS)]
        orders = [order for one in drawn for order in (one, one[::-1])]
        wanted = sorted({frozenset(o[:k].tolist()) for o in orders for k in range(n + 1)}, key=lambda s: sorted(s))
    replaced = [occluder.without({elements[i] for i in range(n) if i not in kept}) for kept in wanted]
    value = dict(zip(wanted, values(replaced).tolist(), strict=True))
    nothing, everything = frozenset[int](), frozenset(range(n))
    shares = [0.0] * n
    for order in orders:
        for k, i in enumerate(order.tolist()):
            before = frozenset(order[:k].tolist())
            shares[i] += (value[before | {i}] - value[before]) / len(orders)
    if not orders:
        for kept in wanted:
            weight = (
                math.factorial(len(kept)) * math.factorial(n - len(kept) - 1) / math.factorial(n)
                if kept != everything
                else 0
            )
            for i in everything - kept:
                shares[i] += weight * (value[kept | {i}] - value[kept])
    return shares, value[everything], value[nothing]


def _sites(occluder: Occluder, prediction: float, values: Values) -> list[SiteContribution]:
    """Kinds of sites, lithium's first and then by number, with what each adds."""
    table = occluder.sites
    assert table is not None
    kinds = site_kinds(table, np.arange(len(table.lithium)))
    groups = [np.flatnonzero(kinds == k) for k in range(kinds.max() + 1)]
    groups.sort(key=lambda group: (table.lithium[group[0]] == 0, -len(group)))
    lithium = [group for group in groups if table.lithium[group[0]] > 0]
    shown = groups[:MOST_SITES]
    asked = [g for g in shown if not (len(lithium) == 1 and _only_lithium(table, g[0]))]
    found = values([occluder.without_sites(group) for group in asked]) if asked else np.zeros(0)
    decades = {int(group[0]): prediction - float(v) for group, v in zip(asked, found, strict=True)}
    names: dict[str, int] = {}
    rows = []
    for group in shown:
        name = _label(table, group[0])
        names[name] = names.get(name, 0) + 1
        occupancy = float(table.lithium[group[0]] + table.anion[group[0]] + table.cation[group[0]])
        rows.append(SiteContribution(f"{name}({names[name]})", len(group), occupancy, decades.get(int(group[0]))))
    return rows


def _only_lithium(table: SiteTable, site: int) -> bool:
    return bool(table.lithium[site] > 0 and table.anion[site] + table.cation[site] == 0)


def _label(table: SiteTable, site: int) -> str:
    here = table.entry_site == site
    order = np.argsort(-table.entry_occupancy[here], kind="stable")
    return "/".join(Element.from_Z(int(z)).symbol for z in table.entry_z[here][order])


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _three(values: np.ndarray) -> tuple[float | None, float | None, float | None]:
    a, b, c = (_number(float(value)) for value in values)
    return a, b, c
