"""How campaigns look in a terminal."""

from typing import TYPE_CHECKING

from ionscout.serving.cli.tables import console, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ionscout.serving.campaign_schemas import (
        BatchAnswer,
        CampaignPredictAnswer,
        ObservedAnswer,
        StatusAnswer,
        StatusAnswers,
        SuggestionAnswer,
    )


def print_batch(answer: "BatchAnswer") -> None:
    print_suggestions(f"Campaign {answer.campaign}, batch {answer.batch}", answer.suggestions)
    first = answer.suggestions[0]
    console().print(f"Model {first.model} {first.version}; send results with `ionscout campaign observe`.", style="dim")


def print_suggestions(title: str, suggestions: "Sequence[SuggestionAnswer]") -> None:
    rows = [
        (
            str(s.id),
            s.formula,
            s.mechanism,
            f"{s.conductivity:.1e}",
            f"{s.lower:.0e}–{s.upper:.0e}",
            s.explanation,
        )
        for s in suggestions
    ]
    headings = ("id", "formula", "mechanism", "S/cm", "interval", "why")
    print_table(title, headings, rows, fold=("formula", "mechanism", "why"))


def print_predictions(answer: "CampaignPredictAnswer") -> None:
    rows = [
        (
            found.formula,
            f"{found.before.value:.1e}",
            f"{found.before.lower:.0e}–{found.before.upper:.0e}",
            f"{found.after.value:.1e}",
            f"{found.after.lower:.0e}–{found.after.upper:.0e}",
        )
        for found in answer.predictions
    ]
    first = answer.predictions[0].after
    print_table(
        f"Ionic conductivity at {first.temperature_K:g} K, S/cm, after {answer.observations} observations",
        ("formula", "model alone", "interval", "corrected", "interval"),
        rows,
        fold=("formula",),
    )
    console().print(f"Model {first.model} {first.version}", style="dim")


def observed_line(answer: "ObservedAnswer") -> str:
    found = answer.observation
    if found.failed:
        result = f"synthesis failed: {found.reason}"
    else:
        result = f"{'<' if found.censored else ''}{found.conductivity:.3g} S/cm at {found.temperature_K:g} K"
    answered = "" if found.suggestion is None else f", answers suggestion {found.suggestion}"
    return f"{'stored' if answer.new else 'was stored before'}: {found.id}, {found.formula}, {result}{answered}"


def print_status(answer: "StatusAnswers", where: str) -> None:
    out = console()
    if not answer.campaigns:
        out.print(f"There is no campaign in {where}; make one with `ionscout campaign new`.")
    for found in answer.campaigns:
        _print_one(found)


def _print_one(found: "StatusAnswer") -> None:
    out = console()
    out.print(f"{found.campaign.name}: {', '.join(found.campaign.hosts)}", style="bold")
    out.print(f"  {found.measured} measured, {found.bounds} upper bounds, {found.failed} failed syntheses")
    if found.best is not None:
        out.print(f"  best: {found.best.formula}, {found.best.conductivity:.3g} S/cm at {found.best.temperature_K:g} K")
    rows = [
        (
            str(r.batch),
            *(str(number) for number in (r.suggested, r.open, r.measured, r.failed, r.observations)),
            "–" if r.error is None else f"{r.error:.2f}",
            "–" if r.best is None else f"{r.best:.1e}",
        )
        for r in found.rounds
    ]
    if rows:
        headings = ("batch", "suggested", "open", "measured", "failed", "observations", "error/decades", "best S/cm")
        print_table("Rounds", headings, rows)
    if found.open:
        print_suggestions("Open suggestions", found.open)
