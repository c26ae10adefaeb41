"""An explanation as the service and the command line state it: numbers, and the same in sentences."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from ionscout.models.conductivity.kinds import ConductivityKind
from ionscout.serving.explanation_schemas import (
    ExplanationSummary,
    LithiumPathsSummary,
    MeasuredNeighbour,
    SiteShare,
    SpeciesShare,
)

if TYPE_CHECKING:  # torch takes seconds to import
    from ionscout.datasets.sources.reference import Neighbour
    from ionscout.datasets.structure import Material
    from ionscout.models.conductivity.explanation import Explanation, LithiumPaths, Predictor

SMALL = 0.05  # decades; sentences leave out what adds less


def explain_prediction(
    predictor: "Predictor",
    material: "Material",
    temperature_K: float,
    kind: ConductivityKind = "total",
    check_time: Callable[[], None] | None = None,
) -> ExplanationSummary:
    """Explain one prediction, about a second; `check_time` raises when it takes too long."""
    from ionscout.models.conductivity.explanation import explain

    found = explain(predictor, material, temperature_K, kind, check_time=check_time or (lambda: None))
    return summarise_explanation(found)


def summarise_explanation(found: "Explanation") -> ExplanationSummary:
    """Numbers and sentences of an explanation."""
    summary = ExplanationSummary(
        temperature_K=found.temperature_K,
        prediction=found.prediction,
        baseline=found.baseline,
        species=[SpeciesShare.model_validate(part) for part in found.species],
        sites=[SiteShare.model_validate(site) for site in found.sites],
        sites_remainder=found.sites_remainder,
        lithium_paths=None if found.paths is None else _summary(found.paths),
        lithium_paths_unknown=found.paths_unknown or None,
        neighbours=[_neighbour(neighbour) for neighbour in found.neighbours],
        searched=list(found.searched),
        rows_searched=found.rows_searched,
        text=[],
    )
    sentences = [_species(summary), _sites(summary), _paths(summary), _neighbours(summary)]
    return summary.model_copy(update={"text": [sentence for sentence in sentences if sentence]})


def _summary(paths: "LithiumPaths") -> LithiumPathsSummary:
    summary = LithiumPathsSummary.model_validate(paths)
    return summary.model_copy(update={"borrowed_from": paths.borrowed_from or None})


def _neighbour(neighbour: "Neighbour") -> MeasuredNeighbour:
    m = neighbour.measurement
    return MeasuredNeighbour(
        formula=m.formula.strip(),
        conductivity=10.0**m.log10_conductivity,
        censored=m.censored,
        temperature_K=m.temperature_K,
        kind=m.kind,
        activation_energy=m.activation_energy_eV,
        family=m.family,
        doi=m.doi,
        reference=m.reference,
        source=m.source,
        distance=neighbour.distance,
        same_space_group=neighbour.same_space_group,
    )


def _species(found: ExplanationSummary) -> str:
    ordered = sorted(found.species, key=lambda part: -abs(part.decades))
    shown = [f"{part.element} {signed(part.decades)}" for part in ordered if abs(part.decades) >= SMALL]
    rest = sum(part.decades for part in ordered if abs(part.decades) < SMALL)
    if len(shown) < len(ordered):
        shown.append(f"the others {signed(rest)}")
    return (
        f"Predicted: 10^{decimal(found.prediction)} S/cm at {found.temperature_K:g} K. With typical anions and cations "
        f"around its lithium it would be 10^{decimal(found.baseline)}; the difference in decades: {', '.join(shown)}."
    )


def _sites(found: ExplanationSummary) -> str:
    if not found.sites:
        return ""
    known = [site for site in found.sites if site.decades is not None]
    shown = [f"{site.label} {signed(site.decades)}" for site in known if site.decades and abs(site.decades) >= SMALL]
    return (
        "Sites of the crystal, each emptied of lithium or filled with typical species alone: "
        + (", ".join(shown) if shown else f"none changes the prediction by {SMALL:g} decades")
        + f"; the remaining {signed(found.sites_remainder or 0.0)} lie in the formula and in what sites do together."
    )


def _paths(found: ExplanationSummary) -> str:
    paths = found.lithium_paths
    if paths is None:
        return found.lithium_paths_unknown or ""
    if paths.borrowed_from is None:
        return _where_lithium_goes(paths)
    return (
        "No crystal was given, so the lithium paths are unknown. Borrowed for a hint, in the sites of "
        f"{paths.borrowed_from} filled with this formula: {_where_lithium_goes(paths)}"
    )


def _where_lithium_goes(paths: LithiumPathsSummary) -> str:
    if paths.dimension == 0:
        needed = paths.percolation[0]
        more = "no hops up to 6 Å do" if needed is None else f"it takes hops of {needed:.2f} Å"
        return f"Lithium sites within {paths.hop:g} Å of each other lead nowhere; {more}."
    needed = paths.percolation[paths.dimension - 1]
    window = paths.bottleneck[paths.dimension - 1]
    narrow = "" if window is None else f"; its best path leaves a sphere of {decimal(window)} Å radius at its narrowest"
    return (
        f"Lithium can go on for ever in {paths.dimension} dimension{'s' if paths.dimension > 1 else ''} by hops of at "
        f"most {paths.hop:g} Å (needed: {needed:.2f} Å){narrow}. Sites that hold lithium are of {paths.sites} "
        f"kind{'s' if paths.sites > 1 else ''}, occupied to {paths.mean_occupancy:.0%} in the mean."
    )


def _neighbours(found: ExplanationSummary) -> str:
    where = ", ".join(found.searched)
    if not found.neighbours:
        return f"No measured material was found ({where})."
    first = found.neighbours[0]
    return (
        f"Nearest of {found.rows_searched} measured conductivities ({where}): {first.formula}, "
        f"{'<' if first.censored else ''}{first.conductivity:.1e} S/cm at {first.temperature_K:.0f} K"
        f" ({first.doi or first.reference or first.source})."
    )


def signed(value: float) -> str:
    """Two decimals, always with a sign; the minus is a minus."""
    return f"{value:+.2f}".replace("-", "−").replace("−0.00", "+0.00")


def decimal(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")
