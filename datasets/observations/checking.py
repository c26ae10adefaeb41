"""What a laboratory sends, checked and brought to the units of the project, before anything is stored."""

import hashlib
import json
import math
from dataclasses import dataclass, replace
from typing import get_args

from pymatgen.core import Composition

from ionscout.datasets.composition import check_elements, formula_text, parse_formula
from ionscout.datasets.observations.limits import COLDEST, HOTTEST, KEY_LENGTH, LONGEST, UNITS
from ionscout.datasets.observations.records import BadObservation, NewObservation
from ionscout.datasets.sources.base import ROOM_TEMPERATURE, Kind
from ionscout.datasets.sources.cleaning import HIGHEST, LOWEST
from ionscout.datasets.sources.user import LARGEST_DIFFERENCE
from ionscout.datasets.structure import parse_material

ZERO_CELSIUS = 273.15  # K


@dataclass(frozen=True)
class Report:
    """An observation as it was sent, nothing checked yet.

    Attributes:
        formula: None where `cif` or the suggestion has it.
        value, unit: conductivity; unit one of `UNITS`. Both None when `failed`.
        temperature_K, temperature_C: at most one; room temperature when both are None.
        censored: the value is an upper bound.
        failed: the synthesis failed; `reason` says how.
        key: idempotency key; when None, equal content is the same observation.
    """

    formula: str | None = None
    value: float | None = None
    unit: str | None = None
    temperature_K: float | None = None
    temperature_C: float | None = None
    kind: str = "unknown"
    censored: bool = False
    failed: bool = False
    reason: str = ""
    suggestion: int | None = None
    cif: str | None = None
    measured_by: str = ""
    measured_on: str = ""
    source: str = ""
    key: str | None = None


def checked(report: Report, suggested: str | None = None) -> NewObservation:
    """The observation in S/cm and K, with its key and digest.

    Args:
        suggested: formula of the suggestion that it answers, which stands in for a formula left out.

    Raises:
        BadObservation: the value, unit, temperature or a text is at fault.
        InvalidInput: one of its subclasses, about the formula or the structure.
    """
    if report.kind not in get_args(Kind):
        raise BadObservation(f"kind is '{report.kind}'; use one of {', '.join(get_args(Kind))}.")
    texts = {name: _text(name, getattr(report, name)) for name in ("reason", "measured_by", "measured_on", "source")}
    if report.failed and not texts["reason"]:
        raise BadObservation("A failed synthesis needs its reason, such as 'La2Zr2O7 formed' or 'melted'.")
    composition = _composition(report, suggested)
    conductivity = _conductivity(report)
    found = NewObservation(
        formula=formula_text(composition),
        key="",
        digest="",
        conductivity=conductivity,
        value=report.value,
        unit=None if conductivity is None else report.unit,
        temperature_K=temperature_of(report),
        kind=report.kind,  # type: ignore[arg-type]  # checked above
        censored=report.censored,
        failed=report.failed,
        suggestion=report.suggestion,
        cif=report.cif,
        **texts,
    )
    digest = _digest(found)
    return replace(found, digest=digest, key=digest if report.key is None else check_key(report.key))


def temperature_of(report: Report) -> float:
    """Temperature in K.

    Raises:
        BadObservation: both scales are given, or the value is outside 100 to 1500 K.
    """
    if report.temperature_K is not None and report.temperature_C is not None:
        raise BadObservation("Give temperature_K or temperature_C, not both.")
    if report.temperature_C is not None:
        if not COLDEST <= (kelvin := report.temperature_C + ZERO_CELSIUS) <= HOTTEST:
            raise BadObservation(outside("temperature_C", kelvin))
        return kelvin
    kelvin = ROOM_TEMPERATURE if report.temperature_K is None else report.temperature_K
    if not COLDEST <= kelvin <= HOTTEST:
        raise BadObservation(outside("temperature_K", kelvin))
    return kelvin


