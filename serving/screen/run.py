"""One screen from beginning to end: survey, score what is missing, join."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing
from importlib.metadata import version
from pathlib import Path
from typing import Protocol, cast

from ionscout.datasets.errors import BadData
from ionscout.serving.answers import check_temperature
from ionscout.serving.screen.inputs import read_rows
from ionscout.serving.screen.options import EngineName, Identity, ScreenOptions, ScreenStopped, ScreenSummary
from ionscout.serving.screen.outputs import join, output_format
from ionscout.serving.screen.pace import Pace
from ionscout.serving.screen.records import columns
from ionscout.serving.screen.rows import RowHash, Scored, Shard, Survey, shards, survey
from ionscout.serving.screen.store import Finished, Manifest, Store, check_same

Progress = Callable[[int, int], None]


class Engine(Protocol):
    """What scores shards, here or elsewhere."""

    def identify(self) -> Identity: ...

    def score(self, shards: Iterator[Shard], expected: Identity) -> Scored: ...


def screen(
    source: Path,
    output: Path,
    options: ScreenOptions | None = None,
    *,
    engine: EngineName = "local",
    workers: int = 1,
    address: str | None = None,
    progress: Progress = lambda done, total: None,
) -> ScreenSummary:
    """Score every row of `source` and write the answers to `output`, in the order of the input.

    May be killed at any moment: the same call goes on with what is finished and writes the same bytes, whatever the
    number of workers and the engine. Rows without an answer go to `OUT.bad.jsonl` with their reasons.

    Args:
        source: see `inputs.read_rows`.
        output: .jsonl, .csv or .parquet.
        workers: processes (local) or actors (ray).
        address: of a Ray cluster; None starts one on this machine.
        progress: called with (rows done, all rows).

    Raises:
        BadData: the input as a whole cannot be read, or the output was begun with other options.
        ScreenStopped: a worker was ended, or somebody else writes this output.
        UnknownName, OutOfRange, DataUnavailable: options.
    """
    pace = Pace(workers)
    options = options or ScreenOptions()
    check_temperature(options.temperature_K)
    kind = output_format(output)
    if source.is_dir() and output.resolve().is_relative_to(source.resolve()):
        raise BadData(f"{output.name} would become a part of its own input {source.name}; write it elsewhere.")
    store = Store(output)
    with store.locked():
        if output.exists() and store.finished() is None and store.begun() is None:
            raise BadData(f"{output.name} is there already and not from a screen; delete it or choose another file.")
        found = survey(read_rows(source))
        if not found.rows:
            raise BadData(f"{source.name} holds no rows; give formulas or structure files.")
        with open_engine(engine, options, workers, address) as at_work:
            manifest = _manifest(found, options, at_work.identify(), kind)
            done = _earlier(store, manifest)
            if done is not None:
                progress(found.rows, found.rows)
                return _summary(store, done, done.shards, pace, engine)
            count, resumed = _score_missing(source, store, manifest, at_work, progress, pace)
        joined = join(_parts(store, count), manifest.columns, output, store.side_file)
        finished = Finished(
            manifest=manifest,
            shards=count,
            answered=joined.answered,
            bad=joined.bad,
            output_bytes=joined.bytes,
            output_sha256=joined.sha256,
            side_bytes=joined.side_bytes,
            side_sha256=joined.side_sha256,
        )
        store.finish(finished)
    return _summary(store, finished, resumed, pace, engine)


def open_engine(
    name: EngineName, options: ScreenOptions, workers: int, address: str | None
) -> AbstractContextManager[Engine]:
    """The engine of a name."""
    if name == "ray":
        from ionscout.serving.screen.ray_engine import RayEngine  # an optional package

        return cast(AbstractContextManager[Engine], RayEngine(options, workers, address))
    from ionscout.serving.screen.local import LocalEngine

    return cast(AbstractContextManager[Engine], LocalEngine(options, workers))


def _manifest(found: Survey, options: ScreenOptions, identity: Identity, kind: str) -> Manifest:
    return Manifest(
        ionscout=version("ionscout"),
        input_sha256=found.sha256,
        rows=found.rows,
        shard_rows=options.shard_size(found.rows),
        predictions=options.predictions,
        temperature_K=options.temperature_K,
        conductivity_kind=options.kind,
        model=identity.model,
        hull=identity.hull,
        columns=columns(options),
        output_format=kind,
    )


def _earlier(store: Store, manifest: Manifest) -> Finished | None:
    """A finished screen of the same question; begins (or goes on with) the parts when there is none."""
    finished = store.finished()
    if finished is not None:
        check_same(finished.manifest, manifest, store.output, store.finished_file)
        if store.whole(finished):
            store.clear()  # a kill may have come before the parts were gone
            return finished
    begun = store.begun()
    if begun is None:
        store.begin(manifest)
    else:
        check_same(begun, manifest, store.output, store.folder)
    return None


def _score_missing(
    source: Path, store: Store, manifest: Manifest, engine: Engine, progress: Progress, pace: Pace
) -> tuple[int, int]:
    """Score the shards that are not there yet; returns all shards and those that were there."""
    count = resumed = kept = 0
    digest = RowHash()

    def missing() -> Iterator[Shard]:
        nonlocal count, resumed, kept
        for shard in shards(read_rows(source), manifest.shard_rows):
            count += 1
            for row in shard.rows:
                digest.add(row)
            if store.read(shard.number) is None:
                yield shard
            else:
                resumed, kept = resumed + 1, kept + len(shard.rows)

    # Closed and not left to the garbage collector: what works for it would be held until then.
    with closing(engine.score(missing(), manifest.identity)) as done:
        for number, rows, lines in done:
            store.write(number, lines)
            pace.add(rows)
            progress(kept + pace.rows, manifest.rows)
    if digest.hexdigest != manifest.input_sha256:
        raise BadData(f"{source.name} was changed while it was screened; delete {store.folder.name} and start again.")
    return count, resumed


def _parts(store: Store, count: int) -> Iterator[bytes]:
    for number in range(count):
        lines = store.read(number)
        if lines is None:
            raise ScreenStopped(f"Shard {number} of {store.output.name} is missing; run the same command again.")
        yield lines


def _summary(store: Store, finished: Finished, resumed: int, pace: Pace, engine: EngineName) -> ScreenSummary:
    return ScreenSummary(
        output=store.output,
        side_file=store.side_file,
        rows=finished.manifest.rows,
        answered=finished.answered,
        bad=finished.bad,
        shards=finished.shards,
        resumed=resumed,
        seconds=round(pace.seconds, 2),
        rows_per_second=round(pace.rows / pace.seconds, 1) if pace.rows else None,
        steady_rows_per_second=None if pace.steady is None else round(pace.steady, 2),
        input_sha256=finished.manifest.input_sha256,
        output_sha256=finished.output_sha256,
        identity=finished.manifest.identity,
        engine=engine,
        workers=pace.workers,
    )
