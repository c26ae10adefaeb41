"""What the gate found: one line a test, in words, with by how much it passed or failed."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class GateTest:
    """One test.

    Attributes:
        value, limit: what was measured and what was allowed, in the unit that `words` names; None where the test says
            nothing (too few rows), which counts as passed.
        margin: how far on the right side of the limit the value lies; negative: by how much the test failed.
    """

    name: str
    passed: bool
    words: str
    value: float | None = None
    limit: float | None = None
    margin: float | None = None


@dataclass(frozen=True)
class GateReport:
    """All tests of one challenger against one champion.

    Attributes:
        better: the challenger's error is lower with confidence. same_folds: both were held out in the same folds.
        rows, publications: that both were judged on.
    """

    tests: tuple[GateTest, ...]
    better: bool
    same_folds: bool
    rows: int
    publications: int

    @property
    def passed(self) -> bool:
        return all(test.passed for test in self.tests)

    @property
    def failures(self) -> tuple[GateTest, ...]:
        return tuple(test for test in self.tests if not test.passed)

    @property
    def words(self) -> str:
        """One sentence: promoted or refused, why, and by how much."""
        if self.failures:
            return "Refused: " + "; ".join(f"{test.name}: {test.words}" for test in self.failures) + "."
        compared = next((f" ({test.words})" for test in self.tests if test.name == "accuracy"), "")
        return f"Passed: the challenger is {'better' if self.better else 'not worse'} than the champion{compared}."

    def as_dict(self) -> dict:
        return {"passed": self.passed, "words": self.words, **asdict(self)}

    @classmethod
    def from_dict(cls, values: dict) -> "GateReport":
        """What `as_dict` gave."""
        tests = tuple(GateTest(**test) for test in values["tests"])
        return cls(tests, values["better"], values["same_folds"], values["rows"], values["publications"])


def at_most(name: str, value: float, limit: float, words: str) -> GateTest:
    """A test that a value does not exceed its limit; adds by how much it did."""
    return _bounded(name, value, limit, limit - value, words)


def at_least(name: str, value: float, limit: float, words: str) -> GateTest:
    """A test that a value reaches its limit; adds by how much it did not."""
    return _bounded(name, value, limit, value - limit, words)


def silent(name: str, words: str) -> GateTest:
    """A test that cannot say anything, and why."""
    return GateTest(name, True, words)


def _bounded(name: str, value: float, limit: float, margin: float, words: str) -> GateTest:
    passed = margin >= -1e-9
    return GateTest(name, passed, words if passed else f"{words}, failed by {-margin:.3g}", value, limit, margin)
