"""`ionscout benchmark retraining`: rehearse the whole loop, kills and bad challengers included."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ionscout.datasets.errors import UnknownName
from ionscout.serving.cli.inputs import Json

DEFAULT = ("loop", "challengers")


def register(benchmarks: typer.Typer) -> None:
    benchmarks.command("retraining")(retraining)


def retraining(
    full: Annotated[bool, typer.Option("--full", help="Shipped configuration and every table here; an hour.")] = False,
    part: Annotated[
        list[str] | None, typer.Option(help="loop, challengers or seeds; repeatable. Default: the first two, or all.")
    ] = None,
    home: Annotated[Path | None, typer.Option(help="Keep the record here; default: a temporary folder.")] = None,
    output: Annotated[Path | None, typer.Option("--out", help="Folder for the report (.md and .json).")] = None,
    as_json: Json = False,
) -> None:
    """Rehearse a retraining: 50 simulated observations, kill -9 in five stages, gate, service, rollback.

    Then challengers that must be promoted or refused, and two trainings with one seed. Needs the embedded data only,
    and some minutes. --full --part seeds: how much a change of seed moves the gate. Exit code 1: something went wrong.
    """
    from ionscout.serving.cli.training import check_writable, write_report
    from ionscout.serving.rehearsal import plan
    from ionscout.serving.rehearsal.page import markdown
    from ionscout.serving.rehearsal.run import PARTS, Event, rehearse

    parts = tuple(part or (PARTS if full else DEFAULT))
    for name in parts:
        if name not in PARTS:
            raise UnknownName(f"Unknown part '{name}'; a rehearsal has: {', '.join(PARTS)}.")
    for folder in (output, home):
        if folder is not None:
            check_writable(folder)

    def show(event: Event) -> None:
        typer.echo(f"{event.seconds:7.1f} s  {event.words}", err=True)

    found = rehearse(plan.full() if full else plan.reduced(), parts, home, on_event=show)  # type: ignore[arg-type]
    options = "".join([" --full" if full else "", *(f" --part {name}" for name in part or ())])
    page = markdown(found, f"ionscout benchmark retraining{options} --out benchmarks")
    if output is not None:  # a part of it does not take the place of the whole
        name = "_".join(["retraining", *(["full"] if full else []), *(part or ())])
        write_report(output, name, found.as_dict(), page)
    typer.echo(json.dumps(found.as_dict(), indent=2, ensure_ascii=False) if as_json else page)
    if found.faults:
        raise typer.Exit(1)
