"""Small inputs and an engine without processes, for tests of `ionscout screen`."""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from ionscout.datasets.sources.embedded import cif_text
from ionscout.serving.screen import run
from ionscout.serving.screen.options import Identity, ScreenOptions
from ionscout.serving.screen.rows import Row, Shard
from ionscout.serving.screen.score import Scorer

COMMAND = [sys.executable, "-W", "ignore", "-c", "from ionscout.serving.cli import main; main()", "screen"]
HULL = "learned"  # there without any data directory
CRYSTALS = ("licl", "li2s", "li3n", "lgps", "llto_cubic")
FORMULAS = (
    "Li6PS5Cl",
    "Li3YCl6",
    "Li6.5La3Zr1.5Ta0.5O12",
    "Li10GeP2S12",
    "Li3PS4",
    "Li1.3Al0.3Ti1.7(PO4)3",
    "Li2O",
    "LiNbO3",
    "Li0.33La0.56TiO3",
    "Li3InCl6",
    "Li5.5PS4.5Cl1.5",
    "Li9.54Si1.74P1.44S11.7Cl0.3",
)


class Killed(BaseException):
    """Stands for SIGKILL: no `except Exception` sees it."""


def kill_before(moment: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the process die just before a file gets its name (it is flushed then): before the first for 0."""
    real, countdown = os.fsync, iter(range(moment))

    def fsync(number: int) -> None:
        if next(countdown, None) is None:
            raise Killed
        real(number)

    monkeypatch.setattr(os, "fsync", fsync)


class InProcess:
    """An engine that scores where it stands; `after` shards it dies like a killed process."""

    def __init__(self, options: ScreenOptions, scorer: Scorer) -> None:
        assert scorer.options == options
        self.scorer = scorer

    def __enter__(self) -> "InProcess":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def identify(self) -> Identity:
        return self.scorer.identity

    def score(self, shards: Iterable[Shard], expected: Identity) -> Iterator[tuple[int, int, bytes]]:
        assert expected == self.scorer.identity
        for shard in shards:
            yield shard.number, len(shard.rows), self.scorer.score(shard)


def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `screen` use `InProcess` engines, with one scorer per set of options."""
    scorers: dict[tuple, Scorer] = {}

    def engine(name: str, options: ScreenOptions, workers: int, address: str | None) -> InProcess:
        key = options.predictions, options.temperature_K, options.kind, options.hull
        if key not in scorers:
            scorers[key] = Scorer(options)
        scorers[key].options = options
        return InProcess(options, scorers[key])

    monkeypatch.setattr(run, "open_engine", engine)


def crystals() -> dict[str, str]:
    """CIF texts of small crystals by file name, in the order of a sorted folder."""
    return {f"{name}.cif": cif_text(name) for name in sorted(CRYSTALS)}


def mixed_rows() -> list[Row]:
    """Formulas and crystals, one of each kind of trouble between them."""
    texts = [(formula, formula, "formula") for formula in FORMULAS]
    texts += [(name, text, "cif") for name, text in crystals().items()]
    texts += [("salt", "NaCl", "formula"), ("nothing", "", "cif")]
    return [Row(number, name, text, kind) for number, (name, text, kind) in enumerate(texts)]


def write_lines(path: Path, records: Iterable[object]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def read_lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]
