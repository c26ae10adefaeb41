"""`ionscout benchmark structure-pretraining`: does a crystal encoder that saw ten thousand crystals before help?"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ionscout.datasets.errors import DataUnavailable, InvalidInput
from ionscout.datasets.graph import site_classes
from ionscout.models.potential.chgnet import CHGNetPotential
from ionscout.training.ablations import Variant, fit_predict
from ionscout.training.benchmarks.conductivity import mean_scores, row_masks
from ionscout.training.benchmarks.conductivity_page import variants
from ionscout.training.benchmarks.thermo_report import table
from ionscout.training.borrowing import borrowed_graphs, with_borrowed_environments
from ionscout.training.conductivity import MAIN, extra_rows, training_data
from ionscout.training.config import BlockConfig, ConductivityConfig
from ionscout.training.crystals import Crystal, shared_crystals
from ionscout.training.engines import open_engine
from ionscout.training.ensembles import start_ensemble
from ionscout.training.examples import Examples, make_examples
from ionscout.training.folds import grouped_folds
from ionscout.training.pretraining import Pretrained, Task, crystal_embeddings, pretrain

TASKS: dict[str, tuple[Task, ...]] = {
    "species of emptied sites, energies and moduli": ("species", "properties"),
    "CHGNet's site features, energies and moduli": ("teacher", "properties"),
}
EPOCHS = 15  # seven seconds each on one core; three times as many tell held-out crystals better and help no more
MEMBERS = 2  # networks of each kind that are compared
TAUGHT = 3000  # crystals that CHGNet is asked about, 0.04 s each
MOST_TAUGHT_SITES = 40
# The kernel over the embedding. Amplitudes from 1 to 3 and lengths from 1 to 4 differ by 2 % and none of them helps.
BLOCK = BlockConfig(amplitude=1.0, length=(2.0,), centres=250, components=24)
SHARE = 0.2  # of the networks in the champion's answer about a crystal
RANDOM, SHIPPED = "random start", "process as shipped"
Step = Callable[[], None]


def run(
    config: ConductivityConfig,
    epochs: int = EPOCHS,
    limit: int | None = None,
    on_step: Callable[[int, int], None] = lambda done, of: None,
) -> dict[str, Any]:
    """Pre-train in every way, then compare on the same DOI-grouped folds (seed 0).

    Args:
        epochs: of pre-training. limit: crystals read from each file; None: all.

    Raises:
        DataUnavailable: OBELiX or the shared crystals are not there.
    """
    data = training_data()
    if data.main[0].source != MAIN:
        raise DataUnavailable("The OBELiX training part is missing; set IONSCOUT_DATA_DIR.")
    config = config.model_copy(update={"members": MEMBERS})
    examples = make_examples(data.main, config.network.cutoff)
    extra = extra_rows(make_examples(data.extra, config.network.cutoff))
    done, total = 0, len(TASKS) * epochs + config.folds * (MEMBERS * (1 + len(TASKS)) + 1)

    def step() -> None:
        nonlocal done
        done += 1
        on_step(done, total)

    crystals = shared_crystals(limit)
    features = chgnet_features(crystals)
    learned = {
        name: pretrain(crystals, config.network, tasks, epochs, features if "teacher" in tasks else (), on_epoch=step)
        for name, tasks in TASKS.items()
    }
    masks = row_masks(examples, config)
    found = {
        "networks": _networks(examples, extra, config, learned, step),
        "process": _processes(examples, extra, config, learned, step),
    }
    process = found["process"][SHIPPED]
    found["joined"] = {name: process + SHARE * (network - process) for name, network in found["networks"].items()}
    return {
        "split": f"OBELiX train.csv, {config.folds} folds grouped by DOI, fold seed {config.seed}",
        "trained_on": data.description,
        "members": MEMBERS,
        "pretraining": {
            name: {"crystals": one.crystals, "epochs": epochs, "held_out": one.errors} for name, one in learned.items()
        },
        **{
            kind: {name: mean_scores([prediction], examples, masks) for name, prediction in predictions.items()}
            for kind, predictions in found.items()
        },
    }


def chgnet_features(crystals: Sequence[Crystal]) -> list[np.ndarray | None]:
    """CHGNet's features of the site classes of each graph [n, 64]; None beyond the first `TAUGHT` that it can read."""
    potential = CHGNetPotential()
    features: list[np.ndarray | None] = [None] * len(crystals)
    taught = 0
    for number, crystal in enumerate(crystals):
        if taught == TAUGHT:
            break
        if len(crystal.structure) <= MOST_TAUGHT_SITES:
            try:
                found, label = potential.site_features(crystal.structure), site_classes(crystal.structure)
            except (InvalidInput, ValueError):  # partly occupied, or atoms too far apart for its graph
                continue
            features[number] = np.stack([found[label == k].mean(0) for k in range(label.max() + 1)])
            taught += 1
    return features


