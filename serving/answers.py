"""From checked materials to answers: the one path that the service and the command line share."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from ionscout.datasets.errors import IonscoutError, OutOfRange
from ionscout.datasets.settings import settings
from ionscout.datasets.structure import Material, parse_material
from ionscout.models.conductivity.kinds import ConductivityKind
from ionscout.serving.explanation_answers import explain_prediction
from ionscout.serving.measured_notes import measured_notes
from ionscout.serving.problems import ItemError
from ionscout.serving.schemas import (
    COLDEST,
    HOTTEST,
    ActivationEnergy,
    Conductivity,
    CrystalRequest,
    Prediction,
    temperature_sentence,
)
from ionscout.serving.thermo_answers import Thermodynamics, summarise

if TYPE_CHECKING:  # torch takes seconds to import, and whoever calls holds a predictor already
    from ionscout.models.conductivity.predictor import ConductivityPrediction, ConductivityPredictor


def load_predictor() -> "ConductivityPredictor":
    """The model that answers: the shipped weights, or the registered one that `IONSCOUT_MODEL_URI` names."""
    uri = settings().model_uri
    if uri is None:
        from ionscout.models.conductivity.predictor import ConductivityPredictor

        return ConductivityPredictor.load()
    from ionscout.training.registry import load_registered  # MLflow is imported only on this path

    return load_registered(uri)


def check_temperature(temperature_K: float) -> float:
    """Return the temperature if it lies in the range that the models answer for.

    Raises:
        OutOfRange: when it does not; the message asks whether degrees celsius were meant.
    """
    if not (math.isfinite(temperature_K) and COLDEST <= temperature_K <= HOTTEST):
        raise OutOfRange(temperature_sentence(temperature_K))
    return temperature_K


def read_request(request: CrystalRequest) -> Material:
    """Parse and check the material of one request.

    Raises:
        InvalidInput: one of its subclasses.
    """
    if request.formula is not None:
        return parse_material(request.formula, "formula")
    return parse_material(request.text or "", request.format)


def read_requests(requests: Sequence[CrystalRequest]) -> list[Material]:
    """Parse and check a list.

    Raises:
        ItemError: for the first bad item, with its position.
    """
    materials = []
    for index, request in enumerate(requests):
        try:
            materials.append(read_request(request))
        except IonscoutError as error:
            raise ItemError(error, index) from None
    return materials


@dataclass(frozen=True)
class ThermodynamicsChoice:
    """Whether thermodynamics is wanted beside the conductivity, and from which hull (None: the default one)."""

    wanted: bool = True
    hull: str | None = None


def answer(
    predictor: "ConductivityPredictor",
    materials: Sequence[Material],
    temperatures_K: Sequence[float],
    choices: Sequence[ThermodynamicsChoice] | None = None,
    check_time: Callable[[], None] | None = None,
    explained: Sequence[bool] = (),
    kinds: Sequence[ConductivityKind] = (),
    compared: bool = True,
) -> list[Prediction]:
    """Predict every material at its own temperature, in order; equal temperatures and kinds share one batch.

    Args:
        choices: about the thermodynamics of each material; None: wanted for all, from the default hull.
        check_time: called before every material's thermodynamics; raises when the request takes too long.
        explained: which materials' predictions to explain; empty: none.
        kinds: which conductivity of each material is wanted; empty: total.
        compared: warn where this machine's tables have other values of the very material.
    """
    chosen = [ThermodynamicsChoice()] * len(materials) if choices is None else choices
    known: dict[tuple[str, str | None], Thermodynamics] = {}  # the polymorphs of one batch share their composition
    answers: dict[int, Prediction] = {}
    wanted: Sequence[ConductivityKind] = kinds or ["total"] * len(materials)
    asked = list(zip(temperatures_K, wanted, strict=True))
    for temperature, kind in sorted(set(asked)):
        places = [i for i, one in enumerate(asked) if one == (temperature, kind)]
        predictions = predictor.predict([materials[i] for i in places], temperature, kind)
        for i, prediction in zip(places, predictions, strict=True):
            if check_time is not None:
                check_time()
            measured = measured_notes(materials[i], prediction) if compared else []
            thermo = _thermodynamics(materials[i], chosen[i], known)
            answers[i] = _prediction(materials[i], prediction, thermo, measured)
            if explained and explained[i]:
                why = explain_prediction(predictor, materials[i], temperature, kind, check_time)
                answers[i] = answers[i].model_copy(update={"explanation": why})
    return [answers[i] for i in range(len(materials))]


def _thermodynamics(
    material: Material, choice: ThermodynamicsChoice, known: dict[tuple[str, str | None], Thermodynamics]
) -> Thermodynamics:
    if not choice.wanted:
        return Thermodynamics()
    key = material.formula, choice.hull
    if key not in known:
        known[key] = summarise(material.composition, choice.hull)
    return known[key]


def conductivity_of(found: "ConductivityPrediction") -> Conductivity:
    """A prediction as the service states it."""
    return Conductivity(
        value=found.conductivity,
        kind=found.kind,
        lower=found.lower,
        upper=found.upper,
        coverage=found.coverage,
        temperature_K=found.temperature_K,
        in_domain=found.in_domain,
        # The last bits depend on what else was in the batch.
        novelty=None if found.novelty is None else round(found.novelty, 4),
        path=found.path,
        model=found.model,
        version=found.version,
    )


def _prediction(
    material: Material, found: "ConductivityPrediction", thermo: Thermodynamics, measured: list[str]
) -> Prediction:
    energy = found.activation_energy
    half = NormalDist().inv_cdf((1 + found.coverage) / 2) * found.activation_energy_deviation
    return Prediction(
        formula=material.formula,
        source_format=material.source_format,
        conductivity=conductivity_of(found),
        activation_energy=None
        if energy is None
        else ActivationEnergy(
            value=energy,
            lower=max(0.0, energy - half),
            upper=energy + half,
            coverage=found.coverage,
            in_domain=found.in_domain,
            model=found.model,
            version=found.version,
        ),
        window=thermo.window,
        energy_above_hull=thermo.energy_above_hull,
        lithium_interphase=thermo.lithium_interphase,
        warnings=list(dict.fromkeys((*material.warnings, *found.warnings, *measured, *thermo.warnings))),
    )
