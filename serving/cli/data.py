"""`ionscout data list | pull | verify`: what data there are, which are on this machine, and whether they are intact."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from ionscout.serving.cli.inputs import Json


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Data sets and hulls: list, fetch, check.", no_args_is_help=True)
    group.command("list")(list_data)
    group.command("pull", no_args_is_help=True)(pull)
    group.command("verify")(verify)
    app.add_typer(group, name="data")


def list_data(as_json: Json = False) -> None:
    """Every source of measurements and every hull: what it is, and whether it is here."""
    from ionscout.serving.inventory import inventory

    found = inventory()
    if as_json:
        return typer.echo(json.dumps([asdict(item) for item in found], indent=2, ensure_ascii=False))
    from ionscout.serving.cli.tables import print_table

    rows = [
        (
            item.name + (" (default)" if item.default else ""),
            item.kind,
            "yes" if item.present else "no",
            item.summary,
            item.how,
        )
        for item in found
    ]
    print_table("Data", ("name", "kind", "here", "what", "how to get it"), rows, fold=("what", "how to get it"))


def pull(
    name: Annotated[str, typer.Argument(help="Which: mp-2019.")],
    as_json: Json = False,
) -> None:
    """Fetch the public copy of a hull into the user's cache; an interrupted download goes on where it stopped."""
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    from ionscout.datasets.errors import UnknownName
    from ionscout.datasets.hulls.pull import pull_snapshot

    if name != "mp-2019":
        raise UnknownName(f"There is nothing named '{name}' to pull; this command fetches: mp-2019.")
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True, disable=as_json or not console.is_terminal) as shown:
        task = shown.add_task("Connecting", total=None)
        path = pull_snapshot(
            progress=lambda file, done, total: shown.update(task, description=file, completed=done, total=total or None)
        )
    typer.echo(json.dumps({"name": name, "path": str(path)}, indent=2) if as_json else f"{name} is in {path}")


def verify(as_json: Json = False) -> None:
    """Read everything that is here again: content hashes where one is pinned, else that every row can be read.

    Exit code 1 when something is damaged.
    """
    from ionscout.serving.cli import print_error
    from ionscout.serving.cli.inputs import progress_bar
    from ionscout.serving.inventory import verify_all

    with progress_bar("Reading", as_json) as step:
        checks = verify_all(step)
    if as_json:
        typer.echo(json.dumps([asdict(check) for check in checks], indent=2, ensure_ascii=False))
    else:
        from ionscout.serving.cli.tables import print_table

        rows = [
            (check.name, "–" if check.rows is None else str(check.rows), (check.sha256 or "–")[:16], check.verdict)
            for check in checks
        ]
        print_table("Checked", ("name", "rows", "sha256", "verdict"), rows, fold=("verdict",))
    damaged = [check for check in checks if check.ok is False]
    for check in damaged:
        print_error(f"{check.name}: {check.verdict}")
    if damaged:
        raise typer.Exit(1)
