"""`ionscout monitor report`: drift of inputs and of coverage, from the prediction log."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ionscout.serving.cli.inputs import Json, progress_bar

if TYPE_CHECKING:
    from ionscout.datasets.sources.base import Source


def register(app: typer.Typer) -> None:
    monitor = typer.Typer(help="Watch what a running service is asked, and how right it is.", no_args_is_help=True)
    monitor.callback()(group)
    monitor.command("report")(report)
    app.add_typer(monitor, name="monitor")


def group() -> None:
    """Watch what a running service is asked, and how right it is."""


def report(
    log: Annotated[
        Path | None, typer.Option("--log", help="Folder of the prediction log; default: IONSCOUT_MONITORING_LOG_DIR.")
    ] = None,
    observations: Annotated[
        Path | None, typer.Option(help="CSV of measurements: formula, conductivity_S_cm, temperature_K, …")
    ] = None,
    store: Annotated[
        str | None, typer.Option(help="Observation store (address or SQLite file) with the measurements; or: default.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Training data; default: as `ionscout train`.")] = None,
    output: Annotated[Path | None, typer.Option("--out", help="Folder for monitoring.md and monitoring.json.")] = None,
    as_json: Json = False,
) -> None:
    """Whether inputs still look like the training data, and whether intervals hold what they promise."""
    from ionscout.datasets.errors import DataUnavailable
    from ionscout.serving.cli.training import write_report
    from ionscout.serving.monitoring.drift import ReferenceProfile
    from ionscout.serving.monitoring.log import monitoring_settings, read_log
    from ionscout.serving.monitoring.report import markdown, monitoring_report, observations_of
    from ionscout.training.conductivity import training_data

    folder = log or monitoring_settings().log_dir
    if folder is None:
        raise DataUnavailable("No prediction log is named; give --log or set IONSCOUT_MONITORING_LOG_DIR.")
    logged = list(read_log(folder))
    if not logged:
        raise DataUnavailable(f"The prediction log in {folder} is empty; send some requests first.")
    source = _source(observations, store)
    seen = None if source is None else observations_of(source)
    with progress_bar("Reading training data", as_json):
        rows = training_data(data)
    profile = ReferenceProfile.of(measurement.composition for measurement in [*rows.main, *rows.extra])
    found = monitoring_report(logged, profile, rows.description, seen)
    page = markdown(found)
    if output is not None:
        write_report(output, "monitoring", found.as_dict(), page)
    typer.echo(json.dumps(found.as_dict(), indent=2, ensure_ascii=False) if as_json else page)


def _source(table: Path | None, store: str | None) -> "Source | None":
    """Where the measurements are: a table, a store, or nowhere."""
    if table is not None and store is not None:
        raise typer.BadParameter("give one of --observations and --store")
    if table is not None:
        from ionscout.datasets.sources.user import UserTable

        return UserTable(table)
    if store is not None:
        from ionscout.datasets.observations.source import Observations
        from ionscout.datasets.observations.store import ObservationStore

        return Observations(ObservationStore() if store == "default" else ObservationStore(store))
    return None
