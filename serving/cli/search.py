"""`ionscout search`: better hyper-parameters on the folds of the cross-validation."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ionscout.datasets.errors import UnknownName
from ionscout.serving.cli.engines import EngineOption, RayAddress, Workers, check_engine, engine_of
from ionscout.serving.cli.inputs import Json, Plot, progress_bar
from ionscout.serving.cli.training import Changes, ConfigFile, Data, check_writable

if TYPE_CHECKING:
    from ionscout.training.search.run import SearchResult


def register(app: typer.Typer) -> None:
    app.command("search", no_args_is_help=True)(search)


def search(
    model: Annotated[str, typer.Argument(help="Which model: conductivity.")],
    trials: Annotated[int, typer.Option(min=1, help="Trials in all, those of an earlier run of the study too.")],
    space: Annotated[str, typer.Option(metavar="NAME|FILE", help="process, network, or a YAML file.")] = "process",
    data: Data = None,
    config: ConfigFile = None,
    changes: Changes = None,
    study: Annotated[
        str | None, typer.Option(metavar="URL", help="Database of the study; default: a SQLite file under mlruns/.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the study; default: that of the space.")] = None,
    timeout: Annotated[
        float | None, typer.Option(min=0, metavar="MINUTES", help="Begin no trial after so long.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--out", help="YAML file for what was found; default: by the study.")
    ] = None,
    plot: Plot = None,
    engine: EngineOption = "local",
    address: RayAddress = None,
    workers: Workers = None,
    as_json: Json = False,
) -> None:
    """Search hyper-parameters by their error out of fold; trials that do badly on the first folds are stopped.

    Every trial is a nested run in MLflow. A killed search goes on with the same command. The spaces `process` and
    `network` are in training/configs/search_*.yaml; what was found is a file for --config.
    """
    if model != "conductivity":
        raise UnknownName(f"Unknown model '{model}'; this command searches: conductivity.")
    check_engine(engine, address)
    from ionscout.serving.thermo_figures import new_figure, save
    from ionscout.training.conductivity import training_data
    from ionscout.training.config import ConductivityConfig, read_config
    from ionscout.training.search.run import search as run
    from ionscout.training.search.space import read_space

    settings = read_config(ConductivityConfig, config, "conductivity", changes or ())
    wanted = read_space(space, settings)
    if plot is not None:
        save(new_figure(1, 1), plot)  # before hours of work that would have nowhere to go
    if output is not None:
        check_writable(output.parent)
    rows = training_data(data)
    figures: list[Any] = []
    try:
        with engine_of(engine, address, workers, settings.workers) as running, progress_bar("Trials", as_json) as step:
            found = run(
                rows,
                settings,
                wanted,
                running,
                trials=trials,
                name=name or Path(space).stem,
                url=study,
                seconds=None if timeout is None else 60 * timeout,
                output=output,
                on_trial=step,
                on_figure=figures.append,
            )
    except KeyboardInterrupt:
        typer.echo("stopped; the same command goes on with the trials that are done", err=True)
        raise typer.Exit(130) from None
    if plot is not None:
        save(figures[0], plot)
    typer.echo(json.dumps(found.as_dict(), indent=2) if as_json else _words(found))


def _words(found: "SearchResult") -> str:
    ended = f"{found.completed} complete, {found.stopped} stopped early, {found.failed} failed"
    before = "" if found.before is None else f"; before the search {found.before:.3f}"
    lines = [
        f"{found.trials} trials ({ended}) of the {found.part}, mean absolute error out of fold (C, decades):",
        f"  trial {found.best}: {found.score:.3f}{before}",
    ]
    if found.other_folds is not None:
        after, was = found.other_folds
        lines.append(f"  on folds of another seed: {after:.3f}; before the search {was:.3f}")
    share = found.importances
    for parameter, value in sorted(found.values.items(), key=lambda item: -share.get(item[0], 0.0)):
        lines.append(f"  {parameter:42} {value!s:>8}" + (f"  importance {share[parameter]:.2f}" if share else ""))
    return "\n".join([*lines, found.caution, f"Written to {found.configuration}"])
