"""What the README says of the conductivity model, in tables and sentences made of the reports."""

import textwrap

from ionscout.models.conductivity.predictor import FAR, HOT
from ionscout.training.benchmarks.coverage import OTHERS, large_families, strays_sentence
from ionscout.training.benchmarks.temperatures import FEWEST, ROOM

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


def rows_sentence(report: dict) -> str:
    """On which rows and folds the table was made."""
    rows = report["rows"]
    return _wrapped(
        f"Room-temperature conductivity, in decades, cross-validated ({report['split']}; {rows['all']} rows, "
        f"{rows['cif']} with CIF): all rows of one publication are held out together, and every model is fitted anew "
        "on the same folds."
    )


def noise_sentence(report: dict) -> str:
    """How far laboratories are apart on one composition, in OBELiX."""
    noise = min((n for n in report["noise"] if n["rows"] == "obelix"), key=lambda n: n["tolerance"])
    return _wrapped(
        "Protocols P, B and C differ in what they do with labels such as `<1E-10` (set to 1e-15; the bound itself; "
        "only predictions above it count) and cannot be compared with each other. Repeats of one composition by "
        f"different laboratories differ by {noise['median']:.2f} decades in the median. All are means over the seeds "
        "of the folds; CGCNN says nothing about rows without a crystal and answers the mean there."
    )


def energies_bullet(report: dict) -> str:
    """How many activation energies there are to learn from."""
    count = sum(source["with_energy"] for source in report["sources"])
    return _wrapped(
        f"- Activation energies come from {count} reported ones of uneven quality (the model card states their "
        "out-of-fold error).",
        indent="  ",
    )


def conductivity_table(report: dict, graphs: dict) -> str:
    """Errors of every model over all rows and over rows with CIF; `graphs` reports on models of the graph alone."""
    lines = ["| model | MAE P / B / C, all rows | MAE P / B / C, rows with CIF | Spearman |", "|---|---|---|---|"]
    tables = [(title, report["models"][name]) for name, title in NAMES.items()]
    tables[3:3] = [(title, graphs["scores"][name]) for name, title in GRAPH_NAMES.items()]
    for title, scores in tables:
        errors = (" / ".join(f"{scores[part][k]:.2f}" for k in PROTOCOLS) for part in ("all", "cif"))
        lines.append(f"| {title} | {' | '.join(errors)} | {scores['all']['spearman']:.2f} |")
    return "\n".join(lines)


def tables_sentence(report: dict, graphs: dict) -> str:
    """What the rows of other tables are worth, and whether the networks help the process."""
    levers = report["levers"]
    process = _gain(levers["process as shipped"], levers["without rows of other tables"])
    kernel = _gain(graphs["scores"]["full"], graphs["scores"]["without rows of other tables"])
    joined, alone = (report["models"][name]["all"]["mae_P"] for name in ("champion", "process"))
    verdict = "do not improve" if joined >= alone else "improve"
    return _wrapped(
        "All but the forest, CGCNN and median learn from other tables too, without the rows that share composition, "
        f"publication or value with a held-out one. That is worth {process} to the process and {kernel} to the "
        "graph-only kernel (all rows and rows with CIF, P to C). The networks beside the process "
        f"{verdict} the champion on P: {joined:.3f} over all rows, {alone:.3f} by the process alone."
    )


def pretraining_sentence(report: dict) -> str:
    """What a crystal encoder that saw other crystals first gains on rows with CIF (protocol B)."""
    crystals = max(one["crystals"] for one in report["pretraining"].values())
    networks, champion = (_best_gain(report[kind]) for kind in ("networks", "joined"))
    gains = [f"{100 * gain:.1f} %" if gain >= 0.0005 else "nothing" for gain in (networks, champion)]
    return _wrapped(
        f"A crystal encoder that saw {crystals:,} other crystals before gains {gains[0]} on rows with CIF (B) for the "
        f"networks and {gains[1]} for the champion, so it does not ship: "
        "[benchmarks/structure_pretraining.md](benchmarks/structure_pretraining.md)."
    )


