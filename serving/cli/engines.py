"""The options that say where fits run: `--engine`, `--ray-address`, `--workers`."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from ionscout.training.engines import Engine

EngineOption = Annotated[str, typer.Option("--engine", help="local: processes here; ray: tasks of a Ray cluster.")]
RayAddress = Annotated[
    str | None, typer.Option("--ray-address", help="Ray cluster, e.g. auto; default: one is started on this machine.")
]
Workers = Annotated[
    int | None,
    typer.Option(min=1, max=4096, help="Fits side by side; default: of the configuration, or the cluster's cores."),
]


def check_engine(engine: str, address: str | None) -> None:
    """Wrong usage before any work.

    Raises:
        typer.BadParameter.
    """
    if engine not in ("local", "ray"):
        raise typer.BadParameter(f"'{engine}' is no engine; choose local or ray", param_hint="--engine")
    if address is not None and engine != "ray":
        raise typer.BadParameter("it belongs to --engine ray", param_hint="--ray-address")


def engine_of(engine: str, address: str | None, workers: int | None, here: int) -> AbstractContextManager["Engine"]:
    """The engine that the options name, for a while; with `here` workers on this machine unless they say how many."""
    from ionscout.training.engines import open_engine

    check_engine(engine, address)
    return open_engine("ray" if engine == "ray" else "local", workers or (None if address else here), address)
