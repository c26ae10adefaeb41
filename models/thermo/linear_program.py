"""One linear program over the phases of a chemical system, kept in memory and solved again and again."""

from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np

# HiGHS accepts 1e-10 as its tightest feasibility tolerance. At the default of 1e-7 energies still agree to 1e-7
# eV/atom, but breakpoints, which divide by small differences of slopes, lose four more digits.
FEASIBILITY = 1e-10
NEGLIGIBLE = 1e-9  # amounts below this are rounding of the solver; the smallest real ones are above 1e-6
BATCH = 20  # columns handed over at once: fewer mean more rounds, more make every round slower
DIGITS = 9  # of energies, voltages and amounts in answers: what lies beyond depends on which basis came before


def rounded(value: float) -> float:
    """A number as answers state it, without the solver's noise and without a negative zero."""
    return round(value, DIGITS) + 0.0


@dataclass(frozen=True)
class Solution:
    """An optimal vertex.

    Attributes:
        objective: minimum of cost · x.
        columns: the columns with a non-negligible amount, [n].
        amounts: their amounts, [n].
        duals: derivative of the minimum by each right-hand side, [n_rows].
    """

    objective: float
    columns: np.ndarray
    amounts: np.ndarray
    duals: np.ndarray


class LinearProgram:
    """Minimise cost · x subject to matrix @ x = right, x ≥ 0.

    Of the thousand phases of a chemical system a few dozen ever take part in an equilibrium. So HiGHS holds only the
    columns that have been wanted so far, and after every solve all others are priced with its duals; those that would
    lower the energy join, until none does (column generation). The model and its basis stay for the next question.

    Args:
        matrix: [n_rows, n_columns]; each row must have a column of its own (an element), so that any right-hand side
            has a solution.
        cost: [n_columns].
    """

    def __init__(self, matrix: np.ndarray, cost: np.ndarray) -> None:
        self._matrix = matrix
        self._cost = cost
        self._rows = np.arange(len(matrix), dtype=np.int32)
        self._scale = 1.0
        self._solver: Any = highspy.Highs()  # its stub lacks the array calls
        for option, value in (
            ("output_flag", False),
            ("presolve", "off"),  # costs more than it saves on a dozen rows, and would forget the basis
            ("threads", 1),
            ("primal_feasibility_tolerance", FEASIBILITY),
            ("dual_feasibility_tolerance", FEASIBILITY),
        ):
            self._solver.setOptionValue(option, value)
        zeros = np.zeros(len(matrix))
        nothing = np.zeros(0, dtype=np.int32)
        self._solver.addRows(len(matrix), zeros, zeros, 0, nothing, nothing, np.zeros(0))
        self._active = np.zeros(0, dtype=np.int64)
        self._is_active = np.zeros(matrix.shape[1], dtype=bool)
        alone = np.flatnonzero((matrix > 0).sum(axis=0) == 1)
        self._add(np.union1d(alone, np.argsort(cost)[:BATCH]))

    def solve(self, right: np.ndarray | None = None, cost: np.ndarray | None = None) -> Solution:
        """Solve, optionally with a new right-hand side [n_rows] or new costs [n_columns].

        Raises:
            ArithmeticError: no optimum; cannot happen while every row has a column of its own.
        """
        if right is not None:
            # Amounts are scaled to a total of 1, so that absolute tolerances mean the same for every formula unit.
            self._scale = float(right.sum())
            scaled = right / self._scale
            self._solver.changeRowsBounds(len(self._rows), self._rows, scaled, scaled)
        if cost is not None:
            self._cost = cost
            active = np.arange(len(self._active), dtype=np.int32)
            self._solver.changeColsCost(len(active), active, cost[self._active])
        while True:
            self._run()
            solution = self._solver.getSolution()
            duals = np.asarray(solution.row_dual)
            reduced = self._cost - duals @ self._matrix
            reduced[self._is_active] = 0.0
            wanted = np.flatnonzero(reduced < -FEASIBILITY)
            if not len(wanted):
                break
            self._add(wanted[np.argsort(reduced[wanted])[:BATCH]])
        amounts = np.asarray(solution.col_value)
        used = np.flatnonzero(amounts > NEGLIGIBLE)
        return Solution(
            objective=float(self._cost[self._active] @ amounts) * self._scale,
            columns=self._active[used],
            amounts=amounts[used] * self._scale,
            duals=duals,
        )

    def _run(self) -> None:
        self._solver.run()
        if self._solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            self._solver.clearSolver()  # forget the basis and try once more from nothing
            self._solver.run()
        if self._solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise ArithmeticError(f"no equilibrium found ({self._solver.getModelStatus()})")

    def _add(self, columns: np.ndarray) -> None:
        """Hand some columns over to the solver."""
        block = self._matrix[:, columns].T
        column, row = np.nonzero(block)
        starts = np.searchsorted(column, np.arange(len(columns))).astype(np.int32)
        lower, upper = np.zeros(len(columns)), np.full(len(columns), highspy.kHighsInf)
        values = block[column, row]
        self._solver.addCols(
            len(columns), self._cost[columns], lower, upper, len(values), starts, row.astype(np.int32), values
        )
        self._active = np.concatenate([self._active, columns])
        self._is_active[columns] = True
