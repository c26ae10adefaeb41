"""Figures for people: predictions with their intervals beside what was measured."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Comparison:
    """One prediction beside its measurement, conductivities in S/cm; `path` says whether the structure was used."""

    name: str
    predicted: float
    lower: float
    upper: float
    measured: float
    in_domain: bool
    path: str = "structure"


def prediction_figure(rows: Sequence[Comparison], path: Path, title: str = "") -> Path:
    """Draw one row per material, interval as a bar, prediction as a dot, measurement as a cross; write a PNG.

    The axis is log10; rows are ordered by measured conductivity.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    ordered = sorted(rows, key=lambda row: row.measured)
    # Drawn without pyplot: no display, no global state, safe in any thread.
    figure = Figure(figsize=(7.2, 1.3 + 0.42 * len(ordered)), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    places = range(len(ordered))
    axes.hlines(
        places, [row.lower for row in ordered], [row.upper for row in ordered], color="#9db4d0", lw=7, label="interval"
    )
    axes.plot([row.predicted for row in ordered], places, "o", color="#1f4e8c", ms=7, label="predicted")
    axes.plot([row.measured for row in ordered], places, "X", color="#c1440e", ms=8, label="measured")
    axes.set_xscale("log")
    axes.set_yticks(list(places), [row.name + ("" if row.in_domain else " *") for row in ordered])
    footnote = "" if all(row.in_domain for row in rows) else "   (* out of domain)"
    axes.set_xlabel(f"ionic conductivity near room temperature (S/cm){footnote}")
    axes.grid(axis="x", color="#dddddd", lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.legend(loc="upper left", frameon=False, ncols=3, bbox_to_anchor=(0, 1.0 + 0.55 / max(len(ordered), 1)))
    if title:
        figure.suptitle(title, fontsize=11)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path
