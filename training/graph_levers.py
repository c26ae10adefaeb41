"""Every lever of the trained graph networks on and off: how many there are, what they see, and what they trained on."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import torch

from ionscout.datasets.graph import CrystalData
from ionscout.models.conductivity.inputs import graphs_of
from ionscout.training.ablations import rounded_materials
from ionscout.training.config import ConductivityConfig
from ionscout.training.crossval import OutOfFold
from ionscout.training.engines import Engine, open_engine
from ionscout.training.ensembles import ensemble_of, start_ensemble
from ionscout.training.examples import Examples
from ionscout.training.folds import grouped_folds

FEW = 2  # networks of an ensemble that is trained for the table alone; compared with as many of the shipped kind


@dataclass(frozen=True)
class GraphLever:
    """An ensemble trained with one thing changed.

    Attributes:
        network: fields of `NetworkConfig` that are changed.
        rounded: the majority species on every site, as the published graph networks have it.
    """

    name: str
    network: dict = field(default_factory=dict)
    rounded: bool = False


LEVERS = (
    GraphLever("trained without crystals", {"use_structure": False}),
    GraphLever("trained on rounded occupancies", rounded=True),
    GraphLever("trained without pre-trained composition embedding", {"use_embedding": False}),
)


def out_of_fold(
    examples: Examples,
    extra: Callable[[Examples], Examples | None],
    config: ConductivityConfig,
    oof: OutOfFold,
    levers: Sequence[GraphLever] = LEVERS,
    on_fit: Callable[[], None] = lambda: None,
) -> dict[str, list[np.ndarray]]:
    """log10 σ at 298.15 K of every row [n] by networks that saw no row of its publication.

    Args:
        oof: of the same rows and configuration; its networks are asked again, in other company or about other graphs.

    Returns:
        By name: one prediction, or several whose scores are to be averaged.
    """
    cutoff = config.network.cutoff
    round_graphs = graphs_of(rounded_materials(examples), cutoff)
    as_trained = answers(oof, examples.graphs, config)
    found = {
        f"{config.members} networks": [as_trained.mean(0)],
        "1 network, mean over them": list(as_trained),
        "not shown the crystal": [answers(oof, [_hidden(g) for g in examples.graphs], config).mean(0)],
        "shown rounded occupancies": [answers(oof, round_graphs, config).mean(0)],
        f"{FEW} networks": [as_trained[:FEW].mean(0)],
    }
    with open_engine("local", config.workers) as engine:
        for lever in levers:
            found[f"{FEW} networks, {lever.name}"] = [_trained(lever, examples, extra, config, engine, on_fit)]
    return found


def answers(oof: OutOfFold, graphs: Sequence[CrystalData], config: ConductivityConfig) -> np.ndarray:
    """log10 σ of every row [members, n] by each network that did not see it, shown these graphs of the rows."""
    found = np.empty((config.members, len(graphs)))
    for fold, fits in enumerate(oof.histories):
        rows = np.flatnonzero(oof.fold == fold)
        for member, fitted in enumerate(fits):
            network = ensemble_of(config.network, [fitted])
            found[member, rows] = network.predict([graphs[int(i)] for i in rows]).location
    return found


def _hidden(graph: CrystalData) -> CrystalData:
    bare = graph.clone()
    bare.has_structure = torch.zeros(1)
    return bare


def _trained(
    lever: GraphLever,
    examples: Examples,
    extra: Callable[[Examples], Examples | None],
    config: ConductivityConfig,
    engine: Engine,
    on_fit: Callable[[], None],
) -> np.ndarray:
    changed = config.model_copy(update={"members": FEW, "network": config.network.model_copy(update=lever.network)})
    folds, started = list(grouped_folds(examples.groups, config.folds, config.seed)), []
    for number, (train_rows, test_rows) in enumerate(folds):
        training = examples.rows(train_rows).joined(extra(examples.rows(test_rows))).labelled()
        if lever.rounded:
            training = _rounded(training, config)
        started.append(start_ensemble(training, changed, config.seed + 1000 * (number + 1), engine, on_fit))
    asked = _rounded(examples, config) if lever.rounded else examples
    prediction = np.empty(len(examples))
    for (_, test_rows), networks in zip(folds, started, strict=True):
        prediction[test_rows] = networks.result()[0].predict([asked.graphs[i] for i in test_rows]).location
    return prediction


def _rounded(examples: Examples, config: ConductivityConfig) -> Examples:
    return replace(examples, graphs=graphs_of(rounded_materials(examples), config.network.cutoff))
