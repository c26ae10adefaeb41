"""Collects comparisons with an oracle: how far apart, how many beyond a tolerance, and which."""

import time
from collections.abc import Callable
from dataclasses import dataclass

TOLERANCE = 1e-6  # V and eV/atom


@dataclass(frozen=True)
class Case:
    """One comparison beyond the tolerance, or one that pymatgen did not finish."""

    kind: str
    question: str
    ours: float | None
    oracle: float | None
    note: str


@dataclass(frozen=True)
class Agreement:
    """How far two answers lie apart, over all comparisons of one kind."""

    kind: str
    n: int
    largest: float
    beyond_tolerance: int
    oracle_failed: int


class Tally:
    """Collects comparisons."""

    def __init__(self) -> None:
        self.deviations: dict[str, list[float]] = {}
        self.failures: dict[str, int] = {}
        self.cases: list[Case] = []
        self.seconds = [0.0, 0.0]

    def compare(
        self, kind: str, question: str, ours: Callable[[], float | None], oracle: Callable[[], float | None]
    ) -> None:
        start = time.perf_counter()
        mine = ours()
        middle = time.perf_counter()
        try:
            theirs = oracle()
        except Exception as error:  # pymatgen raises many kinds where its construction breaks down
            self.failures[kind] = self.failures.get(kind, 0) + 1
            note = f"pymatgen: {type(error).__name__}: {' '.join(str(error).split())[:120]}"
            self.cases.append(Case(kind, question, mine, None, note))
            return
        finally:
            self.seconds[0] += middle - start
            self.seconds[1] += time.perf_counter() - middle
        if mine is None or theirs is None:
            deviation = 0.0 if mine is None and theirs is None else float("inf")
        else:
            deviation = abs(mine - theirs)
        self.deviations.setdefault(kind, []).append(deviation)
        if deviation > TOLERANCE:
            self.cases.append(Case(kind, question, mine, theirs, ""))

    def agreements(self) -> tuple[Agreement, ...]:
        return tuple(
            Agreement(
                kind=kind,
                n=len(found),
                largest=max(found),
                beyond_tolerance=sum(deviation > TOLERANCE for deviation in found),
                oracle_failed=self.failures.get(kind, 0),
            )
            for kind, found in sorted(self.deviations.items())
        )
