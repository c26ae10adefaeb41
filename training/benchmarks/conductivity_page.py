"""The conductivity report as a page.

`python -m ionscout.training.benchmarks.conductivity_page` from the top of a checkout writes the page of the report that
is there again, without its hour of fits.
"""

import json
import re
from pathlib import Path

from ionscout.training.benchmarks.conductivity import FOREST
from ionscout.training.benchmarks.coverage import strays_sentence
from ionscout.training.benchmarks.ordering import threshold_sentence
from ionscout.training.benchmarks.series import series_rules
from ionscout.training.benchmarks.thermo_report import table

ERRORS = ("mae_P", "mae_B", "mae_C", "spearman")
NAMES = {
    "champion": "champion (served)",
    "process": "Gaussian process alone",
    "graph_ensemble": "trained graph ensemble alone",
    FOREST: "random forest (published), refitted",
    "median": "median",
}
PARTS = {"all": "All rows", "cif": "Rows with CIF", "clean": "Clean rows (composition not in the training rows)"}


def markdown(report: dict, command: str) -> str:
    """All tables of `benchmarks.conductivity.run`."""
    lines = [
        "# Room-temperature conductivity",
        "",
        f"{report['split']}; errors, intervals and families are means over the seeds; what says *fold seed 0* in its "
        "title (trained graphs and stacks, activation energy, order in series, learning curve) is of that seed alone. "
        f"Trained on {report['trained_on']}; rows of other tables that share "
        "composition, publication or value with a held-out row are left out of its fold. MAE in decades; protocol P "
        "sets an upper bound to 1e-15 S/cm, B takes the bound, C counts max(0, prediction − bound). The weight of the "
        "graph ensemble and all intervals are calibrated on the other folds. Kernel lengths and amplitudes were chosen "
        "once on these folds and rounded, see `ProcessConfig`. The official test part takes no part here: where it is, "
        "`ionscout benchmark obelix` scores the shipped champion on it. CGCNN, refitted on the same folds: "
        "[graph_only.md](graph_only.md).",
        "",
        f"Written by `{command}`.",
    ]
    for part, title in PARTS.items():
        lines += ["", f"## {title} ({report['rows'][part]})", ""]
        rows = [[NAMES[name], *(s[part][e] for e in ERRORS)] for name, s in report["models"].items()]
        lines.append(table(["model", "P", "B", "C", "Spearman"], rows))
    lines += ["", "## Below the forest", ""]
    for part in PARTS:
        ours, theirs = report["models"]["champion"][part], report["models"][FOREST][part]
        gains = ", ".join(f"{e[-1]} {1 - ours[e] / theirs[e]:.1%}" for e in ERRORS[:3])
        lines.append(f"- {PARTS[part]}: {gains}")
    lines += ["", "## Every lever on and off (Gaussian process alone)", ""]
    lines += [
        variants(report["levers"]),
        "",
        *_graphs_and_stacks(report),
        *_intervals(report),
        *_families(report),
        *_others(report),
    ]
    return "\n".join(lines) + "\n"


def variants(scores: dict) -> str:
    """A row for each variant: errors over all rows and over those with CIF."""
    header = ["variant", "P", "B", "C", "P, CIF", "B, CIF", "C, CIF"]
    return table(header, [[n, *(s[p][e] for p in ("all", "cif") for e in ERRORS[:3])] for n, s in scores.items()])


def _graphs_and_stacks(report: dict) -> list[str]:
    return [
        "## Trained graphs and stacks (fold seed 0)",
        "",
        variants(report["graphs_and_stacks"]),
        "",
        "Networks asked again are those of the graph ensemble; the others were trained for this table, two where two "
        "are compared. Stacks read the composition's embedding (32 components), element fractions, cell, symmetry and "
        "site environments, and transport descriptors; the size of their leaves is chosen by publications inside the "
        "training rows. A pre-trained crystal encoder is measured in "
        "[structure_pretraining.md](structure_pretraining.md), by `ionscout benchmark structure-pretraining`.",
        "",
    ]


