"""`ionscout benchmark retraining`: the life of a champion, from the first to the rollback, in a home of its own."""

import logging
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from ionscout.serving.client import Client
from ionscout.serving.launch import running_server
from ionscout.serving.rehearsal import challengers, kills, laboratory
from ionscout.serving.rehearsal.challengers import Judged, SeedPair
from ionscout.serving.rehearsal.kills import Kill
from ionscout.serving.rehearsal.plan import Plan
from ionscout.serving.rehearsal.questions import Questions
from ionscout.serving.rehearsal.surroundings import own_home
from ionscout.training.conductivity import TrainingData, train
from ionscout.training.retraining.pipeline import STAGES

Part = Literal["loop", "challengers", "seeds"]
PARTS: tuple[Part, ...] = ("loop", "challengers", "seeds")


@dataclass(frozen=True)
class Event:
    """Something that happened, seconds after the start."""

    seconds: float
    words: str


@dataclass(frozen=True)
class Loop:
    """A retraining under fire with a service beside it.

    Attributes:
        first, challenger: versions of the weights. outcome, words: the decision.
        seconds_to_serve: from promotion, and from rollback, in the registry to an answer of the other champion.
        answered, dropped, mixed: requests of a client that never stopped; mixed: answers of two models at once.
    """

    observations: int
    first: str
    kills: tuple[Kill, ...]
    resumed: tuple[str, ...]
    outcome: str
    words: str
    challenger: str | None
    seconds_to_serve: tuple[float, ...]
    answered: int
    dropped: int
    mixed: int


@dataclass(frozen=True)
class Rehearsal:
    """What came of it; `faults` is empty where everything went as it must."""

    plan: str
    trained_on: str
    events: tuple[Event, ...]
    loop: Loop | None
    judged: tuple[Judged, ...]
    same_weights: bool | None
    same_metrics: bool | None
    seeds: SeedPair | None

    @property
    def faults(self) -> tuple[str, ...]:
        wrong = [one for one in self.judged if not one.as_expected]
        found = [f"{one.name}: {one.outcome} ({', '.join(one.failed) or 'no test failed'})" for one in wrong]
        if self.loop is not None and (self.loop.dropped or self.loop.mixed):
            found.append(f"{self.loop.dropped} requests were dropped, {self.loop.mixed} answered by two models")
        if self.loop is not None and (self.loop.outcome != "promoted" or not self.loop.resumed):
            resumed = ", ".join(self.loop.resumed) or "nothing"
            found.append(f"the retraining after the kills took over {resumed} and was {self.loop.outcome}")
        if self.same_weights is False or self.same_metrics is False:
            found.append("two trainings with one seed differ")
        return tuple(found)

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "faults": self.faults}


def rehearse(
    plan: Plan,
    parts: tuple[Part, ...] = ("loop", "challengers"),
    folder: Path | None = None,
    observations: int = 50,
    on_event: Callable[[Event], None] = lambda event: None,
) -> Rehearsal:
    """Rehearse in a folder (None: one that is gone afterwards).

    Raises:
        RehearsalFailed, ServiceFailed: a step could not be taken at all.
    """
    logging.getLogger("mlflow").setLevel(logging.ERROR)  # a paragraph for every version
    begun, events = time.monotonic(), []

    def say(words: str) -> None:
        events.append(Event(round(time.monotonic() - begun, 1), words))
        on_event(events[-1])

    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ionscout-rehearsal-")))
        folder.mkdir(parents=True, exist_ok=True)
        stack.enter_context(own_home(folder.resolve(), plan.tables))
        data = plan.data()
        say(f"{len(data.main)} rows to judge on, {len(data.extra)} further ones: {data.description}")
        loop = judged = same = pair = None
        if "loop" in parts or "challengers" in parts:
            first = train(challengers.half(data, 0), plan.config)
            say(f"first champion {first.version}, trained on {first.card['rows']} rows of half the publications")
        if "loop" in parts:
            loop = _loop(plan, folder, first.version, observations, say)
        if "challengers" in parts:
            judged, same = _challengers(plan, data, say)
        if "seeds" in parts:
            pair = challengers.seed_pair(data, plan.config, plan.policy)
            say(f"two seeds: {pair.words[0]}; the other way: {pair.words[1]}")
    weights, metrics = same or (None, None)
    return Rehearsal(plan.words, data.description, tuple(events), loop, judged or (), weights, metrics, pair)


def _loop(plan: Plan, folder: Path, first: str, count: int, say: Callable[[str], None]) -> Loop:
    command = kills.written(plan.files(), folder)
    found = []
    with running_server() as server, Client(server.url) as client, Questions(server.url) as questions:
        say(f"the service answers with {questions.listed()}")
        results, made_by = laboratory.simulated(count)
        stored = laboratory.post(client, results, made_by)
        say(f"{stored} observations posted, simulated by the shipped model {made_by}")
        for stage in STAGES:
            found.append(kills.kill_at(stage, command))
            done = ", ".join(found[-1].finished) or "nothing"
            say(f"killed in {stage}; finished: {done}; champion {found[-1].model} (version {found[-1].champion}) loads")
        decided = kills.decision(command)
        say(f"run again, it took over {', '.join(decided['resumed']) or 'nothing'}: {decided['words']}")
        challenger = kills.weights_of(decided["version"])
        if decided["outcome"] == "promoted":
            questions.wait_for(challenger)
            say(f"the service answers with {challenger}")
            now = kills.rollback()
            questions.wait_for(first)
            say(f"rolled back to version {now}: the service answers with {first}")
    say(f"{questions.answered} requests answered meanwhile, {questions.dropped} dropped, {questions.mixed} mixed")
    return Loop(
        stored,
        first,
        tuple(found),
        tuple(decided["resumed"]),
        decided["outcome"],
        decided["words"],
        challenger,
        questions.seconds_to_serve(),
        questions.answered,
        questions.dropped,
        questions.mixed,
    )


def _challengers(
    plan: Plan, data: TrainingData, say: Callable[[str], None]
) -> tuple[tuple[Judged, ...], tuple[bool, bool]]:
    rows = challengers.judged_rows(data)
    families = challengers.by_size(data, plan.policy.families.missing_rows)
    cases = (
        ("all data, against the champion of half", "promoted", "", data),
        ("shuffled labels", "refused", "accuracy", challengers.shuffled(data, 0)),
        *(
            (f"without {family} ({count} rows)", "refused", f"family {family}", challengers.without(data, family))
            for family, count in (families[0], families[-1])
        ),
    )
    found, cards = [], []
    for name, expected, wanted, theirs in cases:
        one, card = challengers.before_the_gate(name, expected, wanted, theirs, rows, plan.config, plan.policy)
        found.append(one)
        cards.append(card)
        say(f"{name}: {one.outcome}{' for ' + ', '.join(one.failed) if one.failed else ''}")
    again = train(data, plan.config).card
    same = tuple(again[key] == cards[0][key] for key in ("weights_sha256", "metrics_out_of_fold"))
    say(f"trained again with the same seed: weights {again['version']}, {'the same' if all(same) else 'not the same'}")
    return tuple(found), (same[0], same[1])
