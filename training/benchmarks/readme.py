"""Write the tables of the README from the reports under `benchmarks/`, so that no number is typed by hand.

`python -m ionscout.training.benchmarks.readme` from the top of a checkout.
"""

import json
import re
from pathlib import Path

NAMES = {
    "champion": "**champion** (graph ensemble + forest)",
    "graph_only": "graph ensemble alone",
    "random_forest": "random forest of the OBELiX paper",
    "median": "median of the training labels",
}


def conductivity_table(report: dict) -> str:
    """Errors of every model over all rows and over rows with CIF."""
    lines = [
        "| model | MAE P / B / C, all rows | MAE P / B / C, rows with CIF | Spearman | coverage | width |",
        "|---|---|---|---|---|---|",
    ]
    for name, title in NAMES.items():
        everything, cif = report["models"][name]["all"], report["models"][name]["cif"]
        errors = (" / ".join(f"{s[k]:.2f}" for k in ("mae_P", "mae_B", "mae_C")) for s in (everything, cif))
        lines.append(
            f"| {title} | {' | '.join(errors)} | {everything['spearman']:.2f} "
            f"| {everything['coverage_90']:.0%} | {everything['width_90']:.1f} |"
        )
    return "\n".join(lines)


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

    latency = read("latency")["crystals"]["up to 100 sites"]["median_ms"]
    return {
        "conductivity": conductivity_table(read("obelix")),
        "thermodynamics": thermodynamics_table(read("energy"), read("interphase")),
        "oracle": oracle_sentence(read("thermo_oracle")),
        "speed": speed_table(read("thermo_speed")),
        "latency": f"Median `/predict` latency for one crystal of up to 100 sites, warm, two cores: {latency:.0f} ms.",
    }


def main() -> None:
    readme = Path("README.md")
    readme.write_text(filled(readme.read_text(), blocks(Path("benchmarks"))))


if __name__ == "__main__":
    main()
