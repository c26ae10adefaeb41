"""One figure of a search: how the error fell with the trials, and which parameters it depends on."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from optuna.trial import FrozenTrial, TrialState

DONE, STOPPED, BEFORE = "#1f4e8c", "#b0b0b0", "#c1440e"


def search_figure(trials: Sequence[FrozenTrial], as_it_is: float | None, importances: Mapping[str, float]) -> Figure:
    """History on the left; on the right the importances (shares of the variance of the error), where there are any.

    Args:
        trials: those that count. as_it_is: error of the configuration before the search, decades.
    """
    panels = 2 if importances else 1
    figure = Figure(figsize=(5.5 * panels, max(3.6, 1.2 + 0.27 * len(importances))), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    _history(axes[0], trials, as_it_is)
    if importances:
        names = list(importances)[::-1]
        axes[1].barh([name.removeprefix("process.").removeprefix("location.") for name in names],
                     [importances[name] for name in names], color=DONE, height=0.6)  # fmt: skip
        axes[1].set_xlabel("importance: share of the variance of the error (fANOVA)")
    for panel in axes:
        panel.spines[["top", "right"]].set_visible(False)
    return figure


def _history(axes, trials: Sequence[FrozenTrial], as_it_is: float | None) -> None:
    completed = [t for t in trials if t.state is TrialState.COMPLETE]
    stopped = [t for t in trials if t.state is TrialState.PRUNED]
    reached = [list(t.intermediate_values.values())[-1] for t in stopped]
    axes.plot([t.number for t in stopped], reached, "x", color=STOPPED, ms=4, label="stopped early, so far")
    values = [float(t.values[0]) for t in completed]
    axes.plot([t.number for t in completed], values, "o", color=DONE, ms=3.5, label="all folds")
    axes.step([t.number for t in completed], np.minimum.accumulate(values), where="post", color=DONE, lw=1.2)
    if as_it_is is not None:
        axes.axhline(as_it_is, color=BEFORE, lw=1, ls="--", label="configuration before")
        low, high = min(values), max(*values, as_it_is)
        # a few impossible trials would else press everything else together
        axes.set_ylim(low - 0.03, min(high, as_it_is + 3 * max(as_it_is - low, 0.1)) + 0.03)
    axes.set(xlabel="trial", ylabel="mean absolute error out of fold (C, decades)")
    axes.legend(frameon=False, fontsize=8)
