"""Figure of an explanation: the lithium network seen along an axis, and what each species adds."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ionscout.serving.explanation_schemas import ExplanationSummary
from ionscout.serving.thermo_figures import chemical, new_figure, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from pymatgen.core import Structure

MORE, LESS, LITHIUM, HOP, FRAME = "#1f4e8c", "#c1440e", "#2f8f5b", "#9db4d0", "#bbbbbb"


def explanation_figure(
    found: ExplanationSummary,
    path: Path,
    *,
    formula: str,
    structure: "Structure | None" = None,
    axis: int | None = None,
) -> Path:
    """Draw contributions of the species and, for a crystal, its lithium hops projected along a cell axis.

    Args:
        structure: the crystal; None for a formula, which has contributions only.
        axis: 0, 1 or 2: cell axis to look along; None takes the shortest.
    """
    crystal = structure is not None and found.lithium_paths is not None
    figure = new_figure(11.5 if crystal else 6.2, 4.8)
    if crystal and structure is not None:
        left, right = figure.subplots(1, 2, width_ratios=[1.15, 1])
        _network(left, structure, found, axis)
    else:
        right = figure.subplots()
    _waterfall(right, found)
    figure.suptitle(chemical(formula), fontsize=12)
    return save(figure, path)


def _waterfall(axes: "Axes", found: ExplanationSummary) -> None:
    """From the baseline to the prediction, one step an element."""
    ordered = sorted(found.species, key=lambda part: -abs(part.decades))
    level = found.baseline
    for place, part in enumerate(ordered, start=1):
        axes.barh(place, part.decades, left=level, height=0.62, color=MORE if part.decades >= 0 else LESS)
        axes.plot([level + part.decades] * 2, [place - 0.31, place + 1.31], color="#888888", lw=0.7)
        level += part.decades
        axes.annotate(
            f"{part.decades:+.2f}".replace("-", "−"),
            (max(level, level - part.decades), place), (4, 0), textcoords="offset points", va="center", fontsize=8,
        )  # fmt: skip
    last = len(ordered) + 1
    axes.plot([found.baseline], [0], "o", color="#666666", ms=7)
    axes.plot([found.prediction], [last], "o", color="#222222", ms=7)
    axes.plot([found.baseline] * 2, [0, 1.31], color="#888888", lw=0.7)
    names = ["typical species", *(f"{part.element} ({part.role})" for part in ordered), "prediction"]
    axes.set_yticks(range(last + 1), names)
    axes.invert_yaxis()
    axes.use_sticky_edges = False  # bars would else touch the frame
    axes.margins(x=0.12)
    axes.set_xlabel(f"log$_{{10}}$(σ / S cm$^{{-1}}$) at {found.temperature_K:g} K")
    axes.set_title("what the species add to the lithium sub-lattice", fontsize=10)
    axes.grid(axis="x", color="#dddddd", lw=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def _network(axes: "Axes", structure: "Structure", found: ExplanationSummary, axis: int | None) -> None:
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgb

    from ionscout.models.conductivity.crystal_sites import site_table
    from ionscout.models.conductivity.lithium_network import lithium_network

    paths = found.lithium_paths
    assert paths is not None
    sites = site_table(structure)
    network = lithium_network(sites)
    seen = int(np.argmin(np.linalg.norm(sites.lattice, axis=1))) if axis is None else axis
    flat = _projection(sites.lattice, seen)
    inside = structure.frac_coords % 1.0 @ sites.lattice @ flat
    shift = np.floor(structure.frac_coords)
    hops = network.hops.where(network.hops.distance <= paths.hop)
    start = inside[hops.first]
    end = inside[hops.second] + (hops.offset - shift[hops.first] + shift[hops.second]) @ sites.lattice @ flat
    near = 1 - hops.distance / paths.hop  # long hops, of which there are many, stay faint
    colours = [(*to_rgb(HOP), 0.15 + 0.85 * float(x)) for x in near]

    middle = (start + end) / 2  # each direction draws its own half, so that hops over the edge leave the cell
    axes.add_collection(
        LineCollection(np.stack([start, middle], 1).tolist(), linewidths=0.5 + 3 * near, colors=colours)
    )
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]])
    edges = np.delete(sites.lattice @ flat, seen, 0)
    axes.plot(*(corners @ edges).T, color="#444444", lw=0.9)
    frame = sites.anion + sites.cation > 0.5
    axes.scatter(
        inside[frame, 0],
        inside[frame, 1],
        s=60 * np.clip(sites.radius[frame], 0.4, 2) ** 2,
        color=FRAME,
        alpha=0.35,
        lw=0,
    )
    held = sites.lithium > 0
    axes.scatter(inside[held, 0], inside[held, 1], s=34, facecolor="white", edgecolor=LITHIUM, lw=1.0, zorder=2)
    axes.scatter(inside[held, 0], inside[held, 1], s=34 * sites.lithium[held], color=LITHIUM, lw=0, zorder=3)
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.set_title(
        f"lithium hops up to {paths.hop:g} Å: {paths.dimension}D, seen along {'abc'[seen]} (fill: occupancy)",
        fontsize=10,
    )


def _projection(lattice: np.ndarray, seen: int) -> np.ndarray:
    """Cartesian axes across the view, [3, 2]: the first of the other cell axes points to the right."""
    view = lattice[seen] / np.linalg.norm(lattice[seen])
    across = lattice[(seen + 1) % 3]
    right = across - (across @ view) * view
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(view, right)], 1)
