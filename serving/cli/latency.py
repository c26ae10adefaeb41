"""`ionscout benchmark latency`: time the service on this machine."""

import json
from pathlib import Path
from typing import Annotated

import typer


def register(benchmarks: typer.Typer) -> None:
    benchmarks.command("latency")(latency)


def latency(
    url: Annotated[str | None, typer.Option(help="A running service; default: start one and stop it.")] = None,
    count: Annotated[int, typer.Option(min=20, max=10_000, help="Requests to time.")] = 300,
    output: Annotated[Path | None, typer.Option("--out", help="Folder for latency.md and latency.json.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout, nothing else.")] = False,
) -> None:
    """Time `/predict` for single crystals, warm, over HTTP; crystals a second and peak memory in batches."""
    import contextlib
    from dataclasses import asdict

    from ionscout.serving.cli.training import progress, write_report
    from ionscout.serving.launch import running_server
    from ionscout.training.benchmarks.latency import markdown, run
    from ionscout.training.benchmarks.throughput import throughput

    with contextlib.ExitStack() as stack:
        address = url or stack.enter_context(running_server()).url
        start, advance = stack.enter_context(progress("Timing requests", quiet=as_json))
        start(count)
        report = run(address, count, advance)
    report["batches"] = asdict(throughput())  # when the service is gone: both would share the cores
    page = markdown(report, "ionscout benchmark latency --out benchmarks")
    if output is not None:
        write_report(output, "latency", report, page)
    typer.echo(json.dumps(report, indent=2, ensure_ascii=False) if as_json else page)
