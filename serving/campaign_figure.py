"""The history of a campaign: what was predicted, what was found, and the best so far."""

import math
from pathlib import Path

from ionscout.serving.campaign_schemas import StatusAnswer, StepAnswer
from ionscout.serving.thermo_figures import LINE, new_figure, save

PREDICTED, FOUND, FAILED = "#b9c4d0", "#1f4e8c", "#c1440e"
MOST_NAMED = 30  # observations; more names would overlap


def history_figure(answer: StatusAnswer, path: Path) -> Path:
    """Conductivities in the order in which they came in, with the intervals predicted before, failures and bounds.

    Raises:
        InvalidInput: the kind of file is unknown.
    """
    steps = answer.history
    figure = new_figure(max(7.0, min(16.0, 2.5 + 0.32 * len(steps))), 4.8)
    axes = figure.subplots()
    places = range(1, len(steps) + 1)
    for place, step in zip(places, steps, strict=True):
        if step.lower is not None and step.upper is not None and step.predicted is not None:
            axes.plot([place, place], [step.lower, step.upper], color=PREDICTED, lw=6, solid_capstyle="butt", zorder=1)
            axes.plot([place], [step.predicted], marker="_", color="#6b7785", ms=9, zorder=2)
    for label, marker, colour, chosen in (
        ("measured", "o", FOUND, [(p, s) for p, s in zip(places, steps, strict=True) if not (s.failed or s.censored)]),
        ("upper bound", "v", FOUND, [(p, s) for p, s in zip(places, steps, strict=True) if s.censored]),
    ):
        if chosen:
            values = [step.conductivity or math.nan for _, step in chosen]
            axes.plot([place for place, _ in chosen], values, marker, color=colour, ms=6, zorder=3, label=label)
    failed = [place for place, step in zip(places, steps, strict=True) if step.failed]
    if failed:
        axes.plot(
            failed, [0.02] * len(failed), "x", color=FAILED, ms=7, transform=axes.get_xaxis_transform(),
            label="synthesis failed", clip_on=False,
        )  # fmt: skip
    known = [(place, step.best) for place, step in zip(places, steps, strict=True) if step.best is not None]
    if known:
        axes.step(*zip(*known, strict=True), where="post", color=LINE, lw=1.2, ls="--", label="best so far")
    for before, place, step in zip([steps[0], *steps], places, steps, strict=False):
        if step.batch != before.batch:
            axes.axvline(place - 0.5, color="#dddddd", lw=0.8, zorder=0)
    axes.set_yscale("log")
    axes.set_xlim(0.4, len(steps) + 0.6)
    axes.set_ylabel("conductivity (S/cm)")
    axes.set_xlabel("observation; lines part the batches, bars are intervals predicted before")
    if len(steps) <= MOST_NAMED:
        axes.set_xticks(list(places), [_name(step) for step in steps], rotation=60, ha="right", fontsize=7)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    figure.suptitle(f"Campaign {answer.campaign.name}", fontsize=11)
    return save(figure, path)


def _name(step: StepAnswer) -> str:
    return step.formula if len(step.formula) <= 28 else f"{step.formula[:27]}…"
