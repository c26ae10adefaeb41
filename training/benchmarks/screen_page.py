"""The screening report as a page, and its part of deploy/README.md.

`python -m ionscout.training.benchmarks.screen_page` from the top of a checkout writes the latter.
"""

import json
from pathlib import Path
from typing import Any

from ionscout.datasets.embedded.build import load_facts
from ionscout.training.benchmarks.readme import filled
from ionscout.training.benchmarks.screen import CRYSTALS
from ionscout.training.benchmarks.thermo_report import table

NO_RAY = "Ray was not measured."


def markdown(report: dict[str, Any], command: str) -> str:
    """The report as a page."""
    runs: list[tuple[Any, ...]] = [
        (
            r["name"],
            r["rows"],
            round(r["seconds"], 1),
            round(r["rows_per_second"], 1),
            None if r["steady_rows_per_second"] is None else round(r["steady_rows_per_second"], 1),
            round(r["peak_MB"]),
        )
        for r in report["runs"]
    ]
    http, plan, machine = report["http"], report["campaign"], report["machine"]
    single = f"single rows over HTTP, {http['requests']} requests, one client"
    runs.append((single, http["requests"], http["seconds"], http["rows_per_second"], None, None))
    identical = "the same bytes" if report["identical_bytes"] else "different bytes (a defect)"
    return "\n\n".join(
        [
            "# Screening large inputs",
            f"`ionscout screen` over {report['rows']:,} generated compositions ({', '.join(report['predictions'])}; "
            f"{report['model']}, hull {report['hull']}); {report['what']}. {machine['cores']} cores, load average "
            f"before {machine['load_before']} (above 0.5, others used the cores and the rates are too low).",
            table(("run", "rows", "seconds", "rows/s", "rows/s without start-up", "peak memory (MB)"), runs),
            f"Without start-up: from the moment when as many shards as workers were finished to the last one. All runs "
            f"over all rows write {identical}.",
            f"From one to two processes: {_grown(report)}. Memory: ten times the rows, "
            f"{report['memory_of_ten_times_the_rows']:.2f} times the peak.",
            f"From one to two Ray actors: {_grown(report, 'ray_')}." if "ray_efficiency" in report else NO_RAY,
            crystals(report),
            f"## {plan['candidates']:,} candidates",
            arithmetic(plan),
            f"Written by `{command}`.",
        ]
    )


def _grown(report: dict[str, Any], prefix: str = "") -> str:
    """What a second worker brought, and what became of a killed run."""
    speed_up, efficiency, steady, memory, same, kept = (
        report[prefix + name]
        for name in (
            "speed_up",
            "efficiency",
            "steady_efficiency",
            "memory_growth",
            "killed_and_resumed_identical",
            "killed_with_shards_done",
        )
    )
    bar = report["target_efficiency"]
    return (
        f"{speed_up:.2f} times as fast, {efficiency:.0%} of linear (the bar of {bar:.0%} is "
        f"{'reached' if efficiency >= bar else 'missed'}), "
        + (f"{steady:.0%} without start-up" if steady is not None else "too few shards to tell without start-up")
        + f"; memory in the last part of the run / in the part before, {memory:.2f}; killed (SIGKILL) with {kept:.0%} "
        f"of the shards finished and resumed: {'the same bytes' if same else 'other bytes (a defect)'}"
    )


def crystals(report: dict[str, Any]) -> str:
    """What the rate of crystals was measured on."""
    rows = next(run["rows"] for run in report["runs"] if run["name"] == CRYSTALS)
    return (
        f"The rate of crystals is that of {rows:,} strained copies of the {len(load_facts())} bundled ones, in turn, "
        "with start-up in it. Rows of one composition share their thermodynamics within a shard, and the next shard "
        "starts anew; copies that lie further apart than a shard is long, as here, share nothing. An input with many "
        "structures of one composition side by side is faster, one with larger cells slower."
    )


def arithmetic(plan: dict[str, Any]) -> str:
    """The campaign in words, every number from the report."""
    return (
        f"- Time: {plan['candidates']:,} / {plan['rows_per_second_per_core']:.0f} rows/s per core = "
        f"{plan['core_days']:.1f} core-days; {plan['days_on_one_node']:.2f} days on one node of {plan['node_cores']} "
        f"cores, {plan['days_on_ten_nodes']:.2f} on ten. Crystals take {plan['crystal_core_days']:.0f} core-days "
        f"({plan['crystals_per_second_per_core']:.0f} a second and core).\n"
        f"- Memory: {plan['memory_per_worker_MB']} MB per worker and its share of the parent, flat in the rows; "
        f"{plan['memory_per_node_GB']} GB for {plan['node_cores']} workers.\n"
        f"- Storage: answers {plan['jsonl_GB']:.0f} GB as JSON Lines or {plan['parquet_GB']:.0f} GB as Parquet; the "
        f"parts of the unfinished run as much as the JSON Lines once more."
    )


def section(report: dict[str, Any]) -> str:
    """What deploy/README.md says about very many candidates."""
    runs = {run["name"]: run for run in report["runs"]}
    rows = [(name, run["rows"], f"{run['rows_per_second']:.0f}", f"{run['peak_MB']:.0f}") for name, run in runs.items()]
    http = report["http"]
    rows.append(("single rows over HTTP, one client", http["requests"], f"{http['rows_per_second']:.0f}", "–"))
    return "\n\n".join(
        [
            table(("run", "rows", "rows/s", "peak memory (MB)"), rows),
            f"From one to two processes {report['efficiency']:.0%} of linear speed-up "
            f"([report](../benchmarks/screen.md), {report['machine']['cores']} cores, {report['hull']})."
            + (
                f" From one to two Ray actors {report['ray_efficiency']:.0%} of linear speed-up."
                if "ray_efficiency" in report
                else ""
            ),
            arithmetic(report["campaign"]),
            crystals(report),
        ]
    )


def main() -> None:
    """Write the measured part of deploy/README.md from benchmarks/screen.json, at the top of a checkout."""
    report = json.loads(Path("benchmarks/screen.json").read_text(encoding="utf-8"))
    page = Path("deploy/README.md")
    page.write_text(filled(page.read_text(encoding="utf-8"), {"screening": section(report)}), encoding="utf-8")


if __name__ == "__main__":
    main()
