"""Write the tables of the README from the reports under `benchmarks/`, so that no number is typed by hand.

`python -m ionscout.training.benchmarks.readme` from the top of a checkout.
"""

import json
import re
from pathlib import Path

NAMES = {
    "champion": "**champion** (Gaussian process + graph ensemble)",
    "process": "its Gaussian process alone",
    "graph_ensemble": "its trained graph ensemble alone",
    "random_forest": "random forest of the OBELiX paper, refitted",
    "median": "median of the training labels",
}
# of the report on models that read the graph alone
GRAPH_NAMES = {
    "full": "graph-only kernel model",
    "CGCNN, occupancy-averaged": "CGCNN with averaged occupancies, refitted",
}
PROTOCOLS = ("mae_P", "mae_B", "mae_C")


def conductivity_table(report: dict, graphs: dict | None) -> str:
    """Errors of every model over all rows and over rows with CIF; `graphs` reports on models of the graph alone."""
    lines = ["| model | MAE P / B / C, all rows | MAE P / B / C, rows with CIF | Spearman |", "|---|---|---|---|"]
    tables = [(title, report["models"][name]) for name, title in NAMES.items()]
    if graphs is not None:
        tables[3:3] = [(title, graphs["scores"][name]) for name, title in GRAPH_NAMES.items()]
    for title, scores in tables:
        errors = (" / ".join(f"{scores[part][k]:.2f}" for k in PROTOCOLS) for part in ("all", "cif"))
        lines.append(f"| {title} | {' | '.join(errors)} | {scores['all']['spearman']:.2f} |")
    return "\n".join(lines)


def interval_sentence(report: dict) -> str:
    """What the intervals are worth, and the activation energy."""
    i, e = report["intervals"], report["activation_energy"]
    coverages = [f["coverage_90"] for name, f in report["families"].items() if name != "all others"]
    return (
        f"90 % intervals hold {i['all']['coverage_90']:.0%} of the measurements ({min(coverages):.0%} to "
        f"{max(coverages):.0%} in each of the {len(coverages)} families of 20 rows or more); their median\nwidth is "
        f"{i['all']['median_width_90']:.1f} decades, {i['narrower_than_forest']:.0%} narrower than a constant one "
        f"around the forest. Inside the domain the error (C) is {i['in_domain']['mae_C']:.2f} decades, outside\n"
        f"{i['outside']['mae_C']:.2f}. Activation energies are off by {1000 * e['mae_eV']:.0f} meV, against "
        f"{1000 * e['mae_of_family_mean_eV']:.0f} meV by the mean of the family."
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

    graphs = read("graph_only") if (benchmarks / "graph_only.json").is_file() else None
    return {
        "conductivity": conductivity_table(read("conductivity"), graphs),
        "intervals": interval_sentence(read("conductivity")),
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
