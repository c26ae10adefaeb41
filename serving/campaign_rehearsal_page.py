"""How a rehearsed campaign is reported: a page, plain values, and the MLflow record."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from ionscout.datasets.sources.base import Measurement
from ionscout.serving.campaign_rehearsal import Rehearsal


def logged(found: Rehearsal, rows: Sequence[Measurement], name: str) -> str:
    """Write a rehearsal into the MLflow record; the run's id."""
    import mlflow

    from ionscout.training.tracking import log_measurements, run

    parameters = {key: getattr(found, key) for key in ("model", "offset", "pool", "held_out", "per_round", "seed")}
    with run("campaigns", name, parameters) as active:
        log_measurements(list(rows), "what the laboratory can look up", "campaign")
        for one in found.rounds:
            numbers = {key: float(v) for key, v in asdict(one).items() if v is not None and key != "round"}
            mlflow.log_metrics(numbers, step=one.round)
        mlflow.log_dict(as_dict(found), "rehearsal.json")
        return str(active.info.run_id)


def as_dict(found: Rehearsal) -> dict[str, Any]:
    """The report as plain values."""
    return asdict(found)


def markdown(found: Rehearsal) -> str:
    """The report as a page."""
    lines = [
        "# A rehearsed campaign",
        "",
        f"Model {found.model}. {found.pool + found.held_out} measurements near room temperature, {_origin(found)}, "
        f"from formulas alone: {found.pool} can be suggested and measured, {found.held_out} are held out ({found.near} "
        "of them within 5 % of exchanged atoms of what was measured by the end). "
        f"{found.per_round} suggestions a round, over HTTP, with the fast update and no refit. Errors are mean "
        "absolute ones of the held-out rows in decades; *narrower* is the share of their intervals that shrank.",
        "",
        "| round | measured | best log10 σ | error | error near | coverage of 90 % | width | narrower |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in found.rounds:
        best = "–" if one.best is None else f"{one.best:.2f}"
        lines.append(
            f"| {one.round} | {one.observations} | {best} | {one.error:.2f} | {one.near_error:.2f} "
            f"| {one.coverage:.0%} | {one.width:.2f} | {one.narrower:.0%} |"
        )
    return "\n".join([*lines, "", "Written by `ionscout benchmark campaign --out benchmarks`."]) + "\n"


def _origin(found: Rehearsal) -> str:
    if found.offset is None:
        return "of tables whose compositions and publications are not in its training set"
    return (
        "which it may have been trained on, under the simulated effect of a laboratory whose samples conduct "
        f"10^{found.offset:g} times as well as the published ones, with scatter"
    )
