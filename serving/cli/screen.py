"""`ionscout screen`: everything ionscout predicts, for millions of rows. (`screening` has coatings and maps.)"""

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ionscout.models.conductivity.kinds import KIND, ConductivityKind
from ionscout.serving.cli.inputs import Json, progress_bar

if TYPE_CHECKING:
    from ionscout.serving.screen.options import ScreenSummary

ALL = "conductivity,window,stability,interphase"


def register(app: typer.Typer) -> None:
    app.command("screen", no_args_is_help=True)(screen)


def screen(
    source: Annotated[
        Path,
        typer.Argument(metavar="IN", help="JSON Lines, CSV, Parquet; folder, zip or tar of CIFs and POSCARs."),
    ],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="Answers: .jsonl, .csv or .parquet.")],
    engine: Annotated[str, typer.Option(help="local: processes here; ray: Ray Data.")] = "local",
    workers: Annotated[
        int | None, typer.Option(min=1, max=4096, help="Processes or actors; default: one per core.")
    ] = None,
    predictions: Annotated[str, typer.Option(help="Some of these, separated by commas.")] = ALL,
    temperature: Annotated[float, typer.Option("--temperature", "-T", help="Temperature in kelvin.")] = 298.15,
    kind: Annotated[ConductivityKind, typer.Option(help=f"Conductivity: {KIND}")] = "total",
    hull: Annotated[str | None, typer.Option(help="Hull: mp-2019, learned or mp-api.")] = None,
    shard_rows: Annotated[
        int | None, typer.Option(help="Rows per shard, the unit of work and of what a kill loses; default: by input.")
    ] = None,
    ray_address: Annotated[
        str | None, typer.Option(help="Ray cluster, e.g. auto; default: one is started on this machine.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Score every row of a large input; the same command goes on after a kill.

    Rows without an answer go to OUT.bad.jsonl with their reasons and never stop the run.
    """
    from ionscout.serving.screen import ScreenOptions
    from ionscout.serving.screen import screen as run

    if engine not in ("local", "ray"):
        raise typer.BadParameter(f"'{engine}' is no engine; choose local or ray", param_hint="--engine")
    if ray_address is not None and engine != "ray":
        raise typer.BadParameter("it belongs to --engine ray", param_hint="--ray-address")
    wanted = tuple(name.strip() for name in predictions.split(",") if name.strip())
    try:
        with progress_bar("Rows", as_json) as step, stopped_by_ctrl_c(step) as step:
            summary = run(
                source,
                output,
                ScreenOptions(wanted, temperature, hull, shard_rows, kind),
                engine="ray" if engine == "ray" else "local",
                workers=workers or cores(),
                address=ray_address,
                progress=step,
            )
    except KeyboardInterrupt:
        typer.echo(f"stopped; the same command goes on from {output.name}.parts", err=True)
        raise typer.Exit(130) from None
    _print(summary, as_json)
    if not summary.answered:
        raise typer.Exit(1)


@contextmanager
def stopped_by_ctrl_c(step: Callable[[int, int], None]) -> Iterator[Callable[[int, int], None]]:
    """Ctrl-C raises at once, and again at the next step: where Python is cleaning up, the first one gets lost."""
    asked = False

    def ask(*_: object) -> None:
        nonlocal asked
        asked = True
        raise KeyboardInterrupt

    def checked(done: int, total: int) -> None:
        if asked:
            raise KeyboardInterrupt
        step(done, total)

    if threading.current_thread() is not threading.main_thread():
        yield step  # only the main thread may listen for signals
        return
    before = signal.signal(signal.SIGINT, ask)
    try:
        yield checked
    finally:
        signal.signal(signal.SIGINT, before)


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _print(summary: "ScreenSummary", as_json: bool) -> None:
    if as_json:
        return typer.echo(json.dumps(asdict(summary), indent=2, default=str))
    rate = "" if summary.rows_per_second is None else f", {summary.rows_per_second:g} rows/s"
    resumed = f"; {summary.resumed} of {summary.shards} shards were there already" if summary.resumed else ""
    typer.echo(f"{summary.answered} of {summary.rows} rows answered in {summary.output}{rate}{resumed}")
    answered_by = " and ".join(part for part in (summary.identity.model, summary.identity.hull) if part)
    typer.echo(f"by {answered_by}")
    if summary.bad:
        typer.echo(f"{summary.bad} rows without an answer, with reasons: {summary.side_file}", err=True)
    return None


def register_benchmark(benchmarks: typer.Typer) -> None:
    benchmarks.command("screen")(benchmark)


def benchmark(
    rows: Annotated[int, typer.Option(min=100, help="Generated rows.")] = 20_000,
    url: Annotated[str | None, typer.Option(help="A running service; default: start one and stop it.")] = None,
    ray: Annotated[bool, typer.Option(help="Also measure Ray, where it is installed.")] = True,
    output: Annotated[Path | None, typer.Option("--out", help="Folder for screen.md and screen.json.")] = None,
    as_json: Json = False,
) -> None:
    """Rows per second of `screen` with one and two processes and Ray actors, memory, kill and resume; takes an hour."""
    import contextlib
    import sys

    from ionscout.serving.cli.training import check_writable, write_report
    from ionscout.serving.launch import running_server
    from ionscout.training.benchmarks.screen import run
    from ionscout.training.benchmarks.screen_page import markdown

    if output is not None:
        check_writable(output)
    command = [sys.executable, "-W", "ignore", "-c", "from ionscout.serving.cli import main; main()", "screen"]
    with contextlib.ExitStack() as stack:
        address = url or stack.enter_context(running_server()).url
        step = stack.enter_context(progress_bar("Runs", as_json))
        report = run(command, address, rows, ray=ray, advance=step)
    page = markdown(report, "ionscout benchmark screen --out benchmarks")
    if output is not None:
        write_report(output, "screen", report, page)
    typer.echo(json.dumps(report, indent=2, ensure_ascii=False) if as_json else page)
