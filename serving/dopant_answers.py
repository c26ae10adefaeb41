"""From a host to ranked dopants: the one path that the service, the command line and the figures share."""

import re
from collections.abc import Callable, Sequence

import numpy as np
from pymatgen.core import Composition, Element

from ionscout.datasets.errors import InvalidInput
from ionscout.datasets.hulls import Hull
from ionscout.datasets.structure import Material, parse_material
from ionscout.models.conductivity.predictor import ConductivityPredictor
from ionscout.serving.dopant_schemas import (
    DopantConductivity,
    DopantItem,
    DopantsAnswer,
    DopantsRequest,
    DopantStability,
    Scan,
    ScanPoint,
    Substituted,
)
from ionscout.serving.thermo_answers import deadline
from ionscout.serving.thermo_inputs import hull_named, reactant
from ionscout.training.active.candidates import CandidateOptions, scan
from ionscout.training.active.host import Host, host_of
from ionscout.training.active.ions import Ion, anion_state, cation_states
from ionscout.training.active.ranking import OBJECTIVES, Ranked, diverse, rank, read_constraints, read_weights
from ionscout.training.active.scores import PRESELECTED, Score, score_all, survey
from ionscout.training.active.sites import placements

SCAN_POINTS = 21
PRESELECTED_OVER_HTTP = 120  # half of the shell's: a request has 45 s, and shares its cores with others
TOXICITY = ("low", "moderate", "high")
_SCAN = re.compile(r"\s*([A-Z][a-z]?)\s*:\s*([A-Z][a-z]?)(\d)?\+?\s*$")

Stage = Callable[[str, int, int], None]


def answer_dopants(request: DopantsRequest, predictor: ConductivityPredictor) -> DopantsAnswer:
    """Answer one request of the service.

    Raises:
        IonscoutError: as `dopants_answer`; Overloaded when it takes too long.
    """
    if request.formula is not None:
        material = parse_material(request.formula, "formula")
    else:
        material = parse_material(request.text or "", request.format)
    cathode = None if request.cathode is None else reactant(request.cathode)
    stop = deadline()
    return dopants_answer(
        material, hull_named(request.hull), predictor, request, cathode, PRESELECTED_OVER_HTTP, lambda *_: stop()
    )


def dopants_answer(
    material: Material,
    hull: Hull,
    predictor: ConductivityPredictor,
    request: DopantsRequest,
    cathode: Composition | None = None,
    preselected: int = PRESELECTED,
    stage: Stage = lambda name, done, total: None,
) -> DopantsAnswer:
    """Enumerate, score and rank the dopants of a host.

    Raises:
        InvalidInput: no lithium, no valid candidate, contradictory constraints, an unknown objective or element.
    """
    weights, constraints = read_weights(request.objectives), read_constraints(request.constraints)
    if cathode is None:
        weights = {name: weight for name, weight in weights.items() if name != "cathode"}
    if not weights or (cathode is None and any(c.objective.name == "cathode" for c in constraints)):
        raise InvalidInput("The objective 'cathode' needs a cathode; name one, such as NMC811.")
    options = CandidateOptions(
        elements=None if request.elements is None else tuple(request.elements),
        excluded=tuple(request.excluded),
        co_doping=request.co_doping,
        anion_compensation=request.co_doping,
    )
    host = host_of(material)
    curve = None if request.scan is None else scan_answer(host, request.scan, hull, predictor, request.temperature_K)
    found = survey(
        host, predictor, hull, options=options, temperature_K=request.temperature_K, cathode=cathode,
        preselected=preselected, stage=stage,
    )  # fmt: skip
    ranking = rank(found.scores, weights, constraints)
    warnings = list(host.notes)
    missing = sum(score.stability is None for score in found.scores)
    if missing:
        warnings.append(f"{missing} candidates hold an element that the hull {hull.name} lacks: no thermodynamics.")
    return DopantsAnswer(
        host=host.formula,
        host_conductivity=found.host_prediction.conductivity,
        host_expected=10**found.host_expected,
        candidates=found.enumerated,
        scored=len(found.scores),
        ranked=[_item(entry, place) for place, entry in enumerate(diverse(ranking, request.top), start=1)],
        elements={e: value - found.host_expected for e, value in sorted(found.best.items(), key=lambda p: -p[1])},
        front=[_point(entry) for entry in ranking],
        scan=curve,
        weights=weights,
        temperature_K=found.temperature_K,
        model=found.host_prediction.version,
        hull=found.hull,
        warnings=warnings,
    )


