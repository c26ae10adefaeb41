"""What a campaign asks by default: the served model, corrected by its observations, and an acquisition function."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
from pymatgen.core import Composition

from ionscout.datasets.composition import atomic_fractions, formula_text
from ionscout.datasets.observations.records import Campaign, NewSuggestion, Observation
from ionscout.datasets.observations.source import measurements
from ionscout.datasets.sources.repeats import SAME_FORMULA
from ionscout.datasets.structure import Material, parse_material
from ionscout.models.conductivity.predictor import ConductivityPrediction
from ionscout.training.active.advisor_options import AdvisorOptions
from ionscout.training.active.campaign import NEAR, NothingLeft
from ionscout.training.active.candidates import Candidate, enumerate_candidates
from ionscout.training.active.host import host_of
from ionscout.training.active.posterior import Posterior
from ionscout.training.active.suggest import Known, suggest
from ionscout.training.active.update import NOISE, Predictor, UpdatedPredictor, normal_of

# Candidates of one host that are predicted, best site preference first.
MOST_PREDICTED = 2000
MOST_JOINT = 600  # go to the acquisition function, whose joint belief costs the square of their number
BOUND = 1.0  # standard deviations above the mean by which those are chosen


@dataclass(frozen=True)
class Choice:
    """One candidate on its way to the acquisition function."""

    material: Material
    host: str
    mechanism: str
    elements: frozenset[str]
    sites: str
    candidate: Candidate | None = field(default=None, repr=False)


class Advisor:
    """Suggests by the model's belief about every candidate after what the campaign has observed."""

    def __init__(self, predictor: Predictor) -> None:
        self.predictor = predictor

    def suggest(
        self, campaign: Campaign, observations: Sequence[Observation], taken: Sequence[Composition], n: int
    ) -> list[NewSuggestion]:
        """The next batch; as `campaign.Suggester`.

        Raises:
            BadCampaign, NothingLeft, InvalidInput.
        """
        options = AdvisorOptions.of(campaign)
        choices = _untaken(choices_of(campaign, options), taken)
        if not choices:
            raise NothingLeft(
                f"Campaign {campaign.name} has no candidate left: every one was suggested or made, or none fits its "
                "options; start one with more hosts or elements."
            )
        updated = UpdatedPredictor(self.predictor, measurements(observations))
        plain = self.predictor.predict([c.material for c in choices], campaign.temperature_K)
        found = updated.correct([c.material for c in choices], plain)
        rows = shortlist(found)
        materials = [choices[i].material for i in rows]
        mean, covariance = updated.belief(materials, [plain[i] for i in rows])
        chosen = suggest(
            [m.composition for m in materials],
            Posterior.gaussian(mean, covariance),
            n,
            method=options.method,
            dial=options.dial,
            diversity=options.diversity,
            sites=[choices[i].sites for i in rows],
            elements=[choices[i].elements for i in rows],
            known=_known(updated, campaign.temperature_K),
            noise=NOISE**2,
            seed=campaign.seed + len(taken),
        )
        return [
            _suggestion(
                choices[rows[s.index]],
                found[rows[s.index]],
                s.exploitation + s.exploration + s.diversity,
                s.reason,
            )
            for s in chosen
        ]


def choices_of(campaign: Campaign, options: AdvisorOptions) -> Iterator[Choice]:
    """Every candidate of a campaign: the listed formulas, or doped variants of its hosts, best fitting first.

    Raises:
        InvalidInput: one of its subclasses, about a host or a formula.
    """
    if options.candidates is not None:
        for formula in options.candidates:
            material = parse_material(formula, "formula")
            elements = frozenset(e.symbol for e in material.composition)
            yield Choice(material, _nearest_host(material, campaign.hosts), "from the campaign's list", elements, "")
        return
    for text in campaign.hosts:
        host = host_of(parse_material(text, "formula"))
        for candidate in islice(enumerate_candidates(host, options.candidate_options()), MOST_PREDICTED):
            yield Choice(
                candidate.material,
                formula_text(host.composition),
                candidate.mechanism,
                frozenset(candidate.dopants),
                "+".join(sorted(candidate.sites)),
                candidate,
            )


def shortlist(found: Sequence[ConductivityPrediction], most: int = MOST_JOINT) -> list[int]:
    """Row numbers of those that may be good, in their order."""
    mean, deviation = normal_of(found)
    return sorted(np.argsort(-(mean + BOUND * deviation), kind="stable")[:most].tolist())


def _untaken(choices: Iterator[Choice], taken: Sequence[Composition]) -> list[Choice]:
    if not taken:
        return list(choices)
    known = np.stack([atomic_fractions(composition) for composition in taken])
    return [
        choice
        for choice in choices
        if np.abs(known - atomic_fractions(choice.material.composition)).max(1).min() > SAME_FORMULA
    ]


def _known(updated: UpdatedPredictor, temperature_K: float) -> list[Known]:
    """What was measured near the campaign's temperature, for the explanations."""
    return [
        Known(m.composition, m.log10_conductivity, m.formula)
        for m in updated.observed
        if not m.censored and abs(m.temperature_K - temperature_K) <= NEAR
    ]


def _nearest_host(material: Material, hosts: Sequence[str]) -> str:
    own = atomic_fractions(material.composition)
    apart = {host: np.abs(atomic_fractions(parse_material(host, "formula").composition) - own).sum() for host in hosts}
    return min(apart, key=lambda host: apart[host])


def _suggestion(choice: Choice, found: ConductivityPrediction, acquisition: float, reason: str) -> NewSuggestion:
    structure = choice.material.structure
    scores: dict[str, float | str | bool | None] = {"in_domain": found.in_domain}
    if choice.candidate is not None:
        scores |= {"site_energy": choice.candidate.site_energy, "compensation": choice.candidate.kind}
    return NewSuggestion(
        formula=choice.material.formula,
        host=choice.host,
        mechanism=choice.mechanism,
        acquisition=float(acquisition),
        explanation=reason,
        conductivity=found.conductivity,
        lower=found.lower,
        upper=found.upper,
        coverage=found.coverage,
        temperature_K=found.temperature_K,
        model=found.model,
        version=found.version,
        cif=None if structure is None else str(structure.to(fmt="cif")),
        scores=scores,
    )