def series_sentence(report: dict) -> str:
    """How many series of known order the process and the forest order right."""
    parts = [
        f"{models['process']['right']} ({split}; the forest {models['random_forest']['right']})"
        for split, models in report["ordering"].items()
    ]
    total = report["rules"] - len(report["without_rows"])
    return _wrapped(
        f"Of {total} series whose order is known, over all tables, the process orders right {', '.join(parts)}: "
        "[benchmarks/series.md](benchmarks/series.md), by `ionscout benchmark series --out benchmarks`."
    )


def temperatures_bullet(report: dict) -> str:
    """What predictions are worth away from room temperature."""
    parts = [
        f"{b['from_K']:.0f} to {b['to_K']:.0f} K {b['mae_C']:.1f} decades (bias {b['bias']:+.1f}, "
        f"{b['coverage_90']:.0%} in the 90 % interval, {b['n']} rows)"
        for b in report["bins"]
        if b["n"] >= FEWEST and b["from_K"] >= ROOM[1]
    ]
    return _wrapped(
        "- Away from room temperature, held out over all tables, the process is off by "
        f"{'; '.join(parts)}: [benchmarks/temperatures.md](benchmarks/temperatures.md), by `ionscout benchmark "
        f"temperatures --out benchmarks`. More than {FAR:.0f} K away the answer warns, above {HOT:.0f} K of too narrow "
        "intervals.",
        indent="  ",
    )


def _best_gain(scores: dict) -> float:
    """By how much the best of the further variants is below the first, on rows with CIF (B); less than 0: above it."""
    first, *others = (parts["cif"]["mae_B"] for parts in scores.values())
    return 1 - min(others) / first


def _gain(ours: dict, theirs: dict, parts: tuple[str, ...] = ("all", "cif")) -> str:
    """Range over protocols and parts of the rows of how far errors are below others, such as "5.5 to 7.9 %"."""
    gains = [1 - ours[part][k] / theirs[part][k] for part in parts for k in PROTOCOLS]
    return f"{100 * min(gains):.1f} to {100 * max(gains):.1f} %"


def limits_bullet(report: dict) -> str:
    """How far off predictions are by family, and what the networks do for crystals."""
    families = sorted(large_families(report["families"]).items(), key=lambda item: item[1]["mae_C"])
    listed = ", ".join(f"{name} {part['mae_C']:.2f} ({part['n']} rows)" for name, part in families)
    models = report["models"]
    return _wrapped(
        f"- A prediction is off by {models['champion']['all']['mae_C']:.2f} decades in the mean (C); by family: "
        f"{listed}, all others {report['families'][OTHERS]['mae_C']:.2f}. Many rows do not make a family easy; "
        f"intervals say what to expect. {report['rows']['cif']} crystals do not train a deep network well: the graph "
        f"ensemble alone is {_gain(models['graph_ensemble'], models['random_forest'], ('cif',))} better than the "
        "random forest on them. The rest comes from comparing fixed descriptions of cell and surroundings, which no "
        "amount of training on so few rows replaced.",
        indent="  ",
    )


def _wrapped(text: str, indent: str = "") -> str:
    return textwrap.fill(text, 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def interval_sentence(report: dict) -> str:
    """What the intervals are worth, and the activation energy."""
    i, e, families = report["intervals"], report["activation_energy"], report["families"]
    coverages = [part["coverage_90"] for part in large_families(families).values()]
    return _wrapped(
        f"90 % intervals hold {i['all']['coverage_90']:.1%} of the measurements ({min(coverages):.1%} to "
        f"{max(coverages):.1%} in each of the {len(coverages)} families of 20 rows or more, "
        f"{families[OTHERS]['coverage_90']:.1%} in all others); their median width is "
        f"{i['all']['median_width_90']:.1f} decades, {i['narrower_than_forest']:.0%} narrower than a constant one "
        f"around the forest. {strays_sentence(families)} Inside the domain the error (C) is "
        f"{i['in_domain']['mae_C']:.2f} decades; outside it is {i['outside']['mae_C']:.2f}, and the intervals hold "
        f"{i['outside']['coverage_90']:.1%} of the {i['outside']['n']} rows there. Activation energies are off by "
        f"{1000 * e['mae_eV']:.0f} meV, against {1000 * e['mae_of_family_mean_eV']:.0f} meV by the mean of the family "
        "(fold seed 0)."
    )