def _intervals(report: dict) -> list[str]:
    i = report["intervals"]
    rows = [
        [name, i[key]["n"], i[key]["mae_C"], f"{i[key]['coverage_90']:.1%}", i[key]["median_width_90"]]
        for name, key in (("all", "all"), ("in domain", "in_domain"), ("outside", "outside"))
    ]
    bins = [
        [f"{b['from']:.2f}–{b['to']:.2f}", b["n"], b["mae_C"], f"{b['coverage_90']:.1%}", b["median_width_90"]]
        for b in report["novelty"]
    ]
    header = ["n", "MAE C", "coverage", "median width"]
    return [
        "## 90 % intervals",
        "",
        table(["rows", *header], rows),
        "",
        f"A constant-width conformal interval around the forest is {i['constant_width_forest']:.2f} decades wide: the "
        f"champion's median width is {i['narrower_than_forest']:.0%} narrower.",
        "",
        "By novelty, the share of the prior variance that the training rows leave:",
        "",
        table(["novelty", *header], bins),
        "",
    ]


def _families(report: dict) -> list[str]:
    rows = [
        [name, f["n"], f["mae_C"], f[f"mae_C_{FOREST}"], f"{f['coverage_90']:.1%}", f["median_width_90"]]
        for name, f in report["families"].items()
    ]
    header = ["family", "n", "MAE C", "forest", "coverage", "median width"]
    return ["## Families", "", table(header, rows), "", strays_sentence(report["families"]), ""]


def _others(report: dict) -> list[str]:
    e, curve = report["activation_energy"], report["learning_curve"]
    ordering = [
        [split, model, f"{o['right']} of {o['total']}", o["pair_share"]]
        for split, models in report["ordering"].items()
        for model, o in models.items()
    ]
    series = report["ordering"]["whole series held out"]["process"]["series"]
    points = [
        [f"{p['share']:.0%}", round(p["rows"]), p["scores"]["mae_P"], p["scores"]["mae_B"]] for p in curve["points"]
    ]
    return [
        "## Activation energy (fold seed 0)",
        "",
        f"MAE {e['mae_eV']:.3f} eV over {e['n']} rows, {e['mae_of_family_mean_eV']:.3f} eV by the mean of the family "
        f"in the other folds: {1 - e['mae_eV'] / e['mae_of_family_mean_eV']:.0%} lower.",
        "",
        "## Order in real series (fold seed 0)",
        "",
        table(["held out", "model", "ordered right", "pairs right"], ordering),
        "",
        threshold_sentence(),
        "",
        _absent({s["name"] for s in series}),
        "",
        "By the process, whole series held out:",
        "",
        table(
            ["series", "points", "pairs right", "right"],
            [[s["name"], s["points"], s["share"], "yes" if s["right"] else "no"] for s in series],
        ),
        "",
        "## Learning curve (process, fold seed 0)",
        "",
        table(["publications", "rows", "P", "B"], points),
        "",
        f"Twice the rows bring {curve['doubling']:.2f} decades (B). Rows of other tables are always there, so the "
        "curve is that of OBELiX's own rows.",
    ]


def _absent(found: set[str]) -> str:
    """Which series of the rules these rows do not have."""
    rules = [rule.name for rule in series_rules()]
    absent = [name for name in rules if name not in found]
    if not absent:
        return f"All {len(rules)} series of the rules are here."
    return (
        f"{len(rules) - len(absent)} of the {len(rules)} series of the rules have rows in OBELiX; without rows: "
        f"{'; '.join(absent)}. All tables together are searched for series, and those scored, in "
        "[series.md](series.md), by `ionscout benchmark series`."
    )


def main() -> None:
    """Write benchmarks/conductivity.md from conductivity.json; the command that made the report stays as it is told."""
    path = Path("benchmarks/conductivity.md")
    told = re.search(r"^Written by `(.*)`\.$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    if told is None:
        raise ValueError(f"{path} does not say which command wrote it")
    report = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    path.write_text(markdown(report, told.group(1)), encoding="utf-8")


if __name__ == "__main__":
    main()
