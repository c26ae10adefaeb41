"""Scores one shard: parse, conductivity in batches, thermodynamics by chemical system."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import torch

from ionscout.datasets.errors import BadData, IonscoutError, UnreadableStructure
from ionscout.datasets.structure import Format, Material, parse_material
from ionscout.models.energy import load_predictor as load_energy_predictor
from ionscout.models.thermo.equilibrium import Product, forget_systems
from ionscout.models.thermo.interphase import lithium_interphase
from ionscout.models.thermo.practical import practical_window
from ionscout.models.thermo.window import window
from ionscout.serving.answers import ThermodynamicsChoice, answer, load_predictor
from ionscout.serving.schemas import Prediction
from ionscout.serving.screen.options import Identity, ScreenOptions
from ionscout.serving.screen.precision import in_double_precision
from ionscout.serving.screen.records import BadRow, Record, columns, decimal, encode, is_finite, significant
from ionscout.serving.screen.rows import Row, Shard
from ionscout.serving.thermo_inputs import hull_named

BATCH = 64  # materials per call of the network
NO_THERMODYNAMICS = ThermodynamicsChoice(wanted=False)
logger = logging.getLogger("ionscout.serving")


@dataclass(frozen=True)
class Thermodynamics:
    """The thermodynamic columns of a record, as keyword arguments for it; shared by rows of one composition."""

    values: tuple[tuple[str, Any], ...]
    warnings: tuple[str, ...]


class Scorer:
    """Holds the model and the hull of one process.

    Args:
        options: what is predicted.

    Raises:
        IonscoutError: the model or the hull cannot be loaded.
    """

    def __init__(self, options: ScreenOptions) -> None:
        torch.set_num_threads(1)  # processes share the cores, not threads
        self.options = options
        self._columns = columns(options)
        self._predictor = load_predictor() if options.wants("conductivity") else None
        if self._predictor is not None:
            in_double_precision(self._predictor, load_energy_predictor())
        self._hull = hull_named(options.hull) if options.thermodynamic else None
        self.identity = Identity(
            "" if self._predictor is None else f"conductivity {self._predictor.version}",
            "" if self._hull is None else f"{self._hull.name} {self._hull.version}",
        )

    def require(self, expected: Identity) -> None:
        """Refuse to answer from another model or hull than the rest of the screen.

        Raises:
            BadData: naming both.
        """
        if expected != self.identity:
            raise BadData(
                f"This screen was begun with {describe(expected)}, but here answers {describe(self.identity)}; "
                "serve the same model, or screen into another file."
            )

    def score(self, shard: Shard) -> bytes:
        """Lines of one shard in the order of its rows (see `records`).

        A shard's bytes are a function of the shard alone: what this process solved before is forgotten, because
        the state of a linear program can tip a number that lies exactly between two roundings.
        """
        forget_systems()
        return ("\n".join(encode(self.records(shard.rows), self._columns)) + "\n").encode()

    def records(self, rows: Sequence[Row]) -> list[Record | BadRow]:
        """The answer, or the reason why there is none, of every row; never fails because of a row."""
        found: dict[int, Record | BadRow] = {}
        good: list[tuple[Row, Material]] = []
        for row in rows:
            try:
                good.append((row, read(row)))
            except IonscoutError as error:
                found[row.number] = BadRow(row.number, row.id, error.title, str(error))
            except Exception as error:  # whatever a parser does to one row must not end the other 10⁸
                found[row.number] = _defect(row, error)
        warnings = {row.number: material.warnings for row, material in good}
        conducting = self._conductivities(good, found)
        thermodynamics = self._thermodynamics([material for row, material in good if row.number not in found])
        for row, material in good:
            if row.number in found:
                continue
            record = Record(row.number, row.id, material.formula, material.source_format)
            notes: list[str] = list(warnings[row.number])
            if (prediction := conducting.get(row.number)) is not None:
                record = with_conductivity(record, prediction)
                notes += prediction.warnings
            if (thermo := thermodynamics.get(material.formula)) is not None:
                record = replace(record, **dict(thermo.values))
                notes += thermo.warnings
            record = replace(record, warnings=tuple(dict.fromkeys(notes)))
            fine = is_finite(record)
            found[row.number] = record if fine else _defect(row, ArithmeticError("a number of the answer is not one"))
        return [found[row.number] for row in rows]

    def _conductivities(
        self, good: Sequence[tuple[Row, Material]], found: dict[int, Record | BadRow]
    ) -> dict[int, Prediction]:
        """Predictions by row number; rows that break the model go to `found`."""
        if self._predictor is None:
            return {}
        predictions: dict[int, Prediction] = {}
        for start in range(0, len(good), BATCH):
            batch = good[start : start + BATCH]
            try:
                answers = self._predict([material for _, material in batch])
                predictions |= {row.number: said for (row, _), said in zip(batch, answers, strict=True)}
            except Exception:  # one of them; find out which
                for row, material in batch:
                    try:
                        predictions[row.number] = self._predict([material])[0]
                    except IonscoutError as error:
                        found[row.number] = BadRow(row.number, row.id, error.title, str(error))
                    except Exception as error:
                        found[row.number] = _defect(row, error)
        return predictions

    def _predict(self, materials: list[Material]) -> list[Prediction]:
        assert self._predictor is not None
        n, asked = len(materials), self.options
        return answer(
            self._predictor,
            materials,
            [asked.temperature_K] * n,
            [NO_THERMODYNAMICS] * n,
            kinds=[asked.kind] * n,
            compared=False,  # the nodes of a cluster need not have the same tables, and have to write the same bytes
        )

    def _thermodynamics(self, materials: Sequence[Material]) -> dict[str, Thermodynamics]:
        """By formula. Compositions of one chemical system follow each other, so that each system is set up once."""
        if self._hull is None:
            return {}
        distinct = {material.formula: material for material in materials}
        order = sorted(distinct, key=lambda formula: (distinct[formula].composition.chemical_system, formula))
        return {formula: self._thermodynamics_of(distinct[formula]) for formula in order}

    def _thermodynamics_of(self, material: Material) -> Thermodynamics:
        assert self._hull is not None
        values: dict[str, Any] = {"hull": self.identity.hull}
        warnings: list[str] = []
        if self.options.wants("window") or self.options.wants("stability"):
            _collect(self._window, material, "No window and stability", values, warnings)
        if self.options.wants("interphase"):
            _collect(self._interphase, material, "No interphase", values, warnings)
        return Thermodynamics(tuple(values.items()), tuple(warnings))

    def _window(self, material: Material) -> tuple[dict[str, Any], tuple[str, ...]]:
        assert self._hull is not None
        # Stability alone needs no practical limits, but the same window, so that both ways give one number.
        found = (practical_window if self.options.wants("window") else window)(material.composition, self._hull)
        notes = list(found.warnings)
        if found.energy_above_hull is None:
            notes.append(f"The hull {self._hull.name} has no energy of this composition.")
        return {
            "reduction_limit_V": decimal(found.reduction_limit),
            "oxidation_limit_V": decimal(found.oxidation_limit),
            "practical_reduction_limit_V": decimal(found.practical_reduction_limit),
            "practical_oxidation_limit_V": decimal(found.practical_oxidation_limit),
            "energy_above_hull_eV_atom": decimal(found.energy_above_hull),
            "decomposition_products": tuple(product_text(product) for product in found.decomposition_products),
        }, tuple(notes)

    def _interphase(self, material: Material) -> tuple[dict[str, Any], tuple[str, ...]]:
        assert self._hull is not None
        found = lithium_interphase(material.composition, self._hull)
        return {
            "interphase_class": found.interphase_class,
            "interphase_driving_force_eV_atom": decimal(found.driving_force),
            "deciding_products": found.deciding_products,
        }, found.warnings


def read(row: Row) -> Material:
    """The checked material of one row.

    Raises:
        InvalidInput: one of its subclasses.
    """
    if row.problem:
        raise UnreadableStructure(row.problem)
    return parse_material(row.text, cast(Format | None, row.format or None))


def with_conductivity(record: Record, prediction: Prediction) -> Record:
    """The record with the conductivity columns filled in."""
    sigma, energy = prediction.conductivity, prediction.activation_energy
    return replace(
        record,
        conductivity_S_cm=significant(sigma.value),
        conductivity_lower_S_cm=significant(sigma.lower),
        conductivity_upper_S_cm=significant(sigma.upper),
        coverage=sigma.coverage,
        conductivity_kind=sigma.kind,
        temperature_K=sigma.temperature_K,
        in_domain=sigma.in_domain,
        path=sigma.path,
        activation_energy_eV=None if energy is None else decimal(energy.value),
        activation_energy_lower_eV=None if energy is None else decimal(energy.lower),
        activation_energy_upper_eV=None if energy is None else decimal(energy.upper),
        model=f"{sigma.model} {sigma.version}",
    )


def product_text(product: Product) -> str:
    """`0.5 Li2S`."""
    return f"{decimal(product.amount):g} {product.formula}"


def describe(identity: Identity) -> str:
    return " and ".join(part for part in (identity.model, identity.hull and f"hull {identity.hull}") if part)


def _collect(
    ask: Callable[[Material], tuple[dict[str, Any], tuple[str, ...]]],
    material: Material,
    nothing: str,
    values: dict[str, Any],
    warnings: list[str],
) -> None:
    """One thermodynamic question; without an answer its columns stay empty and a warning says why."""
    try:
        found, notes = ask(material)
    except IonscoutError as error:
        warnings.append(f"{nothing}: {error}")
    except Exception:
        logger.exception("thermodynamics of %s failed", material.formula)
        warnings.append(f"{nothing}: the calculation failed.")
    else:
        values |= found
        warnings += notes


def _defect(row: Row, error: Exception) -> BadRow:
    reason = " ".join(f"{type(error).__name__}: {error}".split())[:200]
    return BadRow(row.number, row.id, "Defect of ionscout", f"{reason}; report it with this row.")
