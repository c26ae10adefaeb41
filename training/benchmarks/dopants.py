"""`ionscout benchmark dopants`: which site, and which dopants make a host ten times faster, beside SMACT and pymatgen.

The reference table has the columns `dopant`, `substituted_site`, `sigma_ionic_S_cm`, one row a dopant; the row of the
undoped host has no element in `dopant`. The prediction is told the host and the names of the dopants, nothing else.
"""

import csv
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pymatgen.core import Composition, Element
from scipy.stats import rankdata, spearmanr

from ionscout.datasets.errors import BadData, DataUnavailable
from ionscout.datasets.hulls import Hull, load_hull
from ionscout.datasets.sources.embedded import Embedded
from ionscout.datasets.structure import parse_material
from ionscout.models.conductivity.predictor import ConductivityPredictor
from ionscout.training.active.candidates import CandidateOptions, enumerate_candidates
from ionscout.training.active.conduction import ConductionMap, expected
from ionscout.training.active.host import Host, host_of
from ionscout.training.active.ions import anion_state, cation_states, usable_elements
from ionscout.training.active.sites import site_preference
from ionscout.training.benchmarks.dopant_baselines import BASELINES, Suggestion

COLUMNS = ("dopant", "substituted_site", "sigma_ionic_S_cm")
UNDOPED = {"", "-", "–", "none", "nan", "n/a", "pure", "host", "reference", "0"}
TENFOLD = 10.0
TOP = 10
FACTS = Path(__file__).with_name("llzo_dopants.csv")
_ELEMENT = re.compile(r"\s*([A-Z][a-z]?)(?=$|[^a-z])")
# Fixed, so that what the physics says alone does not depend on any model: any value gives the same order.
NO_MODEL = -4.0

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class ReferenceRow:
    """One dopant of the table: element, sites that count as right (empty: unknown), S/cm (None: unknown)."""

    dopant: str
    sites: frozenset[str]
    conductivity: float | None


@dataclass(frozen=True)
class DopantMetrics:
    """How well one method does; None where the table cannot tell (no site, no conductivity, or one class only).

    Attributes:
        site_accuracy: share of rows with a site whose site is right; an element that is not listed counts as wrong.
        auc_10x: area under the ROC curve for dopants at or above ten times the undoped host; ties count half.
        recall_at_10: share of these dopants (of ten at most) among the ten best; ties in the mean.
        spearman: rank correlation of score and conductivity.
    """

    site_accuracy: float | None
    auc_10x: float | None
    recall_at_10: float | None
    spearman: float | None


@dataclass(frozen=True)
class DopantReport:
    """The benchmark's result.

    Attributes:
        n: rows. n_site, n_conductivity: with a site, with a conductivity. positives: at ten times the host or above.
        undoped: S/cm of the undoped host. undoped_from: where that value comes from.
        ours, baselines: the metrics. prior_only: ours without the conductivity model, so without any label of it.
        seen: dopants of the table for which some measurement of this host with it is in the data known here.
        unseen: metrics on the other dopants. rows: what was predicted for each.
    """

    host: str
    n: int
    n_site: int
    n_conductivity: int
    positives: int
    undoped: float | None
    undoped_from: str
    ours: DopantMetrics
    prior_only: DopantMetrics
    seen: tuple[str, ...]
    unseen: DopantMetrics
    baselines: dict[str, DopantMetrics | str]
    rows: tuple[dict[str, Any], ...]
    model: str
    hull: str

    def as_dict(self) -> dict[str, Any]:
        """The fields that the issue names at the top, the rest beside them."""
        plain = asdict(self)
        ours = plain.pop("ours")
        return {"n": plain.pop("n"), **ours, **plain}


