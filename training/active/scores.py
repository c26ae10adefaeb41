"""Scores: a fast pass over all candidates, then the model and thermodynamics for the promising ones."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from pymatgen.core import Composition

from ionscout.datasets.element_facts import element_facts
from ionscout.datasets.errors import InvalidInput
from ionscout.datasets.hulls import Hull
from ionscout.models.arrhenius import REFERENCE_TEMPERATURE
from ionscout.models.conductivity.predictor import ConductivityPrediction, ConductivityPredictor
from ionscout.training.active.candidates import Candidate, CandidateOptions, enumerate_candidates
from ionscout.training.active.carriers import host_prior
from ionscout.training.active.conduction import HARDLY, Conduction, ConductionMap, expected, predict
from ionscout.training.active.host import Host
from ionscout.training.active.stability import Stability, stabilities

PRESELECTED = 250  # candidates that get the model's own answer and thermodynamics: about 15 s on one core
PER_IDEA = 2  # amounts of one set of substitutions among them
COVERED = 3.0  # decades: each element's best candidate is among them if it lies within this of the best of all
TOXICITY = {"low": 0, "moderate": 1, "high": 2}

Stage = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Score:
    """All that is known about one candidate.

    Attributes:
        conduction: log10 σ of model and prior. gain: decades above what is expected of the undoped host.
        prediction: the model's own answer with its interval; None for candidates of the fast pass.
        stability: None for candidates of the fast pass, and where the hull lacks an element.
        price_class: worst of the dopants, 1 to 5. abundance: rarest dopant, mg/kg of the crust.
        toxicity: worst of the dopants, 0 low, 1 moderate, 2 high.
    """

    candidate: Candidate
    conduction: Conduction
    gain: float
    prediction: ConductivityPrediction | None
    stability: Stability | None
    price_class: int
    abundance: float
    toxicity: int


@dataclass(frozen=True)
class Survey:
    """The scores of one host.

    Attributes:
        host, host_prediction, host_expected: the undoped host; the model's answer, and log10 σ with the prior.
        enumerated: number of candidates. best: log10 σ expected of each dopant's best single substitution.
        scores: of the preselected candidates, in no particular order.
        temperature_K: of all conductivities. hull: name and version.
    """

    host: Host
    host_prediction: ConductivityPrediction
    host_expected: float
    enumerated: int
    best: dict[str, float]
    scores: tuple[Score, ...]
    temperature_K: float
    hull: str


def survey(
    host: Host,
    predictor: ConductivityPredictor,
    hull: Hull,
    *,
    options: CandidateOptions | None = None,
    temperature_K: float = REFERENCE_TEMPERATURE,
    cathode: Composition | None = None,
    preselected: int = PRESELECTED,
    stage: Stage = lambda name, done, total: None,
) -> Survey:
    """Enumerate and score all candidates of a host.

    The fast pass judges every candidate by conduction (`ConductionMap`), site energy and elemental facts. The best, and
    the best of every element, then get the model's own answer and thermodynamics.

    Raises:
        InvalidInput: no candidate at all. Others as `enumerate_candidates` and `stabilities`.
    """
    candidates = _listed(enumerate_candidates(host, options, hull), stage)
    if not candidates:
        raise InvalidInput(f"{host.formula} takes none of these dopants with its charge balanced; allow more elements.")
    singles = [c for c in candidates if len(c.substitutions) == 1]
    known = ConductionMap(predictor, host, singles, temperature_K, lambda d, t: stage("Conductivity map", d, t))
    fast = [known.conduction(c) for c in candidates]
    chosen = preselect(candidates, fast, preselected)
    picked = [candidates[i] for i in chosen]
    answers = predict(predictor, [c.material for c in picked], temperature_K, lambda d, t: stage("Conductivity", d, t))
    host_expected = known.host + host_prior(host).decades
    thermo = stabilities(host, picked, hull, cathode, lambda d, t: stage("Thermodynamics", d, t))
    scores = tuple(
        _score(c, _conduction(c, answer, known.host), host_expected, answer, stability)
        for c, answer, stability in zip(picked, answers, thermo, strict=True)
    )
    best: dict[str, float] = {}
    for c, conduction in zip(candidates, fast, strict=True):
        if len(c.substitutions) == 1:
            best[c.dopants[0]] = max(conduction.expected, best.get(c.dopants[0], -np.inf))
    return Survey(
        host, known.host_prediction, host_expected, len(candidates), best, scores, temperature_K,
        f"{hull.name} {hull.version}",
    )  # fmt: skip


def preselect(candidates: Sequence[Candidate], fast: Sequence[Conduction], number: int) -> list[int]:
    """Numbers of the candidates worth the expensive scores: each element's best ones, then the best of all.

    Judged by expected conduction, less a decade for every two classes of price and toxicity: enough to prefer a common
    element among equals, too little to lose a good one.
    """
    value = np.array([
        c.expected - 0.1 * _worst(x)[0] - 0.2 * _worst(x)[1] - (1.0 if x.realised < HARDLY else 0.0)
        for x, c in zip(candidates, fast, strict=True)
    ])  # fmt: skip
    order = np.argsort(-value, kind="stable")
    per_idea: dict[tuple[str, ...], int] = {}
    leaders: dict[str, int] = {}
    rest: list[int] = []
    for i in map(int, order):
        idea = candidates[i].idea
        if per_idea.get(idea, 0) >= PER_IDEA:
            continue
        per_idea[idea] = per_idea.get(idea, 0) + 1
        single = len(candidates[i].substitutions) == 1
        dopant = candidates[i].dopants[0]
        if single and dopant not in leaders and value[i] > value[order[0]] - COVERED:
            leaders[dopant] = i
        else:
            rest.append(i)
    chosen = [*leaders.values(), *rest][: max(number, 1)]
    return sorted(chosen, key=lambda i: -value[i])


def score_all(
    candidates: Sequence[Candidate],
    predictor: ConductivityPredictor,
    hull: Hull,
    temperature_K: float = REFERENCE_TEMPERATURE,
    cathode: Composition | None = None,
    *,
    thermodynamics: bool = True,
) -> list[Score]:
    """Full scores of a few candidates of one host, in their order; for scans and campaigns."""
    if not candidates:
        return []
    host = candidates[0].host
    quiet = lambda done, total: None  # noqa: E731
    answers = predict(predictor, [host.material, *(c.material for c in candidates)], temperature_K, quiet)
    level = float(np.log10(answers[0].conductivity))
    thermo = stabilities(host, candidates, hull, cathode) if thermodynamics else [None] * len(candidates)
    return [
        _score(c, _conduction(c, answer, level), level + host_prior(host).decades, answer, stability)
        for c, answer, stability in zip(candidates, answers[1:], thermo, strict=True)
    ]


def _listed(found: Iterable[Candidate], stage: Stage) -> list[Candidate]:
    candidates = []
    for number, candidate in enumerate(found):
        candidates.append(candidate)
        if number % 500 == 0:
            stage("Candidates", number, 0)
    return candidates


def _conduction(candidate: Candidate, answer: ConductivityPrediction, host_model: float) -> Conduction:
    width = 0.5 * float(np.log10(answer.upper / answer.lower))
    return expected(candidate, float(np.log10(answer.conductivity)), host_model, width)


def _score(
    candidate: Candidate,
    conduction: Conduction,
    host_expected: float,
    prediction: ConductivityPrediction | None,
    stability: Stability | None,
) -> Score:
    price, toxicity = _worst(candidate)
    abundance = min(element_facts(d).abundance for d in candidate.dopants)
    gain = conduction.expected - host_expected
    return Score(candidate, conduction, gain, prediction, stability, price, abundance, toxicity)


def _worst(candidate: Candidate) -> tuple[int, int]:
    facts = [element_facts(dopant) for dopant in candidate.dopants]
    return max(f.price_class for f in facts), max(TOXICITY[f.toxicity] for f in facts)
