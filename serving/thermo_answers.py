"""From compositions to thermodynamic answers: the one path that the service and the command line share."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from pymatgen.core import Composition

from ionscout.datasets.errors import IonscoutError
from ionscout.datasets.hulls import Hull
from ionscout.models.thermo.interface import interface
from ionscout.models.thermo.interphase import lithium_interphase
from ionscout.models.thermo.matrix import Cell, interface_matrix
from ionscout.models.thermo.practical import practical_window
from ionscout.models.thermo.window import check_voltage
from ionscout.serving.problems import ItemError, Overloaded
from ionscout.serving.summaries import InterphaseSummary, WindowSummary
from ionscout.serving.thermo_inputs import hull_named, matrix_columns, reactant, requested_composition
from ionscout.serving.thermo_schemas import (
    InterfaceAnswer,
    InterfaceMatrixAnswer,
    InterfaceMatrixRequest,
    InterfaceQuestion,
    MatrixCell,
    ProductAmount,
    WindowAnswer,
    WindowQuestion,
)

SECONDS = 45.0  # one request may compute this long; less than the 60 s after which the service answers 503 by itself
logger = logging.getLogger("ionscout.serving")
Question = TypeVar("Question")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Thermodynamics:
    """What thermodynamics says about one material; None where it cannot, and why in `warnings`."""

    window: WindowSummary | None = None
    energy_above_hull: float | None = None
    lithium_interphase: InterphaseSummary | None = None
    warnings: tuple[str, ...] = ()


def summarise(composition: Composition, hull_name: str | None = None) -> Thermodynamics:
    """Window, energy above hull and interphase with lithium; never fails, so that other answers stand without it."""
    try:
        hull = hull_named(hull_name)
        window = practical_window(composition, hull)
        interphase = lithium_interphase(composition, hull)
    except IonscoutError as error:
        return Thermodynamics(warnings=(f"No window and interphase: {error}",))
    except Exception:
        logger.exception("thermodynamics of %s failed", composition.formula)
        return Thermodynamics(warnings=("No window and interphase: their calculation failed.",))
    warnings = [*window.warnings, *interphase.warnings]
    if window.energy_above_hull is None:
        warnings.append(f"The hull {hull.name} has no energy of this composition, so energy_above_hull is null.")
    return Thermodynamics(
        WindowSummary.model_validate(window),
        window.energy_above_hull,
        InterphaseSummary.model_validate(interphase),
        tuple(warnings),
    )


def window_answer(composition: Composition, hull: Hull) -> WindowAnswer:
    """Window of one composition, practical limits included.

    Raises:
        As `models.thermo.window.window`.
    """
    return WindowAnswer.model_validate(practical_window(composition, hull))


def interface_answer(a: Composition, b: Composition, hull: Hull, voltage: float | None = None) -> InterfaceAnswer:
    """Reactions of one pair.

    Raises:
        As `models.thermo.interface.interface`.
    """
    return InterfaceAnswer.model_validate(interface(a, b, hull, voltage=voltage))


def matrix_answer(
    rows: Sequence[Composition],
    columns: Sequence[Composition],
    hull: Hull,
    voltage: float | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> InterfaceMatrixAnswer:
    """Reactions of all pairs; a pair without an answer carries its reason.

    Raises:
        OutOfRange: the voltage.
    """
    if voltage is not None:
        check_voltage(voltage)
    found = interface_matrix(rows, columns, hull, voltage=voltage, progress=progress)
    return InterfaceMatrixAnswer(
        hull=found.hull,
        hull_version=found.hull_version,
        correction=found.correction,
        rows=list(found.rows),
        columns=list(found.columns),
        voltage=found.voltage,
        cells=[[_cell(cell) for cell in row] for row in found.cells],
    )


def answer_window(asked: WindowQuestion) -> WindowAnswer:
    """Answer one question.

    Raises:
        IonscoutError: one of its subclasses, a sentence for the user.
    """
    return window_answer(requested_composition(asked), hull_named(asked.hull))


def answer_interface(asked: InterfaceQuestion) -> InterfaceAnswer:
    """Answer one question.

    Raises:
        IonscoutError: one of its subclasses, a sentence for the user.
    """
    a, b = reactant(asked.a), reactant(asked.b, half=asked.half_lithiated)
    return interface_answer(a, b, hull_named(asked.hull), asked.voltage)


def answer_each(
    questions: Sequence[Question], one: Callable[[Question], Answer], seconds: float = SECONDS
) -> list[Answer]:
    """Answer a list whole, in order, or not at all.

    Raises:
        ItemError: for the first bad one, with its position.
        Overloaded: the time is over.
    """
    stop = deadline(seconds)
    found = []
    for index, asked in enumerate(questions):
        stop()
        try:
            found.append(one(asked))
        except IonscoutError as error:
            raise ItemError(error, index) from None
    return found


def answer_matrix(asked: InterfaceMatrixRequest) -> InterfaceMatrixAnswer:
    """Answer one matrix.

    Raises:
        InvalidInput: a row or column; the message quotes it.
        Overloaded: the time is over.
    """
    rows = [reactant(row) for row in asked.rows]
    named = [(column if isinstance(column, str) else None, reactant(column)) for column in asked.columns]
    columns = matrix_columns(named, half=asked.half_lithiated)
    stop = deadline()
    return matrix_answer(rows, columns, hull_named(asked.hull), asked.voltage, lambda done, total: stop())


def deadline(seconds: float = SECONDS) -> Callable[[], None]:
    """A function that raises `Overloaded` once the time is over: a thread cannot be stopped from outside."""
    end = time.monotonic() + seconds

    def check() -> None:
        if time.monotonic() > end:
            raise Overloaded(f"The answer takes more than {seconds:.0f} s; ask for less in one request.")

    return check


def _cell(cell: Cell) -> MatrixCell:
    found = cell.interface
    if found is None:
        return MatrixCell(
            reaction_energy=None,
            reaction_energy_per_electrolyte_atom=None,
            mixing_ratio=None,
            products=[],
            error=cell.error,
        )
    return MatrixCell(
        reaction_energy=found.reaction_energy,
        reaction_energy_per_electrolyte_atom=found.reaction_energy_per_electrolyte_atom,
        mixing_ratio=found.mixing_ratio,
        products=[ProductAmount.model_validate(product) for product in found.products],
    )
