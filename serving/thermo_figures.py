"""Figures of the thermodynamics: voltage staircase, windows beside the electrodes' voltages, heat map of a matrix."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ionscout.serving.thermo_schemas import InterfaceMatrixAnswer, ProductAmount, WindowAnswer

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TOP = 5.5  # V; nothing in a lithium cell works above, so an open-ended plateau is drawn up to here
WINDOW, PRACTICAL, LINE, ELECTRODE = "#7fb59a", "#d8eadf", "#1f4e8c", "#c1440e"
SHOWN = ("Li", "Si", "Li4Ti5O12", "LiFePO4", "LiCoO2", "NMC811", "LiNi0.5Mn1.5O4")  # of the catalogue


def staircase_figure(answer: WindowAnswer, path: Path) -> Path:
    """Lithium content against voltage, with the window shaded and every plateau's products listed beside it."""
    steps = [step for step in answer.plateaus if step.voltage_low < TOP]
    figure = new_figure(10.5, max(4.2, 1.5 + 0.42 * len(steps)))
    axes, text = figure.subplots(1, 2, width_ratios=[1.25, 1])
    top = max(TOP, (answer.oxidation_limit or 0) + 0.5)
    practical_high = top if answer.practical_oxidation_limit is None else answer.practical_oxidation_limit
    if answer.practical_reduction_limit is not None:
        axes.axvspan(
            answer.practical_reduction_limit,
            practical_high,
            facecolor=PRACTICAL,
            edgecolor="#a9c9b6",
            label="practical window",
        )
    high = top if answer.oxidation_limit is None else answer.oxidation_limit
    axes.axvspan(answer.reduction_limit, high, color=WINDOW, label="thermodynamic window")
    edges = [step.voltage_low for step in steps] + [steps[-1].voltage_high or top]
    axes.stairs([step.lithium_uptake for step in steps], edges, baseline=None, color=LINE, lw=2)
    for number, (step, low, end) in enumerate(zip(steps, edges[:-1], edges[1:], strict=True), start=1):
        axes.annotate(
            str(number), ((low + min(end, top)) / 2, step.lithium_uptake), (0, 4), textcoords="offset points",
            ha="center", va="bottom", fontsize=8, color=LINE,
        )  # fmt: skip
    axes.set_xlim(0, top)
    axes.margins(y=0.12)
    axes.set_xlabel("voltage (V vs Li/Li$^+$)")
    axes.set_ylabel("lithium taken up per formula unit")
    axes.legend(loc="upper right", frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    _list_plateaus(text, [(step.voltage_low, step.voltage_high, step.products, step.lithium_uptake) for step in steps])
    figure.suptitle(f"{chemical(answer.formula)} on the hull {answer.hull}", fontsize=12)
    return save(figure, path)


def _list_plateaus(axes, rows: Sequence[tuple[float, float | None, Sequence[ProductAmount], float]]) -> None:
    axes.axis("off")
    axes.set_ylim(len(rows) + 0.5, -0.7)
    axes.set_xlim(0, 1)
    for x, heading in ((0.06, "V"), (0.26, "Li"), (0.40, "products")):
        axes.text(x, -0.1, heading, fontsize=8.5, color="#666666")
    for number, (low, high, products, uptake) in enumerate(rows, start=1):
        inside = uptake == 0
        weight = "bold" if inside else "normal"
        axes.text(0.0, number - 0.1, str(number), fontsize=8.5, color=LINE)
        end = "" if high is None else f"{high:.2f}"
        axes.text(0.06, number - 0.1, f"{low:.2f}–{end}", fontsize=8.5, weight=weight)
        axes.text(
            0.26, number - 0.1, "window" if inside else f"{uptake:+.2f}".replace("-", "−"), fontsize=8.5, weight=weight
        )
        names = " + ".join(chemical(product.formula) for product in products)
        axes.text(0.40, number - 0.1, names, fontsize=8.5, weight=weight)


def window_bars_figure(answers: Sequence[WindowAnswer], path: Path) -> Path:
    """One bar per material, thermodynamic over practical; below, in which range the electrodes work."""
    from ionscout.datasets.electrodes import find_electrode

    electrodes = [find_electrode(name) for name in SHOWN]
    figure = new_figure(8.5, 1.6 + 0.42 * len(answers) + 0.24 * len(electrodes))
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=[0.42 * len(answers), 0.24 * len(electrodes)])
    for place, answer in enumerate(answers):
        low, high = answer.reduction_limit, TOP if answer.oxidation_limit is None else answer.oxidation_limit
        if answer.practical_reduction_limit is not None:
            end = TOP if answer.practical_oxidation_limit is None else answer.practical_oxidation_limit
            start = answer.practical_reduction_limit
            axes.barh(
                place, end - start, left=start, height=0.66, color=PRACTICAL, label=None if place else "practical"
            )
        axes.barh(place, high - low, left=low, height=0.4, color=WINDOW, label=None if place else "thermodynamic")
        limits = f"{low:.2f}–" + ("" if answer.oxidation_limit is None else f"{high:.2f}")
        axes.text((low + min(high, TOP)) / 2, place, limits, ha="center", va="center", fontsize=7.5)
    axes.set_yticks(range(len(answers)), [chemical(answer.formula) for answer in answers])
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), frameon=False, fontsize=8, ncols=2)
    axes.tick_params(axis="x", length=0)
    for place, electrode in enumerate(electrodes):
        width = max(electrode.voltage_high - electrode.voltage_low, 0.04)  # a flat plateau stays visible
        below.barh(place, width, left=electrode.voltage_low, height=0.45, color=ELECTRODE)
    below.set_yticks(range(len(electrodes)), [chemical(electrode.formula) for electrode in electrodes], fontsize=8)
    below.set_xlabel(f"voltage (V vs Li/Li$^+$); hull {answers[0].hull}; below: working ranges of electrodes")
    for panel in (axes, below):
        panel.invert_yaxis()
        panel.set_xlim(0, TOP)
        panel.grid(axis="x", color="#dddddd", lw=0.6)
        panel.set_axisbelow(True)
        panel.spines[["top", "right", "left"]].set_visible(False)
        panel.tick_params(axis="y", length=0)
    axes.spines["bottom"].set_visible(False)
    return save(figure, path)


