"""A campaign with a laboratory that looks its results up: does the loop close, and does what it learns hold elsewhere?

Where tables are at hand that the served model was not trained on, the laboratory's values are theirs. Else they are
known ones under an effect of the laboratory, which no model can know before. A part of the rows can be suggested and
measured; the others are never shown, only predicted. Everything runs over HTTP, and every round is logged in MLflow.
"""

import math
import os
import tempfile
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial.distance import cdist

from ionscout.datasets.composition import atomic_fractions, parse_formula
from ionscout.datasets.errors import BadData
from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.sources.repeats import SAME_FORMULA, conductivities, fraction_matrix
from ionscout.serving.campaign_schemas import CampaignPrediction
from ionscout.training.folds import without_overlap
from ionscout.training.measurements import NEAR_ROOM, joined_table

if TYPE_CHECKING:
    from ionscout.serving.client import Client

TABLES = ("obelix", "embedded", "liverpool", "laskowski", "conductivity-1011")
# Of a simulated laboratory, decades: pellets pressed cold conduct several times less than the literature's best ones,
# and repeats scatter (median difference of two 0.45).
LAB_OFFSET, LAB_SCATTER = -0.7, 0.3
HELD_OUT = 0.4  # of the rows
LOWEST = -10.0  # log10 σ; below, values are bounds in disguise
NEAR = 0.05  # share of exchanged atoms up to which a held-out row counts as near a measured one
PORTION = 64  # materials in one request
FEWEST = 40  # rows below which nothing can be said


@dataclass(frozen=True)
class RehearsalRound:
    """Held-out rows after a round; round 0: before the first.

    Attributes:
        observations: measured so far. best: log10(σ / S cm⁻¹) of the best of them.
        error, near_error: mean |measured − predicted| of the held-out rows, decades; near: of those within 5 % of
            exchanged atoms of what was measured by the end.
        coverage: of nominal 90 % intervals. width: mean width of these, decades.
        narrower: share of held-out intervals that are narrower than before the campaign, none being wider.
    """

    round: int
    observations: int
    best: float | None
    error: float
    near_error: float
    coverage: float
    width: float
    narrower: float


@dataclass(frozen=True)
class Rehearsal:
    """One rehearsed campaign.

    Attributes:
        offset: decades that a simulated laboratory adds to known values; None where the values are unseen ones.
        near: number of held-out rows within 5 % of exchanged atoms of what was measured by the end.
    """

    model: str
    offset: float | None
    pool: int
    held_out: int
    near: int
    per_round: int
    seed: int
    rounds: tuple[RehearsalRound, ...]


def run(
    rounds: int = 3, per_round: int = 10, seed: int = 0, on_round: Callable[[int], None] = lambda done: None
) -> Rehearsal:
    """Start a service with a store of its own, rehearse, and log it in MLflow.

    Raises:
        BadData: there are too few measurements on this machine.
        ServiceFailed: the service did not start.
    """
    from ionscout.serving.campaign_rehearsal_page import logged
    from ionscout.serving.client import Client
    from ionscout.serving.launch import running_server

    name = f"rehearsal-{uuid.uuid4().hex[:8]}"
    before = os.environ.get("IONSCOUT_STORE")
    with tempfile.TemporaryDirectory(prefix="ionscout-rehearsal-") as folder:
        os.environ["IONSCOUT_STORE"] = str(Path(folder) / "store.sqlite")  # which the service inherits
        try:
            with running_server() as server, Client(server.url) as client:
                rows, offset = laboratory(client.models().models[0].trained_on, seed)
                found = replace(rehearse(client, rows, name, rounds, per_round, seed, on_round), offset=offset)
        finally:
            del os.environ["IONSCOUT_STORE"]
            os.environ |= {} if before is None else {"IONSCOUT_STORE": before}
    logged(found, rows, name)
    return found


def laboratory(trained_on: str, seed: int = 0) -> tuple[list[Measurement], float | None]:
    """What the laboratory can look up, near room temperature and one row for each composition, and its offset.

    Args:
        trained_on: the data sets of the served model, in the words of its card.

    Raises:
        BadData: there are too few rows on this machine.
    """
    low, high = NEAR_ROOM
    rows = joined_table().measurements
    known = tuple(name for name in TABLES if name in trained_on.lower())
    near = [m for m in rows if low <= m.temperature_K <= high and not m.censored and m.log10_conductivity > LOWEST]
    seen = [m for m in rows if m.source in known]
    unseen = _distinct(without_overlap([m for m in near if m.source not in known], seen))
    if known and len(unseen) >= FEWEST:
        return unseen, None
    if len(near := _distinct(near)) < FEWEST:
        raise BadData(
            f"Only {len(near)} measurements near room temperature are on this machine; set IONSCOUT_DATA_DIR."
        )
    noise = np.random.default_rng(seed).normal(LAB_OFFSET, LAB_SCATTER, len(near))
    values = [float(m.log10_conductivity + x) for m, x in zip(near, noise, strict=True)]
    return [replace(m, log10_conductivity=v, source="simulated") for m, v in zip(near, values, strict=True)], LAB_OFFSET


