"""The acquisition history as a figure."""

import numpy as np
import pytest

from ionscout.datasets.errors import OutOfRange
from ionscout.serving.acquisition_figure import acquisition_figure

CURVES = {
    "ionscout": ([0, 1, 2, 3], [0, 2, 3, 5], [0, 3, 5, 6]),
    "random": (np.zeros(4), np.zeros(4), [0, 0, 1, 1]),
}


@pytest.mark.parametrize("name", ["history.png", "history.svg"])
def test_a_history_is_drawn_for_every_strategy(name, tmp_path):
    written = acquisition_figure(CURVES, tmp_path / name, "Cold", batch=2, chance=0.3)
    assert written.stat().st_size > 5_000
    if name.endswith("svg"):
        assert written.read_text().count("<use") > 4


def test_a_figure_needs_a_format_that_exists(tmp_path):
    with pytest.raises(OutOfRange, match=r"\.png"):
        acquisition_figure(CURVES, tmp_path / "history.txt")
