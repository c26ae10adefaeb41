"""Interphases, stability maps and conversion layers: the path that the service and the command line share."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from pymatgen.core import Composition

from ionscout.datasets.errors import InvalidInput
from ionscout.datasets.hulls import Hull
from ionscout.models.thermo.conversion import conversion
from ionscout.models.thermo.interphase import STABLE_BELOW, cathode_interphase, lithium_interphase
from ionscout.models.thermo.stability_map import STEPS, StabilityMap, stability_map
from ionscout.serving.screening_schemas import (
    ConversionAnswer,
    ConversionRequest,
    InterphaseAnswer,
    InterphaseRequest,
    StabilityMapAnswer,
    StabilityMapRequest,
)
from ionscout.serving.thermo_answers import deadline
from ionscout.serving.thermo_inputs import hull_named, reactant


def interphase_answer(
    electrolyte: Composition,
    against: Composition,
    hull: Hull,
    *,
    charged: bool = False,
    voltage: float | None = None,
    threshold: float = STABLE_BELOW,
) -> InterphaseAnswer:
    """Class of the interphase with lithium metal, or with a cathode.

    Args:
        against: lithium, or the cathode as it is in the cell.
        charged: `against` was half delithiated; stated in the answer.

    Raises:
        As `models.thermo.interphase`; InvalidInput for a voltage beside lithium metal.
    """
    if len(against) > 1:
        found = cathode_interphase(electrolyte, against, hull, voltage=voltage, threshold=threshold)
        return InterphaseAnswer.model_validate(replace(found, charged=charged))
    if against.elements[0].symbol != "Li":
        raise InvalidInput("An interphase forms against lithium metal or a cathode; name one of them.")
    if voltage is not None:
        raise InvalidInput("Lithium metal sets the voltage itself, to 0 V; leave the voltage out.")
    return InterphaseAnswer.model_validate(lithium_interphase(electrolyte, hull, threshold=threshold))


def map_of(
    corners: Sequence[Composition],
    partner: Composition,
    hull: Hull,
    *,
    steps: int = STEPS,
    threshold: float = STABLE_BELOW,
    progress: Callable[[int, int], None] | None = None,
) -> StabilityMap:
    """The stability map of exactly three corners.

    Raises:
        InvalidInput: another number of corners, or as `models.thermo.stability_map`.
    """
    if len(corners) != 3:
        raise InvalidInput(f"A triangle has three corners, not {len(corners)}; name three, such as Li, Ti and O.")
    first, second, third = corners
    return stability_map((first, second, third), partner, hull, steps=steps, threshold=threshold, progress=progress)


def map_answer(found: StabilityMap) -> StabilityMapAnswer:
    """A stability map as the service states it."""
    return StabilityMapAnswer(
        hull=found.hull,
        hull_version=found.hull_version,
        correction=found.correction,
        corners=list(found.corners),
        partner=found.partner,
        threshold=found.threshold,
        stable_share=found.stable_share,
        fractions=found.fractions.tolist(),
        energies=found.energies.tolist(),
        triangles=found.triangles.tolist(),
        contour=found.contour.tolist(),
    )


def conversion_answer(additive: Composition, hull: Hull) -> ConversionAnswer:
    """What lithium makes of an additive.

    Raises:
        As `models.thermo.conversion.conversion`.
    """
    return ConversionAnswer.model_validate(conversion(additive, hull))


def answer_interphase(asked: InterphaseRequest) -> InterphaseAnswer:
    """Answer one request.

    Raises:
        IonscoutError: one of its subclasses, a sentence for the user.
    """
    return interphase_answer(
        reactant(asked.electrolyte),
        reactant(asked.against, half=asked.half_lithiated),
        hull_named(asked.hull),
        charged=asked.half_lithiated,
        voltage=asked.voltage,
        threshold=asked.threshold,
    )


def answer_map(asked: StabilityMapRequest) -> StabilityMapAnswer:
    """Answer one request.

    Raises:
        IonscoutError: one of its subclasses, a sentence for the user; Overloaded when the time is over.
    """
    corners, partner = [reactant(corner) for corner in asked.corners], reactant(asked.partner)
    hull, stop = hull_named(asked.hull), deadline()
    found = map_of(
        corners, partner, hull, steps=asked.steps, threshold=asked.threshold, progress=lambda done, total: stop()
    )
    return map_answer(found)


def answer_conversion(asked: ConversionRequest) -> ConversionAnswer:
    """Answer one request.

    Raises:
        IonscoutError: one of its subclasses, a sentence for the user.
    """
    return conversion_answer(reactant(asked.additive), hull_named(asked.hull))