def _distinct(rows: Sequence[Measurement]) -> list[Measurement]:
    """The first row of each composition."""
    fractions = fraction_matrix(rows)
    return [
        m
        for i, m in enumerate(rows)
        if not (np.abs(fractions[:i] - fractions[i]).max(1, initial=0) <= SAME_FORMULA).any()
    ]


def rehearse(
    client: "Client",
    rows: Sequence[Measurement],
    name: str,
    rounds: int = 3,
    per_round: int = 10,
    seed: int = 0,
    on_round: Callable[[int], None] = lambda done: None,
) -> Rehearsal:
    """Run a campaign on the service behind a client.

    Args:
        rows: what the laboratory can look up; a part of it is held out.
        on_round: called with the number of rounds done.

    Raises:
        ServiceError, ServiceUnreachable.
    """
    order = np.random.default_rng(seed).permutation(len(rows))
    cut = round(HELD_OUT * len(rows))
    held, pool = [rows[i] for i in order[:cut]], [rows[i] for i in order[cut:]]
    client.new_campaign(
        name,
        [pool[0].formula],
        seed=seed,
        options={"candidates": [m.formula for m in pool], "dial": 0.5},
    )
    states, fractions = [_predict(client, name, held)], fraction_matrix(pool)
    measured: list[Measurement] = []
    marks: list[tuple[int, float | None]] = [(0, None)]
    for _ in range(rounds):
        batch = client.suggest(name, per_round, key=f"{name}-{len(marks)}")
        for suggestion in batch.suggestions:
            row = pool[_place(suggestion.formula, fractions)]
            client.observe(
                name,
                suggestion=suggestion.id,
                value=10**row.log10_conductivity,
                unit="S/cm",
                temperature_K=row.temperature_K,
                source=row.doi,
                measured_by="rehearsal",
                key=f"{name}-{suggestion.id}",
            )
            measured.append(row)
        states.append(_predict(client, name, held))
        marks.append((len(measured), max(m.log10_conductivity for m in measured)))
        on_round(len(marks) - 1)
    # which rows are near is known at the end; the errors of all rounds are over the same ones
    distance = cdist(fraction_matrix(held), fraction_matrix(measured), "cityblock").min(1) / 2
    found = []
    for number, (state, (count, best)) in enumerate(zip(states, marks, strict=True)):
        found.append(_round(number, count, best, state, states[0], conductivities(held), distance < NEAR))
    model = f"{states[0][0].before.model} {states[0][0].before.version}"
    return Rehearsal(model, None, len(pool), len(held), int((distance < NEAR).sum()), per_round, seed, tuple(found))


def _predict(client: "Client", name: str, held: Sequence[Measurement]) -> list[CampaignPrediction]:
    formulas = [m.formula for m in held]
    parts: list[list[str | dict[str, Any]]] = [[*formulas[i : i + PORTION]] for i in range(0, len(formulas), PORTION)]
    return [found for part in parts for found in client.campaign_predict(name, part).predictions]


def _place(formula: str, fractions: np.ndarray) -> int:
    """The row that the laboratory looks up."""
    return int(np.abs(fractions - atomic_fractions(parse_formula(formula))).max(1).argmin())


def _round(
    number: int,
    count: int,
    best: float | None,
    state: Sequence[CampaignPrediction],
    first: Sequence[CampaignPrediction],
    values: np.ndarray,
    near: np.ndarray,
) -> RehearsalRound:
    centre = np.array([math.log10(p.after.value) for p in state])
    low, high = (np.log10([getattr(p.after, end) for p in state]) for end in ("lower", "upper"))
    width, before = high - low, np.array([math.log10(p.after.upper / p.after.lower) for p in first])
    error = np.abs(centre - values)
    return RehearsalRound(
        round=number,
        observations=count,
        best=best,
        error=float(error.mean()),
        near_error=float(error[near].mean()) if near.any() else float("nan"),
        coverage=float(((low <= values) & (values <= high)).mean()),
        width=float(width.mean()),
        narrower=float((width < before - 1e-9).mean()),
    )
