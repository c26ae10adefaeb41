"""What the thermodynamic questions are asked about: texts become compositions, names become hulls."""

from pathlib import Path
from threading import Lock

from pymatgen.core import Composition, Element

from ionscout.datasets.composition import check_elements, formula_text
from ionscout.datasets.electrodes import find_electrode, half_charged, material
from ionscout.datasets.errors import BadFormula, UnknownName
from ionscout.datasets.hulls import Hull, load_hull
from ionscout.datasets.structure import parse_material
from ionscout.models.thermo.interface import half_delithiated
from ionscout.serving.thermo_schemas import MaterialRequest

_loading = Lock()  # two requests at once must not both read a hull of some hundred MB


def hull_named(name: str | None = None, path: Path | None = None) -> Hull:
    """As `load_hull`, for callers in several threads."""
    with _loading:
        return load_hull(name, path)


def named_material(text: str) -> Composition:
    """The composition of a catalogue name or a formula; any stable elements, lithium or not.

    Raises:
        BadFormula: neither of the two.
        UnsupportedElement: a radioactive element.
    """
    try:
        composition = material(text)
    except BadFormula as error:
        raise BadFormula(f"{str(error).rstrip('.')}, or a name of the electrode catalogue such as NMC811.") from None
    check_elements(composition, need_lithium=False)
    return composition


def half_lithiated(text: str) -> Composition:
    """A catalogue name or formula, charged half-way.

    Raises:
        BadFormula, UnsupportedElement: as `named_material`.
        NoLithium: there is none to take out.
    """
    whole, half = named_material(text), half_charged(text)
    return half_delithiated(whole) if half[Element("Li")] == whole[Element("Li")] else half


def requested_composition(request: MaterialRequest) -> Composition:
    """The composition of a structure's text or a formula.

    Raises:
        InvalidInput: one of its subclasses.
    """
    if request.formula is not None:
        return parse_material(request.formula, "formula", need_lithium=False).composition
    return parse_material(request.text or "", request.format, need_lithium=False).composition


def reactant(asked: str | MaterialRequest, *, half: bool = False) -> Composition:
    """The composition of one reactant, as it is or half delithiated.

    Raises:
        InvalidInput: one of its subclasses.
    """
    if isinstance(asked, str):
        return half_lithiated(asked) if half else named_material(asked)
    composition = requested_composition(asked)
    return half_delithiated(composition) if half else composition


def matrix_columns(columns: list[tuple[str | None, Composition]], *, half: bool) -> list[Composition]:
    """Columns of a matrix; with `half`, each that holds lithium is followed by itself half delithiated.

    Anodes and coatings of the catalogue are not charged by taking their lithium out, so they stay alone.

    Args:
        columns: the text that named it (None for a structure), and the composition.
    """
    found = []
    for text, composition in columns:
        found.append(composition)
        if half and composition[Element("Li")] > 0 and _may_charge(text or formula_text(composition)):
            found.append(half_lithiated(text) if text is not None else half_delithiated(composition))
    return found


def _may_charge(text: str) -> bool:
    try:
        return find_electrode(text).role == "cathode"
    except UnknownName:
        return True
