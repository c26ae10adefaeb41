"""The screening benchmark: honest rows, and a page whose numbers are those of its report."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ionscout.datasets.composition import formula_text, parse_formula
from ionscout.datasets.embedded.build import load_facts
from ionscout.datasets.settings import settings
from ionscout.datasets.structure import parse_material
from ionscout.training.benchmarks.readme import filled
from ionscout.training.benchmarks.screen import campaign, growth
from ionscout.training.benchmarks.screen_page import arithmetic, markdown, section
from ionscout.training.benchmarks.screen_rows import ANIONS, SITES, strained_crystals, substituted_formulas
from ionscout.training.benchmarks.screen_runs import Run

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
    return Run(name, "local", workers, rows, 64, rows / rate, rate, 1.1 * rate, 700.0, 650.0, 660.0, "abc", size)


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
        **growth(one, two),
        "target_efficiency": 0.9,
        "identical_bytes": True,
        "killed_and_resumed_identical": True,
        "killed_with_shards_done": 0.48,
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
    assert "a defect" not in markdown(good, "command")
    assert "a defect" in markdown(good | {"killed_and_resumed_identical": False}, "command")
    assert "killed (SIGKILL) with 48% of the shards finished" in markdown(good, "command")
    assert "| 1 process |" in section(good)


def test_the_page_tells_of_ray_what_it_tells_of_processes():
    good = report()
    assert "Ray was not measured" in markdown(good, "command")
    one, two = (
        run_of(name, n, 20_000, 50.0 * n, 20_000_000) for name, n in (("Ray, 1 actor", 1), ("Ray, 2 actors", 2))
    )
    ray = growth(one, two, "ray_") | {"ray_killed_and_resumed_identical": True, "ray_killed_with_shards_done": 0.5}
    page = markdown(good | ray, "command")
    assert "From one to two Ray actors: 2.00 times as fast, 100% of linear (the bar of 90% is reached)" in page
    assert "a defect" in markdown(good | ray | {"ray_killed_and_resumed_identical": False}, "command")
    assert "From one to two Ray actors 100% of linear speed-up" in section(good | ray)
    assert "Ray" not in section(good)


def test_efficiency_is_told_with_and_without_start_up():
    one, two = run_of("1 process", 1, 1_000, 10.0, 1), run_of("2 processes", 2, 1_000, 20.0, 1)
    slow_start = replace(two, seconds=two.seconds + 25)
    assert growth(one, slow_start) == {
        "speed_up": pytest.approx(100 / 75, abs=1e-3),
        "efficiency": pytest.approx(100 / 75 / 2, abs=1e-3),
        "steady_efficiency": 1.0,
        "memory_growth": pytest.approx(660 / 650, abs=1e-3),
    }
    assert growth(replace(one, steady_rows_per_second=None), two)["steady_efficiency"] is None


STUB = """
import hashlib, json, sys, time
from pathlib import Path
source, output = map(Path, sys.argv[1:3])
workers = sys.argv[sys.argv.index("--workers") + 1]
held = bytearray(30_000_000 * int(workers))
parts = output.with_name(output.name + ".parts") / "000000"
parts.mkdir(parents=True, exist_ok=True)
resumed = len(list(parts.iterdir()))
for shard in range(resumed, 4):
    time.sleep(0.4)
    (parts / f"{shard:03d}").touch()
content = source.read_bytes()
output.write_bytes(content)
manifest = {"predictions": ["stability"], "model": "", "hull": "stub"}
output.with_name(output.name + ".manifest.json").write_text(json.dumps({"manifest": manifest}))
rows = content.count(b"\\n")
summary = {"rows": rows, "output_sha256": hashlib.sha256(content).hexdigest(), "shards": 4, "resumed": resumed}
print(json.dumps(summary | {"steady_rows_per_second": 50.0 * int(workers)}))
"""


@pytest.fixture
def stubbed(monkeypatch):
    """The benchmark without a service to ask."""
    from ionscout.training.benchmarks import screen

    monkeypatch.setattr(screen, "_http", lambda url, formulas: report()["http"])
    return screen


def test_the_command_is_measured_from_outside(stubbed):
    steps = []
    found = stubbed.run([sys.executable, "-c", STUB], "", 100, ray=False, advance=lambda *step: steps.append(step))
    assert steps == [(k, 7) for k in range(1, 8)]
    assert [run["rows"] for run in found["runs"]] == [100, 100, 10, 10, 10]
    assert found["identical_bytes"]
    assert found["killed_and_resumed_identical"]
    assert 0.5 <= found["killed_with_shards_done"] < 1
    assert found["steady_efficiency"] == 1.0
    one, two = found["runs"][:2]
    assert one["seconds"] > 1.2
    assert two["peak_MB"] > one["peak_MB"] > 20
    assert found["hull"] == "stub"
    assert markdown(found, "command")
    failing = [sys.executable, "-c", "import sys; sys.exit('no room')"]
    with pytest.raises(RuntimeError, match="no room"):
        stubbed.run(failing, "", 100, ray=False)


def test_ray_is_measured_as_processes_are(stubbed, monkeypatch):
    monkeypatch.setattr(stubbed, "find_spec", lambda name: name)  # the stub needs no Ray
    steps = []
    found = stubbed.run([sys.executable, "-c", STUB], "", 100, advance=lambda *step: steps.append(step))
    assert steps == [(k, 10) for k in range(1, 11)]
    assert [(run["engine"], run["workers"]) for run in found["runs"][-2:]] == [("ray", 1), ("ray", 2)]
    assert found["identical_bytes"]
    assert found["ray_killed_and_resumed_identical"]
    assert 0.5 <= found["ray_killed_with_shards_done"] < 1
    assert found["ray_steady_efficiency"] == 1.0
    assert 0 < found["ray_efficiency"] < 1
    assert found["ray_memory_growth"] == pytest.approx(1.0, abs=0.5)
    assert "Ray actors" in markdown(found, "command")


def test_deploy_readme_says_what_the_report_says():
    page = (ROOT / "deploy" / "README.md").read_text(encoding="utf-8")
    measured = ROOT / "benchmarks" / "screen.json"
    if not measured.exists():
        assert "Not measured yet" in page
        return
    found = json.loads(measured.read_text(encoding="utf-8"))
    assert filled(page, {"screening": section(found)}) == page, "run python -m ionscout.training.benchmarks.screen_page"
