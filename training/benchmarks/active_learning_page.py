"""The report of the active-learning benchmark as a page."""

from collections.abc import Sequence

from ionscout.training.benchmarks.active_learning import Report, Score
from ionscout.training.benchmarks.active_learning_strategies import FOREST, OURS
from ionscout.training.benchmarks.thermo_report import table

COMMAND = "ionscout benchmark active-learning --out benchmarks --plot benchmarks/figures/active_learning.png"
WARM_GOAL = (3.0, 2.0)  # acceleration, and the lower end of its interval
LEAST_FAMILIES = 5
SHOWN = (OURS, "greedy", "uncertainty", FOREST, "random")  # in the figure


def markdown(report: Report, figure: str | None = None) -> str:
    """Tables of both settings, by family and by hit, what was aimed for, and the leak check.

    Args:
        figure: of the cold campaigns, as the page is to link it.
    """
    aims = table(["aim", "measured", "reached"], _aims(report))
    lines = [_HEAD.format(seeds=report.seeds, hidden=report.hidden, command=COMMAND), aims]
    for setting, scores in (("Cold", report.cold), ("Warm", report.warm)):
        lines += ["", f"## {setting}", "", _pools(report, setting), "", _scores(scores, report.by_hit[setting.lower()])]
        if figure and setting == "Cold":
            lines += ["", f"![Targets found against measurements, median and 90 % of the seeds]({figure})"]
    lines += ["", "## Warm, by family", "", "Acceleration; intervals over seeds alone.", ""]
    families = list(report.warm_by_family)
    names = list(report.warm)
    rows = [[n, *(_interval(report.warm_by_family[f][n].acceleration) for f in families)] for n in names]
    lines += [table(["strategy", *families], rows), "", _FOUND.format(ours=OURS, forest=FOREST), *_leaks(report)]
    return "\n".join(lines) + "\n"


def _aims(report: Report) -> list[list[str]]:
    cold, warm, forest = report.cold[OURS], report.warm[OURS], report.against_forest["cold"]
    return [
        ["warm: acceleration at least 3", f"{warm.acceleration[1]:.2f}", _yes(warm.acceleration[1] >= WARM_GOAL[0])],
        [
            "warm: interval above 2",
            _interval(warm.acceleration),
            _yes(warm.acceleration[0] > WARM_GOAL[1]),
        ],
        ["(warm, ranked by the model that knows all labels but a row's own)", _interval(report.informed), ""],
        ["(warm, other seeds, 30 % hidden)", _interval(report.other_draws) if report.other_draws else "–", ""],
        ["cold: better than random (90 %)", _interval(cold.acceleration), _yes(cold.acceleration[0] > 1)],
        [
            "cold: better than forest + UCB (90 %)",
            f"{_interval(forest)} times fewer measurements",
            _yes(forest[0] > 1),
        ],
        ["cold: five families among 50", f"{cold.families:.1f}", _yes(cold.families >= LEAST_FAMILIES)],
    ]


def _pools(report: Report, setting: str) -> str:
    pools = {n: size for n, size in report.pools.items() if (n == "cold") == (setting == "Cold")}
    text = "; ".join(f"{n}: {rows} rows, {targets} targets" for n, (rows, targets) in pools.items())
    expected = report.random_hits[setting.lower()]
    forest = report.against_forest[setting.lower()]
    return (
        f"Pools (first seed): {text}. By chance 50 measurements hold {expected:.1f} hits. The loop needs "
        f"{_interval(forest)} times fewer measurements than the forest for the third hit (seeds paired)."
    )


def _scores(scores: dict[str, Score], by_hit: dict[str, dict[int, tuple[float, float, float]]]) -> str:
    rows = [
        [
            f"**{name}**" if name == OURS else name,
            f"{s.hits_50:.1f}",
            f"{s.to_third_hit:.1f}",
            f"{s.families:.1f}",
            _interval(s.acceleration),
            *(f"{by_hit[name][k][1]:.2f}" for k in (1, 2)),
        ]
        for name, s in scores.items()
    ]
    head = ["strategy", "hits in 50", "to third hit", "families", "acceleration", "at 1st hit", "at 2nd hit"]
    return table(head, rows)


