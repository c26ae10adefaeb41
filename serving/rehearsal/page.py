"""A rehearsal as a page to read: what happened when, what was killed, who passed the gate."""

from ionscout.serving.rehearsal.challengers import Judged, SeedPair
from ionscout.serving.rehearsal.questions import PAUSE
from ionscout.serving.rehearsal.run import Loop, Rehearsal


def markdown(found: Rehearsal, command: str) -> str:
    """The report of one rehearsal."""
    verdict = "Everything went as it must." if not found.faults else "Faults: " + "; ".join(found.faults) + "."
    lines = ["# A rehearsed retraining", "", found.plan, f"Rows: {found.trained_on}.", "", f"**{verdict}**", ""]
    lines += ["| s | what happened |", "|---|---|"]
    lines += [f"| {event.seconds:.0f} | {_cell(event.words)} |" for event in found.events]
    if found.loop is not None:
        lines += _loop(found.loop)
    if found.judged:
        lines += _judged(found.judged, found.same_weights, found.same_metrics)
    if found.seeds is not None:
        lines += _seeds(found.seeds)
    return "\n".join([*lines, "", f"Written by `{command}`."]) + "\n"


def _loop(loop: Loop) -> list[str]:
    lines = [
        "",
        "## Killed, and run again",
        "",
        "`ionscout retrain conductivity`, ended by SIGKILL as soon as it said that a stage began (some seconds into "
        "fit and gate); after each kill the champion was loaded from the registry.",
        "",
        "| killed in | finished by then | champion that loads |",
        "|---|---|---|",
    ]
    for kill in loop.kills:
        lines.append(f"| {kill.stage} | {', '.join(kill.finished) or '–'} | version {kill.champion}, {kill.model} |")
    served = " and ".join(f"{seconds:.1f} s" for seconds in loop.seconds_to_serve)
    followed = f"{served} after the registry named it, looked at every {PAUSE} s" if served else "no change to follow"
    return [
        *lines,
        "",
        f"Run again it took over {', '.join(loop.resumed) or 'nothing'}. {loop.words}",
        f"The running service answered with the other champion: {followed}. Of {loop.answered + loop.dropped} requests "
        f"meanwhile {loop.dropped} were dropped and {loop.mixed} answered by two models at once.",
    ]


def _judged(judged: tuple[Judged, ...], weights: bool | None, metrics: bool | None) -> list[str]:
    lines = ["", "## Before the gate", "", "| challenger | must be | was | tests that failed |", "|---|---|---|---|"]
    for one in judged:
        lines.append(f"| {one.name} | {one.expected} | {one.outcome} | {', '.join(one.failed) or '–'} |")
    lines += ["", *(f"- {one.name}: {one.words}" for one in judged), ""]
    same = {True: "the same", False: "another", None: "not compared"}
    return [*lines, f"Trained twice with one seed: {same[weights]} weight hash, {same[metrics]} metrics."]


def _seeds(pair: SeedPair) -> list[str]:
    return [
        "",
        "## A change of seed alone",
        "",
        f"On {pair.rows} rows the upper limits are {pair.upper[0]:+.3f} and, the other way, {pair.upper[1]:+.3f} "
        f"decades; the gate allows {pair.margin:+.3f}. Failed tests: {', '.join(pair.failed) or 'none'}.",
        "",
        *(f"- {words}" for words in pair.words),
    ]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