def read_reference(path: Path) -> tuple[list[ReferenceRow], float | None]:
    """The rows of a table, and the conductivity of its undoped row if it has one.

    Raises:
        BadData: a column is missing, a number is not one or not positive, or nothing is left.
    """
    rows, undoped = [], None
    with path.open(newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(line for line in file if not line.startswith("#"))
        missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise BadData(f"{path.name} lacks the column {missing[0]}; it needs {', '.join(COLUMNS)}.")
        for number, row in enumerate(reader, start=2):
            value = _conductivity(path.name, number, row["sigma_ionic_S_cm"] or "")
            element = _dopant(path.name, number, row["dopant"] or "")
            if element is None:
                undoped = value if value is not None else undoped
                continue
            sites = frozenset(
                found[1] for part in re.split(r"[/,;+&]|\band\b|\bor\b", row["substituted_site"] or "")
                if (found := _ELEMENT.match(part)) and Element.is_valid_symbol(found[1])
            )  # fmt: skip
            rows.append(ReferenceRow(element, sites, value))
    if not rows:
        raise BadData(f"{path.name} has no dopants; give one row for each.")
    return rows, undoped


def run(
    reference: Path,
    host_text: str,
    *,
    undoped: float | None = None,
    hull_name: str | None = None,
    predictor: ConductivityPredictor | None = None,
    progress: Progress = lambda done, total: None,
) -> DopantReport:
    """Score a reference table.

    Args:
        reference: the table. host_text: formula or text of a structure file.
        undoped: S/cm of the undoped host; by default the table's own row, else the lowest embedded measurement.
        predictor: the conductivity model; the shipped one when None.

    Raises:
        InvalidInput, BadData: the host or the table cannot be used.
    """
    rows, own = read_reference(reference)
    hull = load_hull(hull_name)
    model = predictor or ConductivityPredictor.load()
    host = host_of(parse_material(host_text))
    level, where = _undoped(host, undoped, own)
    names = sorted({row.dopant for row in rows})
    sites = {name: _site(name, host, hull) for name in names}
    with_model, alone = _scores(names, host, hull, model, progress)
    seen = _seen(names, host)
    unseen = [row for row in rows if row.dopant not in seen]
    baselines: dict[str, DopantMetrics | str] = {}
    for name, suggest in BASELINES.items():
        try:
            found = suggest(host)
            baselines[name] = metrics(rows, level, {d: s.score for d, s in found.items()}, _sites_of(found))
        except DataUnavailable as error:
            baselines[name] = str(error)
    return DopantReport(
        host=host.formula,
        n=len(rows),
        n_site=sum(bool(row.sites) for row in rows),
        n_conductivity=sum(row.conductivity is not None for row in rows),
        positives=sum(_positive(row, level) for row in rows),
        undoped=level,
        undoped_from=where,
        ours=metrics(rows, level, with_model, sites),
        prior_only=metrics(rows, level, alone, sites),
        seen=tuple(seen),
        unseen=metrics(unseen, level, with_model, sites),
        baselines=baselines,
        rows=tuple(
            {
                "dopant": row.dopant,
                "substituted_site": "/".join(sorted(row.sites)),
                "predicted_site": sites.get(row.dopant),
                "sigma_ionic_S_cm": row.conductivity,
                "expected_log10_S_cm": with_model.get(row.dopant),
            }
            for row in rows
        ),
        model=model.version,
        hull=f"{hull.name} {hull.version}",
    )


def metrics(
    rows: Sequence[ReferenceRow], undoped: float | None, scores: dict[str, float], sites: dict[str, str | None]
) -> DopantMetrics:
    """Metrics of one method; dopants without a score rank last, all alike."""
    placed = [row for row in rows if row.sites]
    accuracy = float(np.mean([sites.get(row.dopant) in row.sites for row in placed])) if placed else None
    measured = [row for row in rows if row.conductivity is not None]
    lowest = min(scores.values(), default=0.0) - 1.0
    score = np.array([scores.get(row.dopant, lowest) for row in measured])
    positive = np.array([_positive(row, undoped) for row in measured], dtype=bool)
    correlation = None
    if len(measured) > 2 and np.ptp(score) > 0:
        correlation = float(spearmanr(score, [row.conductivity for row in measured]).statistic)
    if undoped is None or not positive.any():
        return DopantMetrics(accuracy, None, None, _finite(correlation))
    ranks = rankdata(score)  # ties in the mean
    n, m = int(positive.sum()), int((~positive).sum())
    auc = float((ranks[positive].sum() - n * (n + 1) / 2) / (n * m)) if m else None
    hits = float((_in_top(score) * positive).sum())
    return DopantMetrics(accuracy, auc, hits / min(n, TOP), _finite(correlation))


def _in_top(score: np.ndarray) -> np.ndarray:
    """Probability of each row to be among the `TOP` best when ties are broken at random."""
    inside = np.zeros(len(score))
    for number, value in enumerate(score):
        above, alike = int((score > value).sum()), int((score == value).sum())
        inside[number] = min(max(TOP - above, 0) / alike, 1.0)
    return inside


def _positive(row: ReferenceRow, undoped: float | None) -> bool:
    return undoped is not None and row.conductivity is not None and row.conductivity >= TENFOLD * undoped


def _site(element: str, host: Host, hull: Hull) -> str | None:
    if element not in usable_elements():
        return None
    anion = anion_state(element)
    ions = [*cation_states(element), *([anion] if anion is not None else [])]
    found = site_preference(element, ions, host, hull)
    return None if found is None else found.best.host_ion.symbol


def _sites_of(found: dict[str, Suggestion]) -> dict[str, str | None]:
    return {dopant: suggestion.site for dopant, suggestion in found.items()}


def _scores(
    names: Sequence[str], host: Host, hull: Hull, model: ConductivityPredictor, progress: Progress
) -> tuple[dict[str, float], dict[str, float]]:
    """Best expected log10 σ over all single substitutions of each dopant: with the model, and from the prior alone."""
    usable = tuple(name for name in names if name in usable_elements())  # radioactive ones get no score
    options = CandidateOptions(elements=usable, co_doping=False, anion_compensation=False)
    singles = [c for c in enumerate_candidates(host, options, hull) if len(c.substitutions) == 1]
    known = ConductionMap(model, host, singles, 298.15, progress)
    joined: dict[str, float] = {}
    alone: dict[str, float] = {}
    for candidate in singles:
        dopant = candidate.dopants[0]
        joined[dopant] = max(known.conduction(candidate).expected, joined.get(dopant, -math.inf))
        alone[dopant] = max(expected(candidate, NO_MODEL, NO_MODEL).expected, alone.get(dopant, -math.inf))
    return joined, alone


def _undoped(host: Host, given: float | None, own: float | None) -> tuple[float | None, str]:
    if given is not None:
        return given, "given"
    if own is not None:
        return own, "table"
    same = [
        10**m.log10_conductivity
        for m in Embedded().load()
        if m.composition.reduced_formula == Composition(host.formula).reduced_formula and not m.censored
    ]
    return (min(same), "lowest embedded measurement of the host") if same else (None, "unknown")


def _seen(names: Sequence[str], host: Host) -> list[str]:
    """Dopants of which some measurement in this host (all its elements and the dopant) is in the data known here."""
    from ionscout.training.measurements import joined_table

    elements = {e.symbol for e in host.composition.elements}
    with_host = [{Element(e.symbol).symbol for e in m.composition.elements} for m in joined_table().measurements]
    return [name for name in names if any(elements | {name} <= known for known in with_host)]


def _dopant(name: str, number: int, text: str) -> str | None:
    """The element of `Al`, `Al3+`, `Fe(III)`, `Al0.25` or `aluminum`; None for the undoped host.

    Raises:
        BadData: neither an element nor a word or formula for the host.
    """
    word = text.strip()
    if word.lower() in UNDOPED or any(known in word.lower() for known in ("undoped", "pristine", "llzo")):
        return None
    try:
        compound = Composition(word, strict=True)
        if len(compound) > 1 and Element("Li") in compound:
            return None  # the host's formula; Fe(III) reads as an iodide
    except (ValueError, KeyError, TypeError):
        pass  # a charge or a remark beside the symbol, which is read below
    found = _ELEMENT.match(word)
    if found is not None and Element.is_valid_symbol(found[1]):
        return found[1]
    try:
        return Element.from_name(word.capitalize()).symbol
    except (ValueError, KeyError):
        raise BadData(
            f"Line {number} of {name} has the dopant '{word}'; write an element symbol, or undoped for the host."
        ) from None


def _conductivity(name: str, number: int, text: str) -> float | None:
    if not text.strip():
        return None
    try:
        value = float(text.strip().lstrip("<>~≤≥≈ "))
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise BadData(f"Line {number} of {name} has the conductivity '{text}'; write a positive number of S/cm.")
    return value


def _finite(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else value


def markdown(report: DopantReport) -> str:
    """The report as a page."""
    from ionscout.training.benchmarks.dopant_page import page

    return page(report)
