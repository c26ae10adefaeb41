"""Write the tables of the README from the reports under `benchmarks/`, so that no number is typed by hand.

`python -m ionscout.training.benchmarks.readme` from the top of a checkout.
"""

import json
import re
from pathlib import Path

from ionscout.training.benchmarks.readme_conductivity import (
    conductivity_table,
    energies_bullet,
    interval_sentence,
    limits_bullet,
    noise_sentence,
    pretraining_sentence,
    rows_sentence,
    series_sentence,
    tables_sentence,
    temperatures_bullet,
)


def thermodynamics_table(energy: dict, interphases: dict) -> str:
    """Deviation from published windows and interface energies, and interphase classes, of each hull."""
    lines = [
        "| hull | reduction limit, mean | oxidation limit, median | interface energy, median | Li interphase right |",
        "|---|---|---|---|---|",
    ]
    classes = {hull["hull"]: hull for hull in interphases["hulls"]}
    for hull in energy["hulls"]:
        found = classes[hull["hull"]]
        lines.append(
            f"| `{hull['hull']}` | {hull['reduction_mae_mV']:.0f} mV | {hull['oxidation_median_mV']:.0f} mV "
            f"| {hull['interface_median_meV_atom']:.0f} meV/atom "
            f"| {found['right']} of {found['n']}, further cases {found['further_right']} of {found['further_n']} |"
        )
    return "\n".join(lines)


def speed_table(speed: dict) -> str:
    """Time from a cold start, beside pymatgen on the same phases."""
    lines = ["| task | phases | here | pymatgen |", "|---|---|---|---|"]
    for timing in speed["timings"]:
        task = timing["task"].replace("|", "\\|")
        oracle = "–" if timing["oracle_cold"] is None else f"{1000 * timing['oracle_cold']:.0f} ms"
        lines.append(f"| {task} | {timing['phases']} | {1000 * timing['ours_cold']:.0f} ms | {oracle} |")
    return "\n".join(lines)


def oracle_sentence(oracle: dict) -> str:
    """How far the engine is from pymatgen, over how many cases."""
    agreements = oracle["agreements"]
    interfaces = sum(a["n"] for a in agreements if a["kind"].startswith(("closed interface", "open interface (")))
    windows = sum(a["n"] for a in agreements if "limit" in a["kind"])
    largest = max(a["largest"] for a in agreements)
    beyond = sum(a["beyond_tolerance"] for a in agreements)
    return (
        f"Against pymatgen on the same phases: {interfaces} interfaces (closed and at a voltage) and {windows} window "
        f"limits\ndiffer by at most {largest:.0e} eV/atom or V, {beyond} of them by more than "
        f"{oracle['tolerance']:.0e} ([report](benchmarks/thermo_oracle.md))."
    )


def latency_sentence(report: dict) -> str:
    """How long one crystal takes, and how many a second go through in batches."""
    median, batches = report["crystals"]["up to 100 sites"]["median_ms"], report["batches"]
    return (
        f"Median `/predict` latency for one crystal of up to 100 sites, warm, two cores: {median:.0f} ms. In batches "
        f"{batches['per_second']:.0f} crystals a second\n(graphs included, CIF parsing excluded) with a peak memory of "
        f"{batches['peak_MB'] / 1000:.1f} GB ([latency](benchmarks/latency.md))."
    )


def filled(text: str, blocks: dict[str, str]) -> str:
    """Replace what stands between `<!-- NAME -->` and `<!-- /NAME -->`.

    Raises:
        ValueError: when a block is missing from the text.
    """
    for name, content in blocks.items():
        parts = re.split(rf"(?<=<!-- {name} -->\n)(.*?)(?=<!-- /{name} -->)", text, flags=re.DOTALL)
        if len(parts) != 3:
            raise ValueError(f"the text has {len(parts) // 2} blocks '{name}', not one")
        text = parts[0] + content + "\n" + parts[2]
    return text


def blocks(benchmarks: Path) -> dict[str, str]:
    """Every table of the README from its report."""

    def read(name: str) -> dict:
        return json.loads((benchmarks / f"{name}.json").read_text())

    conductivity, graphs, measurements = read("conductivity"), read("graph_only"), read("measurements")
    return {
        "rows": rows_sentence(conductivity),
        "noise": noise_sentence(measurements),
        "energies": energies_bullet(measurements),
        "conductivity": conductivity_table(conductivity, graphs),
        "tables": tables_sentence(conductivity, graphs),
        "intervals": interval_sentence(conductivity),
        "pretraining": pretraining_sentence(read("structure_pretraining")),
        "series": series_sentence(read("series")),
        "temperatures": temperatures_bullet(read("temperatures")),
        "limits": limits_bullet(conductivity),
        "thermodynamics": thermodynamics_table(read("energy"), read("interphase")),
        "oracle": oracle_sentence(read("thermo_oracle")),
        "speed": speed_table(read("thermo_speed")),
        "latency": latency_sentence(read("latency")),
    }


def main() -> None:
    readme = Path("README.md")
    readme.write_text(filled(readme.read_text(), blocks(Path("benchmarks"))))


if __name__ == "__main__":
    main()
