"""The demo: at least five crystals over HTTP, a table beside the measured values, a figure, nothing left running."""

import io

import httpx
import pytest
from rich.console import Console

from ionscout.serving import demo
from ionscout.serving.client import Client
from ionscout.serving.figures import Comparison, prediction_figure
from ionscout.serving.launch import ServiceFailed

ROWS = [
    Comparison("good", 1e-4, 1e-6, 1e-2, 3e-4, in_domain=True),
    Comparison("far", 1e-8, 1e-9, 1e-7, 1e-12, in_domain=False),
]


def test_the_demo_runs_from_any_folder_and_leaves_nothing_running(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    urls = []

    def remember(url):
        urls.append(url)
        return Client(url)

    monkeypatch.setattr(demo, "Client", remember)
    console = Console(record=True, width=160, file=io.StringIO())
    rows = demo.run(tmp_path / "figure.png", console)
    text = console.export_text()
    assert len(rows) >= 5
    assert any("LLZO" in row.name or "Li7La3Zr2O12" in row.name or "Zr" in row.name for row in rows)
    assert all(row.lower < row.predicted < row.upper for row in rows)
    assert all(row.name in text for row in rows)
    assert "not how accurate it is" in " ".join(text.split())
    assert (tmp_path / "figure.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(httpx.ConnectError):
        httpx.get(urls[0] + "/livez", timeout=2)


def test_a_service_that_fails_ends_the_demo_with_1_and_its_log(monkeypatch, capsys):
    def broken(*args, **kwargs):
        raise ServiceFailed("The service ended with code 3 on start.", "boom\n")

    monkeypatch.setattr(demo, "running_server", broken)
    assert demo.main([]) == 1
    assert "boom" in capsys.readouterr().err


def test_the_verdict_counts_measured_values_inside_their_interval():
    assert demo.verdict(ROWS, 0.9, "OBELiX").startswith("1 of 2")


def test_the_figure_is_a_png_in_a_folder_made_for_it(tmp_path):
    path = prediction_figure(ROWS, tmp_path / "new" / "figure.png", title="t")
    assert path.read_bytes().startswith(b"\x89PNG")