def _conductivity(report: Report) -> float | None:
    """S/cm, or None of a failed synthesis."""
    if report.failed:
        if report.value is not None or report.censored:
            raise BadObservation("A failed synthesis has no conductivity; leave the value out, or failed.")
        return None
    if report.value is None or report.unit is None:
        raise BadObservation(f"Give value and unit ({', '.join(UNITS)}), or failed with its reason.")
    if report.unit not in UNITS:
        raise BadObservation(f"'{_short(report.unit)}' is no unit of conductivity here; use {', '.join(UNITS)}.")
    if not (math.isfinite(report.value) and report.value > 0):
        raise BadObservation(
            f"A conductivity of {report.value:g} {report.unit} cannot be; give a positive number, or the upper bound "
            "as value with censored where it was too low to measure."
        )
    found = report.value * UNITS[report.unit]
    if not LOWEST <= found <= HIGHEST:
        raise BadObservation(
            f"{report.value:g} {report.unit} is outside {LOWEST:g} to {HIGHEST:g} S/cm, where solids can be measured; "
            "check the unit."
        )
    return found


def _composition(report: Report, suggested: str | None) -> Composition:
    stated = report.formula if report.formula is not None else suggested if report.cif is None else None
    if report.cif is None:
        if stated is None:
            raise BadObservation("Name what was made: a formula, a CIF, or the suggestion that it answers.")
        return lithium_formula(stated)
    _text("cif", report.cif, most=1_000_000, lines=True)
    found = parse_material(report.cif, "cif").composition
    if stated is None:
        return found
    named = lithium_formula(stated)
    apart = max(abs(named.get_atomic_fraction(e) - found.get_atomic_fraction(e)) for e in {*named, *found})
    if apart >= LARGEST_DIFFERENCE:
        raise BadObservation(f"The CIF holds {formula_text(found)}, not {formula_text(named)}; send the right one.")
    return named


def lithium_formula(formula: str) -> Composition:
    """Parse a formula that must hold lithium and nothing radioactive.

    Raises:
        BadFormula, NoLithium, UnsupportedElement.
    """
    composition = parse_formula(formula)
    check_elements(composition)
    return composition


def check_key(key: str) -> str:
    """An idempotency key as it may be stored.

    Raises:
        BadObservation: empty, too long, or with characters that do not print.
    """
    if not 0 < len(key) <= KEY_LENGTH or not key.isprintable():
        raise BadObservation(f"The key needs 1 to {KEY_LENGTH} printable characters, such as a UUID.")
    return key


def _text(name: str, text: str, most: int = LONGEST, lines: bool = False) -> str:
    """PostgreSQL refuses the character 0 and lone surrogates, so the store takes none, whatever database it is."""
    if len(text) > most:
        raise BadObservation(f"{name} has {len(text)} characters; at most {most} are kept.")
    if "\0" in text or any(0xD800 <= ord(character) < 0xE000 for character in text):
        raise BadObservation(f"{name} holds characters that are no text.")
    return text if lines else " ".join(text.split())


def outside(name: str, kelvin: float) -> str:
    """What to tell a user whose temperature is out of range."""
    shown = kelvin - ZERO_CELSIUS if name.endswith("C") else kelvin
    hint = f"; did you mean {shown:g} °C? Give temperature_C." if name.endswith("K") and -150 < shown < COLDEST else "."
    return f"{name} is {shown:g}, but must lie between {COLDEST:.0f} and {HOTTEST:.0f} K{hint}"


def _digest(found: NewObservation) -> str:
    """sha256 of what was observed; 1.2 mS/cm and 0.0012 S/cm, 25 °C and 298.15 K are one content."""
    content = {
        "formula": found.formula,
        "conductivity": None if found.conductivity is None else f"{found.conductivity:.12g}",
        "temperature_K": f"{found.temperature_K:.9g}",
        "kind": found.kind,
        "censored": found.censored,
        "failed": found.failed,
        "reason": found.reason,
        "suggestion": found.suggestion,
        "cif": found.cif,
        "measured_by": found.measured_by,
        "measured_on": found.measured_on,
        "source": found.source,
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _short(text: str) -> str:
    return " ".join(text.split())[:40]