def _networks(
    examples: Examples, extra: Callable, config: ConductivityConfig, learned: dict[str, Pretrained], step: Step
) -> dict[str, np.ndarray]:
    """log10 σ of every row [n] by ensembles that start from random weights, and from each pre-training."""
    starts = {RANDOM: None} | {name: one.state for name, one in learned.items()}
    found = {name: np.empty(len(examples)) for name in starts}
    folds = list(grouped_folds(examples.groups, config.folds, config.seed))
    with open_engine("local", config.workers) as engine:
        started = []
        for number, (train_rows, test_rows) in enumerate(folds):
            training = examples.rows(train_rows).joined(extra(examples.rows(test_rows))).labelled()
            seed = config.seed + 1000 * (number + 1)
            for name, state in starts.items():
                started.append((name, test_rows, start_ensemble(training, config, seed, engine, step, state)))
        for name, test_rows, networks in started:
            found[name][test_rows] = networks.result()[0].predict(examples.rows(test_rows).graphs).location
    return found


def _processes(
    examples: Examples, extra: Callable, config: ConductivityConfig, learned: dict[str, Pretrained], step: Step
) -> dict[str, np.ndarray]:
    """log10 σ of every row [n] by the process as it is, and with a kernel over each pre-trained embedding."""
    more = {"location": {**config.process.location, CRYSTAL: BLOCK}}
    found = {name: np.empty(len(examples)) for name in (SHIPPED, *learned)}
    for train_rows, test_rows in grouped_folds(examples.groups, config.folds, config.seed):
        test = examples.rows(test_rows)
        training = examples.rows(train_rows).joined(extra(test))
        lent = borrowed_graphs(training)
        graphs = [lent.get(row, graph) for row, graph in enumerate(training.graphs)]
        training = with_borrowed_environments(training)
        shipped = Variant(SHIPPED, borrowed=False)  # borrowed already, once for all
        found[shipped.name][test_rows] = fit_predict(shipped, training, test, config)
        for name, one in learned.items():
            variant = Variant(name, beside=(CRYSTAL,), borrowed=False, prior=more)
            seen, shown = (
                _with_crystals(part, crystal_embeddings(one.state, config.network, of_rows))
                for part, of_rows in ((training, graphs), (test, test.graphs))
            )
            found[name][test_rows] = fit_predict(variant, seen, shown, config)
        step()
    return found


CRYSTAL = "crystal"  # the block of the pre-trained embedding


def _with_crystals(rows: Examples, embeddings: np.ndarray) -> Examples:
    return replace(rows, features=rows.features.with_block(CRYSTAL, embeddings))


def markdown(report: dict[str, Any], command: str) -> str:
    """The report as a page."""
    learned = [
        [
            name,
            one["crystals"],
            one["epochs"],
            "; ".join(f"{what} {error:.3g}" for what, error in one["held_out"].items()),
        ]
        for name, one in report["pretraining"].items()
    ]
    return "\n\n".join(
        [
            "# Pre-training the crystal encoder",
            "The crystal encoder of the conductivity network, trained first on the crystals under structures/ and "
            "mp_entries/: on the species that belongs on an emptied site, formation energies, elastic moduli and, of "
            f"{TAUGHT} crystals, CHGNet's site features. Then {report['split']}, the same seeds in every line; MAE in "
            f"decades. Trained on {report['trained_on']}.",
            table(["pre-trained on", "crystals", "epochs", "errors on held-out crystals"], learned),
            f"## Ensembles of {report['members']} trained networks",
            variants(report["networks"]),
            "Pre-trained weights are where the fit starts; all of them are trained on.",
            f"## Process and networks joined as in the champion ({SHARE:.0%} networks)",
            variants(report["joined"]),
            "## Gaussian process",
            variants(report["process"]),
            "With one more kernel, over the means of the pre-trained site features over all atoms and over lithium; "
            "training rows without atoms borrow those of a template, as for the environments.",
            verdict(report),
            f"Written by `{command}`.",
        ]
    )


def verdict(report: dict[str, Any]) -> str:
    """How far the best pre-training is from none, on rows with CIF (protocol B)."""
    parts = []
    for kind, title in (("networks", "the networks"), ("joined", "both joined"), ("process", "the process")):
        base, *others = (scores["cif"]["mae_B"] for scores in report[kind].values())
        best = min(others)
        parts.append(f"{abs(1 - best / base):.1%} {'below' if best < base else 'above'} for {title}")
    return f"On rows with CIF (B), the error with the better pre-training, against none: {', '.join(parts)}."
