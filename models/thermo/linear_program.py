"""One linear program over the phases of a chemical system, kept in memory and solved again and again."""

from dataclasses import dataclass
from typing import Any

import highspy
import numpy as np

# HiGHS accepts 1e-10 as its tightest feasibility tolerance. At the default of 1e-7 energies still agree to 1e-7
# eV/atom, but breakpoints, which divide by small differences of slopes, lose four more digits.
FEASIBILITY = 1e-10
NEGLIGIBLE = 1e-9  # amounts below this are rounding of the solver; the smallest real ones are above 1e-6
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

    The model stays in HiGHS, so that a changed right-hand side or cost starts from the last basis.

    Args:
        matrix: [n_rows, n_columns].
        cost: [n_columns].
    """

    def __init__(self, matrix: np.ndarray, cost: np.ndarray) -> None:
        n_rows, n_columns = matrix.shape
        self._rows = np.arange(n_rows, dtype=np.int32)
        self._columns = np.arange(n_columns, dtype=np.int32)
        self._cost = cost.copy()
        self._right = np.zeros(n_rows)
        self._scale = 1.0
        column, row = np.nonzero(matrix.T)

        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = n_columns, n_rows
        model.col_cost_ = self._cost
        model.col_lower_ = np.zeros(n_columns)
        model.col_upper_ = np.full(n_columns, highspy.kHighsInf)
        model.row_lower_ = model.row_upper_ = self._right
        model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        model.a_matrix_.start_ = np.searchsorted(column, np.arange(n_columns + 1)).astype(np.int32)
        model.a_matrix_.index_ = row.astype(np.int32)
        model.a_matrix_.value_ = matrix[row, column]

        self._solver: Any = highspy.Highs()  # its stub lacks the array calls
        for option, value in (
            ("output_flag", False),
            ("presolve", "off"),  # costs more than it saves on a dozen rows, and would forget the basis
            ("threads", 1),
            ("primal_feasibility_tolerance", FEASIBILITY),
            ("dual_feasibility_tolerance", FEASIBILITY),
        ):
            self._solver.setOptionValue(option, value)
        self._solver.passModel(model)

    def solve(self, right: np.ndarray | None = None, cost: np.ndarray | None = None) -> Solution:
        """Solve, optionally with a new right-hand side [n_rows] or new costs [n_columns].

        Raises:
            ArithmeticError: no optimum; cannot happen while every element is a phase of its own.
        """
        if right is not None:
            # Amounts are scaled to a total of 1, so that absolute tolerances mean the same for every formula unit.
            self._scale = float(right.sum())
            self._right = right / self._scale
            self._solver.changeRowsBounds(len(self._rows), self._rows, self._right, self._right)
        if cost is not None:
            self._cost = cost
            self._solver.changeColsCost(len(self._columns), self._columns, cost)
        self._solver.run()
        if self._solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            self._solver.clearSolver()  # forget the basis and try once more from nothing
            self._solver.run()
        if self._solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
            raise ArithmeticError(f"no equilibrium found ({self._solver.getModelStatus()})")
        solution = self._solver.getSolution()
        amounts = np.asarray(solution.col_value)
        columns = np.flatnonzero(amounts > NEGLIGIBLE)
        return Solution(
            objective=float(self._cost @ amounts) * self._scale,
            columns=columns,
            amounts=amounts[columns] * self._scale,
            duals=np.asarray(solution.row_dual),
        )
