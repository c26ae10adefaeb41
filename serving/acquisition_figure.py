"""Acquisition history: what a campaign found against what it measured, beside other ways of choosing."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator

from ionscout.serving.thermo_figures import new_figure, save

COLOURS = ("#1f4e8c", "#c1440e", "#7fb59a", "#8c6bb1", "#999999", "#d9a441", "#4d4d4d", "#66a3c7")


def acquisition_figure(
    curves: Mapping[str, Sequence[Sequence[float]]], path: Path, title: str = "", batch: int = 5, chance: float = 0.0
) -> Path:
    """Draw hits against measurements, one colour a strategy: median as a line, band from low to high.

    Args:
        curves: by strategy, (low, median, high), each after 0, 1, 2, … measurements.
        batch: where batches end, as light lines; 0 for none.
        chance: expected hits of random choice by the last measurement, as a dashed line; 0 for none.
    """
    figure = new_figure(7.2, 4.6)
    axes = figure.subplots()
    last = max(len(low) for low, _, _ in curves.values()) - 1
    for edge in range(batch, last, batch) if batch else ():
        axes.axvline(edge, color="#eeeeee", lw=0.6, zorder=0)
    for colour, (name, (low, middle, high)) in zip(COLOURS, curves.items(), strict=False):
        steps = np.arange(len(middle))
        axes.fill_between(steps, low, high, color=colour, alpha=0.15, lw=0, step="post")
        axes.step(steps, middle, where="post", color=colour, lw=1.8, label=name.replace("_", " "))
    if chance:
        axes.plot([0, last], [0, chance], color="#444444", lw=1, ls="--", label="expected by chance")
    axes.set_xlim(0, last)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("measurements")
    axes.set_ylabel("targets found")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8, loc="upper left")
    if title:
        figure.suptitle(title, fontsize=11)
    return save(figure, path)
