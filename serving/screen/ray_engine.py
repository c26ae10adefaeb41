"""The Ray engine: the same shards through Ray Data, on a cluster started here or on one at an address.

The caller reads the input and writes the results; a queue carries the shards into Ray Data as a stream, and a pool of
actors, each with its own model and hull, scores them. So nodes of a cluster need no access to the input, but ionscout
installed with the same model and hull: an actor that would answer from others refuses.
"""

import contextlib
import logging
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from ionscout.datasets.errors import BadData, IonscoutError
from ionscout.serving.screen.options import Identity, ScreenOptions, ScreenStopped
from ionscout.serving.screen.rows import Scored, Shard
from ionscout.training.ray_engine import connected

if TYPE_CHECKING:
    import pyarrow

REFUSED = -1  # in place of a shard's number: the lines say why an actor does not answer
AHEAD = 2  # shards per actor waiting in the queue


class ShardActor:
    """What runs in every actor: bytes of shards in, their lines out."""

    def __init__(self, options: ScreenOptions, expected: Identity) -> None:
        self._options, self._expected = options, expected
        self._scorer: Any = None

    def __call__(self, table: "pyarrow.Table") -> "pyarrow.Table":
        import pyarrow

        if self._scorer is None:  # here and not above: a failing constructor would be tried again and again
            from ionscout.serving.screen.score import Scorer

            try:
                scorer = Scorer(self._options)
                scorer.require(self._expected)
            except IonscoutError as error:  # as a result: Ray hides what a task raises under errors of its own
                return pyarrow.table({"number": [REFUSED], "rows": [0], "lines": [str(error).encode()]})
            self._scorer = scorer
        asked = [Shard.from_bytes(content) for content in table["shard"].to_pylist()]
        return pyarrow.table(
            {
                "number": [shard.number for shard in asked],
                "rows": [len(shard.rows) for shard in asked],
                "lines": [self._scorer.score(shard) for shard in asked],
            }
        )


class RayEngine:
    """Scores shards in `workers` actors.

    Args:
        address: of a cluster, as `ray.init` takes it; None starts one here and stops it afterwards.

    Raises:
        DataUnavailable: Ray is not installed, or no cluster answers at the address.
    """

    def __init__(self, options: ScreenOptions, workers: int, address: str | None) -> None:
        self._ray, self._started = connected(workers, address)
        self.options, self.workers = options, workers
        logging.getLogger("ray.data").setLevel(logging.ERROR)

    def __enter__(self) -> "RayEngine":
        return self

    def __exit__(self, *_: object) -> None:
        if self._started:
            self._ray.shutdown()

    def identify(self) -> Identity:
        """Model and hull of a worker.

        Raises:
            IonscoutError: they cannot be loaded.
        """
        with _causes(self._ray):
            return self._ray.get(self._ray.remote(max_retries=0)(_identify).remote(self.options))

    def score(self, shards: Iterable[Shard], expected: Identity) -> Scored:
        """Number, rows and lines of every shard, as they get ready.

        Raises:
            ScreenStopped: the cluster lost a task; BadData: an actor has another model.
        """
        from ray.data import ActorPoolStrategy, DataContext
        from ray.util.queue import Queue

        context = DataContext.get_current()
        context.enable_progress_bars = False
        context.target_max_block_size = 1  # bytes: a block per shard, or one actor would get many at once
        queue = Queue(maxsize=AHEAD * self.workers, actor_options={"num_cpus": 0})
        feeder = _Feeder(queue, shards)
        feeder.start()
        try:
            with _causes(self._ray):
                source = self._ray.data.read_datasource(
                    _queue_source(queue), override_num_blocks=1, num_cpus=0, concurrency=1
                )
                scored = source.map_batches(
                    ShardActor,
                    fn_constructor_args=(self.options, expected),
                    batch_size=1,
                    batch_format="pyarrow",
                    compute=ActorPoolStrategy(size=self.workers),
                    num_cpus=1,
                )
                batches = scored.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=1)
                with contextlib.closing(iter(batches)) as ready:  # gives the actors back, whatever ends this
                    for batch in ready:
                        for row in batch.to_pylist():
                            if row["number"] == REFUSED:
                                raise BadData(row["lines"].decode())
                            yield row["number"], row["rows"], row["lines"]
        finally:
            feeder.stop()
            queue.shutdown(force=True)
        feeder.check()


class _Feeder(threading.Thread):
    """Puts shards into the queue while Ray takes them out, then None."""

    def __init__(self, queue: Any, shards: Iterable[Shard]) -> None:
        super().__init__(daemon=True)
        self._queue, self._shards = queue, shards
        self._error: Exception | None = None
        self._stopped = threading.Event()

    def run(self) -> None:
        try:
            for shard in self._shards:
                self._put(shard.to_bytes())
                if self._stopped.is_set():
                    return
        except Exception as error:  # of the input; raised again where the caller is
            self._error = error
        with contextlib.suppress(Exception):
            self._put(None)

    def stop(self) -> None:
        self._stopped.set()
        self.join(timeout=10)

    def check(self) -> None:
        if self._error is not None:
            raise self._error

    def _put(self, content: bytes | None) -> None:
        from ray.util.queue import Full

        while not self._stopped.is_set():
            with contextlib.suppress(Full):
                self._queue.put(content, timeout=1)
                return


def _queue_source(queue: Any) -> Any:
    """A Ray data source that reads from a queue until None comes, one block per shard."""
    import pyarrow
    from ray.data.block import BlockMetadata
    from ray.data.datasource import Datasource, ReadTask

    def blocks() -> Iterator[Any]:
        while (content := queue.get()) is not None:
            yield pyarrow.table({"shard": [content]})

    class QueueSource(Datasource):
        def estimate_inmemory_data_size(self) -> int | None:
            return None

        def get_read_tasks(self, parallelism: int, *_: Any, **__: Any) -> list[ReadTask]:
            metadata = BlockMetadata(num_rows=None, size_bytes=None, input_files=None, exec_stats=None)
            return [ReadTask(blocks, metadata)]

    return QueueSource()


def _identify(options: ScreenOptions) -> Identity:
    from ionscout.serving.screen.score import Scorer

    return Scorer(options).identity


@contextlib.contextmanager
def _causes(ray: Any) -> Iterator[None]:
    """Errors of tasks as what they were; a lost task as one sentence."""
    try:
        yield
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, IonscoutError):
            raise error.cause from None
        raise
    except ray.exceptions.RayError as error:
        raise ScreenStopped(
            f"Ray lost a task ({type(error).__name__}); run the same command again: finished shards are kept."
        ) from None
