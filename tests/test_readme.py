"""The README keeps its promises: its first curl and its first Python snippet run against a real server."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"
DEFAULT_PORT = "3000"


def snippet(language: str, word: str) -> str:
    """The first fenced block of a language that holds a word; a missing one fails the test."""
    blocks = re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    found = next((block for block in blocks if re.search(rf"\b{word}\b", block)), None)
    assert found is not None, f"README.md has no ```{language} block with {word}"
    assert DEFAULT_PORT in found, f"the {word} snippet must use port {DEFAULT_PORT}"
    return found


def on_port(text: str, url: str) -> str:
    return re.sub(rf"\b{DEFAULT_PORT}\b", url.rsplit(":", 1)[1], text)


def test_the_curl_of_the_readme_answers(server, tmp_path):
    text = on_port(snippet("bash", "curl"), server.url)
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    commands = [line for line in re.sub(r"\\\n", " ", text).splitlines() if line.strip().startswith("curl")]
    done = subprocess.run(["bash", "-c", commands[0]], cwd=README.parent, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    answer = answer[0] if isinstance(answer, list) else answer
    assert answer["conductivity"]["value"] > 0


def test_the_python_of_the_readme_runs(server):
    program = on_port(snippet("python", "Client"), server.url)
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=README.parent, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip(), "the snippet prints nothing"


def test_the_tables_are_what_the_reports_say():
    from ionscout.training.benchmarks.readme import blocks, filled

    text = README.read_text(encoding="utf-8")
    assert filled(text, blocks(README.parent / "benchmarks")) == text, (
        "run python -m ionscout.training.benchmarks.readme"
    )


@pytest.mark.parametrize("name", ["conductivity", "series", "temperatures"])
def test_a_page_is_what_its_report_says(name):
    from ionscout.training.benchmarks import conductivity_page, joined_series, temperatures

    page = (README.parent / "benchmarks" / f"{name}.md").read_text(encoding="utf-8")
    report = json.loads((README.parent / "benchmarks" / f"{name}.json").read_text(encoding="utf-8"))
    command = re.search(r"Written by `(.*)`", page).group(1)
    write = {"conductivity": conductivity_page, "series": joined_series, "temperatures": temperatures}[name]
    assert write.markdown(report, command) == page