def scan_answer(host: Host, text: str, hull: Hull, predictor: ConductivityPredictor, temperature_K: float) -> Scan:
    """The curve of one substitution, `replaced:dopant`, e.g. `Cl:Br` or `Zr:Ta5+`.

    Raises:
        InvalidInput: not such a text, the host lacks the element, or nothing fits.
    """
    match = _SCAN.match(text)
    if match is None or not all(Element.is_valid_symbol(symbol) for symbol in match.group(1, 2)):
        raise InvalidInput(f"'{text}' is no substitution; write the host's element and the dopant, such as Cl:Br.")
    replaced = match[1]
    if replaced not in host.states:
        raise InvalidInput(f"{host.formula} holds no {replaced}; name one of its elements.")
    dopant = _scanned_ion(host, replaced, match[2], match[3], hull)
    most = host.sublattice(replaced).amount
    amounts = [float(x) for x in np.linspace(0, most, SCAN_POINTS)[1:]]
    line = scan(host, dopant, replaced, amounts, hull)
    if not line:
        raise InvalidInput(f"No amount of {dopant} on {replaced} balances its charge in {host.formula}.")
    scores = score_all(line, predictor, hull, temperature_K, thermodynamics=False)
    own = predictor.predict([host.material], temperature_K)[0]
    level = 10 ** (scores[0].conduction.expected - scores[0].gain)
    points = [
        ScanPoint(amount=0.0, formula=host.formula, conductivity=own.conductivity, lower=own.lower, upper=own.upper,
                  expected=level),
        *(_scan_point(score) for score in scores),
    ]  # fmt: skip
    best = max(points, key=lambda point: point.conductivity)
    joined = max(points, key=lambda point: point.expected)
    last = points[-1].amount
    return Scan(
        substitution=f"{replaced}:{dopant.symbol}",
        mechanism=line[0].mechanism,
        points=points,
        maximum=best.amount,
        inside=0 < best.amount < last,
        expected_maximum=joined.amount,
        expected_inside=0 < joined.amount < last,
        note=_scan_note(points, best, joined),
    )


def _scan_note(points: Sequence[ScanPoint], best: ScanPoint, joined: ScanPoint) -> str:
    """What a curve says: where its maxima are, and how sure that is."""
    first, last = points[0], points[-1]
    half = 0.5 * np.log10(best.upper / best.lower)
    if 0 < best.amount < last.amount:
        over = np.log10(best.conductivity / max(first.conductivity, last.conductivity))
        note = f"The model is largest at {best.amount:.2g} per formula unit, {over:.2f} decades above the better end"
    else:
        note = f"The model is largest at an end ({best.amount:.2g} per formula unit)"
    if 0 < joined.amount < last.amount:
        over = np.log10(joined.expected / max(first.expected, last.expected))
        note += f"; with the priors at {joined.amount:.2g}, {over:.2f} decades above the better end"
    else:
        note += f"; with the priors at an end ({joined.amount:.2g})"
    return f"{note}. The interval of ±{half:.1f} decades is wider than the differences along the curve may be."


def _scanned_ion(host: Host, replaced: str, dopant: str, charge: str | None, hull: Hull) -> Ion:
    """The dopant's ion: the given charge, else the state that fits the site best."""
    anion = anion_state(dopant)
    if host.states.get(replaced, 1) < 0:
        if anion is None:
            raise InvalidInput(f"{dopant} forms no anion that could take the place of {replaced}.")
        return anion
    states = cation_states(dopant)
    if charge is not None:
        states = tuple(ion for ion in states if ion.charge == float(charge))
    ranked = [p for p in placements(states, host, hull) if p.host_ion.symbol == replaced]
    if not ranked:
        raise InvalidInput(f"{dopant}{charge or ''} cannot take the place of {replaced}; choose another dopant.")
    return ranked[0].ion


def _scan_point(score: Score) -> ScanPoint:
    assert score.prediction is not None  # `score_all` asks the model for every candidate
    return ScanPoint(
        amount=score.candidate.amounts[0],
        formula=score.candidate.formula,
        conductivity=score.prediction.conductivity,
        lower=score.prediction.lower,
        upper=score.prediction.upper,
        expected=10**score.conduction.expected,
    )


def _point(entry: Ranked) -> tuple[str, float, float, bool]:
    stability = entry.score.stability
    energy = 0.0 if stability is None else stability.lithium_energy
    return entry.score.candidate.formula, entry.score.conduction.expected, energy, entry.on_front


def _item(entry: Ranked, place: int) -> DopantItem:
    score, candidate = entry.score, entry.score.candidate
    prediction = score.prediction
    assert prediction is not None  # candidates of the fast pass are not ranked
    return DopantItem(
        rank=place,
        formula=candidate.formula,
        mechanism=candidate.mechanism,
        kind=candidate.kind,
        substitutions=_substituted(score),
        conductivity=DopantConductivity(
            model=prediction.conductivity,
            lower=prediction.lower,
            upper=prediction.upper,
            coverage=prediction.coverage,
            temperature_K=prediction.temperature_K,
            activation_energy=prediction.activation_energy,
            expected=10**score.conduction.expected,
            gain=score.gain,
            carrier_prior=score.conduction.carriers.decades,
            realised=candidate.realised,
            in_domain=prediction.in_domain,
        ),
        stability=None if score.stability is None else DopantStability(**_plain(score.stability)),
        price_class=score.price_class,
        abundance=score.abundance,
        toxicity=TOXICITY[score.toxicity],  # type: ignore[arg-type]
        score=entry.total,
        pareto=entry.on_front,
        parts=dict(entry.parts),
    )


def _substituted(score: Score) -> list[Substituted]:
    candidate = score.candidate
    return [
        Substituted(
            dopant=s.ion.symbol,
            state=s.ion.charge,
            site=s.host_ion.symbol,
            site_state=s.host_ion.charge,
            amount=s.amount,
            coordination=p.coordination,
            radius_mismatch=p.radius_mismatch,
            bond_valence_sum=p.bond_valence_sum,
            site_energy=p.energy,
            excess=p.excess,
        )
        for s, p in zip(candidate.substitutions, candidate.placements, strict=True)
    ]


def _plain(stability) -> dict:
    return {name: getattr(stability, name) for name in DopantStability.model_fields}


def objective_names() -> Sequence[str]:
    """What can be ranked by, for help texts."""
    return tuple(OBJECTIVES)
