"""Exact breakpoints of a convex piecewise linear function, from its values and slopes at few points."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

# Two lines closer than this in energy (eV) count as one: ten times the tolerance of the linear programs.
TOUCHES = 1e-9


@dataclass(frozen=True)
class Tangent(Generic[T]):
    """A supporting line of the function at one point, and what was found there.

    Attributes:
        position: where it was evaluated.
        value: the function there.
        slope: one of its subgradients there.
        found: whatever the evaluation returns besides, e.g. the equilibrium phases.
    """

    position: float
    value: float
    slope: float
    found: T

    def at(self, position: float) -> float:
        """The line's value at another position; nowhere above the function."""
        return self.value + self.slope * (position - self.position)


@dataclass(frozen=True)
class Segment(Generic[T]):
    """A stretch of the function on which it is one line."""

    low: float
    high: float
    line: Tangent[T]


def segments(evaluate: Callable[[float], Tangent[T]], low: float, high: float) -> list[Segment[T]]:
    """All linear pieces of a convex function between two positions, from left to right.

    Where the supporting lines of two points meet, the function either lies on them, and that is a breakpoint, or
    above, and the two halves are treated alike (Eisner and Severance, J. ACM 23, 619 (1976)). A function of n pieces
    needs about 2n evaluations.
    """
    found: list[Segment[T]] = []
    resolution = 1e-9 * (high - low)  # narrower pieces are rounding

    stack = [(evaluate(low), evaluate(high))]
    while stack:
        left, right = stack.pop()
        a, b = left.position, right.position
        on_left = abs(left.at(b) - right.value) <= TOUCHES
        on_right = abs(right.at(a) - left.value) <= TOUCHES
        parallel = right.slope - left.slope <= TOUCHES  # of a convex function: one line up to rounding
        if on_left or on_right or parallel or b - a <= resolution:
            # One line reaches from end to end (the other may merely touch the function at its own point).
            found.append(Segment(a, b, left if on_left and not on_right else right))
            continue
        meet = a + (right.at(a) - left.value) / (left.slope - right.slope)
        meet = min(max(meet, a + resolution / 2), b - resolution / 2)
        middle = evaluate(meet)
        if middle.value - max(left.at(meet), right.at(meet)) <= TOUCHES:
            found += [Segment(a, meet, left), Segment(meet, b, right)]
        else:
            stack += [(middle, right), (left, middle)]
    return _joined(sorted(found, key=lambda segment: segment.low), resolution)


def _joined(pieces: list[Segment[T]], resolution: float) -> list[Segment[T]]:
    """Neighbours on one line become one segment; pieces without width go."""
    result: list[Segment[T]] = []
    for piece in pieces:
        if piece.high - piece.low <= resolution and len(pieces) > 1:
            if result:
                result[-1] = Segment(result[-1].low, piece.high, result[-1].line)
            continue
        if result and piece.line.slope - result[-1].line.slope <= TOUCHES:
            result[-1] = Segment(result[-1].low, piece.high, result[-1].line)
        elif result:
            result.append(Segment(result[-1].high, piece.high, piece.line))
        else:
            result.append(Segment(pieces[0].low, piece.high, piece.line))
    return result
