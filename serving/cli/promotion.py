"""`ionscout retrain | promote | rollback`: new data to a new champion, through the gate, and back."""

import json
from pathlib import Path
from typing import Annotated

import typer

from ionscout.datasets.errors import UnknownName
from ionscout.serving.cli.inputs import Json
from ionscout.serving.cli.training import Changes, ConfigFile, Data, progress

MODELS = ("conductivity",)
REFUSED = 3  # exit code: a pipeline has to tell a refusal from an error (1) and a mistyped command (2)
Model = Annotated[str, typer.Argument(help="Which model: conductivity.")]
Policy = Annotated[Path | None, typer.Option("--policy", help="YAML file of the gate; default: the shipped one.")]
Store = Annotated[
    str | None, typer.Option(help="Observation store (address or SQLite file); default: IONSCOUT_STORE or the user's.")
]
LeaveOut = Annotated[
    list[str] | None,
    typer.Option("--leave-out", metavar="NAME", help="An own row that takes no part (campaign:garnet:7); repeatable."),
]


def register(app: typer.Typer) -> None:
    app.command("retrain", no_args_is_help=True)(retrain)
    app.command("promote", no_args_is_help=True)(promote)
    app.command("rollback", no_args_is_help=True)(rollback)


def retrain(
    model: Model,
    data: Data = None,
    store: Store = None,
    config: ConfigFile = None,
    changes: Changes = None,
    policy: Policy = None,
    leave_out: LeaveOut = None,
    as_json: Json = False,
) -> None:
    """Take in all observations, validate, train, judge against the champion, and promote or refuse.

    A killed retraining goes on where it was; equal inputs give the same decision. Exit code 3: refused.
    """
    _check(model)
    from ionscout.training.retraining.pipeline import retrain as run

    snapshot = _snapshot(data, store, config, policy, changes, leave_out)
    with progress("Fitting networks", quiet=as_json) as (start, advance):
        found = run(snapshot, lambda stage: None if as_json else typer.echo(f"{stage} …", err=True), start, advance)
    if as_json:
        body = {"key": found.key, "folder": str(found.folder), "resumed": found.resumed, **found.decision.as_dict()}
        typer.echo(json.dumps(body, indent=2, ensure_ascii=False))
    else:
        typer.echo(f"{found.decision.words}\nReports: {found.folder}")
    if found.decision.refused:
        raise typer.Exit(REFUSED)


def promote(
    model: Model,
    version: Annotated[str | None, typer.Option(help="Registry version; default: the challenger.")] = None,
    force: Annotated[str, typer.Option(metavar="REASON", help="Promote without the gate, for a recorded reason.")] = "",
    data: Data = None,
    store: Store = None,
    policy: Policy = None,
    leave_out: LeaveOut = None,
    as_json: Json = False,
) -> None:
    """Judge a registered version against the champion and let it answer if it passes. Exit code 3: refused."""
    _check(model)
    from ionscout.training.promotion.decide import promote as run

    snapshot = _snapshot(data, store, None, policy, leave_out=leave_out)
    decision = run(snapshot.judged, snapshot.policy, version, force.strip(), snapshot.kept_back)
    if as_json:
        typer.echo(json.dumps(decision.as_dict(), indent=2, ensure_ascii=False))
    else:
        for test in decision.report.tests if decision.report else ():
            typer.echo(f"{'pass' if test.passed else 'FAIL'}  {test.name:20} {test.words}")
        typer.echo(decision.words)
    if decision.refused:
        raise typer.Exit(REFUSED)


def rollback(model: Model, as_json: Json = False) -> None:
    """Let the version before the champion answer again; a second time undoes it."""
    _check(model)
    from ionscout.training.registry import rollback as run

    left, now = run()
    body = {"left": left, "champion": now}
    typer.echo(json.dumps(body) if as_json else f"Version {now} is champion again in place of {left}.")


def _check(model: str) -> None:
    if model not in MODELS:
        raise UnknownName(f"Unknown model '{model}'; this command knows: {', '.join(MODELS)}.")


def _snapshot(
    data: Path | None,
    store: str | None,
    config: Path | None,
    policy: Path | None,
    changes: list[str] | None = None,
    leave_out: list[str] | None = None,
):
    from ionscout.datasets.observations.source import Observations
    from ionscout.datasets.observations.store import ObservationStore
    from ionscout.training.config import ConductivityConfig, read_config
    from ionscout.training.promotion.policy import read_policy
    from ionscout.training.retraining.snapshot import take

    settings = read_config(ConductivityConfig, config, "conductivity", changes or ())
    return take(settings, read_policy(policy), data, Observations(ObservationStore(store)), leave_out or ())