def _leaks(report: Report) -> Sequence[str]:
    check = report.leak_check
    rows = [
        [
            "shuffling all labels before anything is made of the rows leaves the first cold batch as it is",
            _yes(check.first_batch_ignores_labels),
        ],
        ["falsifying all labels not yet measured leaves a campaign as it is", _yes(check.unmeasured_ignored)],
        ["warm labels that share composition, publication or value with the pool", str(check.remaining)],
        *([f"rows of other families left out for {name}", _counts(c)] for name, c in check.removed.items()),
        *([f"rows of {name} that would tell about the pool", _counts(c)] for name, c in check.copies_elsewhere.items()),
    ]
    return _LEAKS, table(["check", "outcome"], rows)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{reason} {n}" for reason, n in counts.items()) or "none"


def _interval(values: tuple[float, float, float]) -> str:
    low, mid, high = values
    return f"{mid:.2f} [{low:.2f}, {high:.2f}]"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


_HEAD = """# Active learning on OBELiX

How many measurements the loop of `ionscout campaign` saves: its acquisition and its batches, with a Gaussian process in
place of the shipped model, which has seen all of these labels. Pool: rows of OBELiX `train.csv`; targets: the best 5 %
of the pool; 50 measurements in batches of five; {seeds} seeds, each of which hides {hidden:.0%} of the pool and of the
known labels, the same for every strategy. Cold: no conductivity at the start, all families in one pool. Warm: the pool
is one family and the labels of all others are known, without rows that share composition or publication with it.

**Acceleration factor**: measurements that random choice needs on average for its third hit, 3 (N + 1) / (K + 1) for N
rows with K targets, over those the strategy needs on average. Measurements are counted one by one in the order chosen;
a run that ends before its third hit counts as if it went on at random. Families count alike (geometric mean). In
brackets the 90 % interval of a bootstrap over seeds, in the warm setting over families too. Families take part when the
best 5 % of what a seed leaves of them are three rows; smaller ones have no third hit.

Written by `{command}`.

## What was aimed for
"""

_FOUND = """
## Reading the tables

`{ours}` is a Gaussian process (composition and cell; `training/active/surrogate.py`) with an upper confidence bound.
Cold: dial 0.5, diversity on, composition prior from anion softness, cation charge and disorder. Warm: the first batch
asks about what is least certain (dial 0.67), later ones exploit (dial 0.23); no prior, since it tells families apart,
not the members of one; kernel variances are fitted to the labels of the other families. `greedy` and `uncertainty` are
the same model at dial 0 and 1, without diversity; `{forest}` is the forest of the OBELiX paper plus one standard
deviation of its trees (random first batch when cold). The lines below `random` change one thing of the loop each, and
none of them is clearly better in both settings. In the cold setting diversity costs about one hit and is kept for the
families it brings; within one family it is off, since the best members are alike.

Dials, kernels and the use of the prior were chosen on these data (seven families, the best 5, 10 and 20 % as targets,
other seeds), so the numbers flatter somewhat; the official test part was not touched. Tried there and dropped:
kernels on elemental statistics; differences from the family mean as features (they rank an unseen family better, but
gain nothing once the loop runs); forests as the mean of the process; choosing by the probability to be among the best;
several dials within one batch; a kernel on site environments (better on garnets, stuck in NASICON); the conductivity
model fitted without the family, with and without the other tables, as the mean or as mean and covariance; a first batch
that lowers the variance of the whole pool most; looking ahead over ten measurements. A kernel on thirteen physical
descriptors whose lengths were learned within the other families, with such a first batch, came to 2.0 here and on other
draws alike: no better.

Why warm is hard: repeats of one composition differ by half a decade, but the best 5 % of these families end less than
0.2 decades above the next row, so that it is partly noise which of twenty good rows is a target. In a pool of 76 with
four targets, somebody who knew the best twenty rows but not their order would need 12.6 measurements for the third
hit: an acceleration of 3.7. The same model with *every* label of the family but the row's own ranks the pool as the
first table says: not surely better than what was aimed for. A campaign starts with none of these labels and has to pay
for what it learns.
"""

_LEAKS = """
## Leak check

Measured in this run. The other tables hold copies of pool rows; no strategy reads them. The embedding variant uses a
network that was trained on formation energies, gaps and moduli alone.
"""
