"""The screening benchmark: honest rows, and a page whose numbers are those of its report."""

import json
import sys
from pathlib import Path

import pytest

from ionscout.datasets.composition import formula_text, parse_formula
from ionscout.datasets.embedded.build import load_facts
from ionscout.datasets.settings import settings
from ionscout.datasets.structure import parse_material
from ionscout.training.benchmarks.readme import filled
from ionscout.training.benchmarks.screen import Run, campaign
from ionscout.training.benchmarks.screen_page import arithmetic, markdown, section
from ionscout.training.benchmarks.screen_rows import ANIONS, SITES, strained_crystals, substituted_formulas

ROOT = Path(__file__).resolve().parents[2]
CHARGES = {"Li": 1} | {element: charge for group in (*SITES, *ANIONS) for element, charge in group.items()}


def charge(formula):
    return sum(CHARGES.get(symbol, 0) * n for symbol, n in parse_formula(formula).get_el_amt_dict().items())


@pytest.fixture(scope="module")
def formulas():
    return list(substituted_formulas(2_000))


def test_generated_formulas_are_distinct_lithium_compounds_and_seeded(formulas):
    assert len(set(formulas)) == 2_000
    for formula in formulas:
        parse_material(formula, "formula")
    assert list(substituted_formulas(50)) == formulas[:50]
    assert list(substituted_formulas(50, seed=1)) != formulas[:50]


def test_generated_formulas_keep_the_charge_of_a_prototype(formulas):
    known = {round(charge(facts.formula), 2) for facts in load_facts()}
    assert all(min(abs(charge(formula) - value) for value in known) < 0.02 for formula in formulas)


@pytest.mark.skipif(settings().data_dir is None, reason="needs IONSCOUT_DATA_DIR")
def test_no_generated_formula_is_a_row_of_the_training_data(formulas):
    import csv

    with (settings().data_dir / "obelix" / "train.csv").open() as file:
        measured = {formula_text(parse_formula(row["Reduced Composition"])) for row in csv.DictReader(file)}
    assert not measured & set(formulas)


def test_strained_crystals_can_be_read():
    for _, text in strained_crystals(8):
        assert parse_material(text, "cif").structure is not None


def run_of(name, workers, rows, rate, size):
    return Run(name, "local", workers, rows, rows / rate, rate, 700.0, 650.0, 660.0, "abc", size)


def report():
    one = run_of("1 process", 1, 20_000, 100.0, 20_000_000)
    two = run_of("2 processes", 2, 20_000, 190.0, 20_000_000)
    crystals = run_of("2 processes, crystals (CIF)", 2, 1_000, 40.0, 1_000_000)
    packed = run_of("2 processes, a tenth of the rows to Parquet", 2, 2_000, 150.0, 200_000)
    return {
        "what": "wall time",
        "rows": 20_000,
        "predictions": ["conductivity"],
        "model": "conductivity abc",
        "hull": "learned abc",
        "runs": [vars(found) for found in (one, two, crystals, packed)],
        "speed_up": 1.9,
        "efficiency": 0.95,
        "target_efficiency": 0.9,
        "identical_bytes": True,
        "killed_and_resumed_identical": True,
        "memory_growth": 1.02,
        "memory_of_ten_times_the_rows": 1.05,
        "http": {"requests": 200, "seconds": 10.0, "rows_per_second": 20.0, "median_ms": 50.0},
        "campaign": campaign(one, crystals, one, packed),
        "machine": {"cores": 2, "load_before": 0.1, "python": "3.11"},
    }


def test_the_arithmetic_of_a_campaign():
    plan = report()["campaign"]
    assert plan["core_days"] == pytest.approx(1e8 / 100 / 86_400, abs=0.1)
    assert plan["crystal_core_days"] == pytest.approx(1e8 / 20 / 86_400, abs=0.1)
    assert plan["days_on_one_node"] == pytest.approx(plan["core_days"] / 64, abs=0.01)
    assert plan["jsonl_GB"] == pytest.approx(100.0)  # 1 kB a row
    assert plan["parquet_GB"] == pytest.approx(10.0)
    assert "11.6 core-days" in arithmetic(plan)


def test_the_page_says_whether_the_bar_was_reached():
    good = report()
    assert "(the bar of 90% is reached)" in markdown(good, "command")
    assert "(the bar of 90% is missed)" in markdown(good | {"efficiency": 0.5}, "command")
    assert "a defect" in markdown(good | {"killed_and_resumed_identical": False}, "command")
    assert "| 1 process |" in section(good)


STUB = """
import hashlib, json, sys, time
from pathlib import Path
source, output = map(Path, sys.argv[1:3])
held = bytearray(30_000_000 * int(sys.argv[sys.argv.index("--workers") + 1]))
time.sleep(1.2)
content = source.read_bytes()
output.write_bytes(content)
manifest = {"predictions": ["stability"], "model": "", "hull": "stub"}
output.with_name(output.name + ".manifest.json").write_text(json.dumps({"manifest": manifest}))
rows = content.count(b"\\n")
print(json.dumps({"rows": rows, "output_sha256": hashlib.sha256(content).hexdigest()}))
"""


def test_the_command_is_measured_from_outside(monkeypatch, tmp_path):
    from ionscout.training.benchmarks import screen

    monkeypatch.setattr(screen, "_http", lambda url, formulas: report()["http"])
    steps = []
    found = screen.run([sys.executable, "-c", STUB], "", 100, ray=False, advance=lambda *step: steps.append(step))
    assert steps == [(k, 7) for k in range(1, 8)]
    assert [run["rows"] for run in found["runs"]] == [100, 100, 10, 10, 10]
    assert found["identical_bytes"]
    assert found["killed_and_resumed_identical"]
    one, two = found["runs"][:2]
    assert one["seconds"] > 1.2
    assert two["peak_MB"] > one["peak_MB"] > 20
    assert found["hull"] == "stub"
    assert markdown(found, "command")
    failing = [sys.executable, "-c", "import sys; sys.exit('no room')"]
    with pytest.raises(RuntimeError, match="no room"):
        screen.run(failing, "", 100, ray=False)


def test_deploy_readme_says_what_the_report_says():
    page = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
    measured = ROOT / "benchmarks" / "screen.json"
    if not measured.exists():
        assert "Not measured yet" in page
        return
    found = json.loads(measured.read_text(encoding="utf-8"))
    assert filled(page, {"screening": section(found)}) == page, "run python -m ionscout.training.benchmarks.screen_page"