def matrix_figure(answer: InterfaceMatrixAnswer, path: Path) -> Path:
    """Heat map of worst reaction energies in meV/atom, the number in every cell; hatched where there is no answer."""
    import numpy as np

    values = np.array([[np.nan if cell.reaction_energy is None else 1000 * cell.reaction_energy for cell in row]
                       for row in answer.cells])  # fmt: skip
    figure = new_figure(3.2 + 0.58 * len(answer.columns), 2.6 + 0.42 * len(answer.rows))
    axes = figure.subplots()
    worst = -100.0 if np.isnan(values).all() else min(float(np.nanmin(values)), -100.0)
    axes.set_facecolor("#bbbbbb")
    image = axes.imshow(values, cmap="YlOrRd_r", vmin=worst, vmax=0, aspect="auto")
    for i, row in enumerate(values):
        for j, value in enumerate(row):
            shown = "–" if np.isnan(value) else f"{round(value) + 0:d}"
            dark = value < 0.6 * worst
            axes.text(j, i, shown, ha="center", va="center", fontsize=7.5, color="white" if dark else "#222222")
    axes.set_xticks(range(len(answer.columns)), [chemical(name) for name in answer.columns], rotation=45, ha="right")
    axes.set_yticks(range(len(answer.rows)), [chemical(name) for name in answer.rows])
    axes.tick_params(length=0, labelsize=8.5)
    axes.spines[:].set_visible(False)
    where = "closed" if answer.voltage is None else f"at {answer.voltage:g} V"
    figure.colorbar(image, label="worst reaction (meV/atom)", pad=0.02)
    axes.set_title(f"Interface reactions, {where}, hull {answer.hull}", fontsize=10)
    return save(figure, path)


def new_figure(width: float, height: float) -> "Figure":
    """A figure without pyplot: no display, no global state, safe in any thread. Size in inches."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def save(figure: "Figure", path: Path) -> Path:
    """Write a figure in the format of its suffix.

    Raises:
        OutOfRange: a suffix that is no format of figures.
    """
    from ionscout.datasets.errors import OutOfRange

    formats = figure.canvas.get_supported_filetypes()
    if path.suffix.lstrip(".").lower() not in formats:
        raise OutOfRange(f"{path.name} is no figure file; give a name that ends in .png, .svg or .pdf.")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    return path


def chemical(formula: str) -> str:
    """A formula with subscripts."""
    return re.sub(r"(?<=[A-Za-z)\]])(\d+(?:\.\d+)?)", r"$_{\1}$", formula)
