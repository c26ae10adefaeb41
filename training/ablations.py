"""Every lever of the conductivity process on and off, on the same folds: out-of-fold predictions of each variant."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.structure import Material
from ionscout.models.conductivity.features import environments, transport
from ionscout.models.conductivity.inputs import graph_of
from ionscout.models.conductivity.predictor import view_of
from ionscout.training.borrowing import with_borrowed_environments
from ionscout.training.config import BlockConfig, ConductivityConfig, ProcessConfig
from ionscout.training.examples import Examples
from ionscout.training.folds import grouped_folds
from ionscout.training.gaussian_process import BLOCKS, fit_process
from ionscout.training.graph_crossval import rounded_structure

TRANSPORT = BlockConfig(amplitude=2.0, length=(6.0,), centres=150, robust=True)


@dataclass(frozen=True)
class Variant:
    """One row of the ablation table; the defaults are the shipped process.

    Attributes:
        without, beside: blocks of features left out or added.
        sources: other tables that help to train; None: all of them.
        borrowed: rows with a cell but no atoms learn from template environments.
        far, energies: rows measured far from 298 K, and activation energies, train as well.
        rounded: crystals as the published graph networks saw them, with the majority species on every site.
        prior: fields of `ProcessConfig` that are changed.
    """

    name: str
    without: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    sources: tuple[str, ...] | None = None
    borrowed: bool = True
    far: bool = True
    energies: bool = True
    rounded: bool = False
    prior: dict = field(default_factory=dict)


VARIANTS = (
    Variant("process as shipped"),
    Variant("without rows of other tables", sources=()),
    Variant("with the embedded rows alone", sources=("embedded",)),
    Variant("without rows far from 298 K", far=False),
    Variant("without activation energies", energies=False),
    Variant("bounds taken as values", prior={"censored_offset": 0.0}),
    Variant("bounds taken as 1e-15", prior={"censored_offset": 5.0}),
    Variant("without pre-trained embedding", without=("embedding",)),
    Variant("without element fractions", without=("fractions",)),
    Variant("without cell", without=("cell",)),
    Variant("without site environments", without=("environment",)),
    Variant("without template environments", borrowed=False),
    Variant("rounded occupancies", rounded=True),
    Variant("with transport descriptors", beside=("transport",)),
    Variant("transport descriptors for environments", without=("environment",), beside=("transport",)),
    Variant("composition alone", without=("cell", "environment")),
)


def out_of_fold(
    examples: Examples,
    extra: Callable[[Examples], Examples | None],
    config: ConductivityConfig,
    variants: Sequence[Variant] = VARIANTS,
    on_fit: Callable[[], None] = lambda: None,
) -> dict[str, np.ndarray]:
    """log10 σ at 298.15 K of every row [n] by each variant, from processes that saw no row of its publication."""
    found = {variant.name: np.full(len(examples), np.nan) for variant in variants}
    for train_rows, test_rows in grouped_folds(examples.groups, config.folds, config.seed):
        test = examples.rows(test_rows)
        training = examples.rows(train_rows).joined(extra(test))
        completed = with_borrowed_environments(training)
        for variant in variants:
            found[variant.name][test_rows] = _predict(
                variant, completed if variant.borrowed else training, test, config.process, config.seed
            )
            on_fit()
    return found


def fit_predict(variant: Variant, training: Examples, test: Examples, config: ConductivityConfig) -> np.ndarray:
    """log10 σ at 298.15 K of the test rows [n] by one variant fitted to the training rows."""
    completed = with_borrowed_environments(training) if variant.borrowed else training
    return _predict(variant, completed, test, config.process, config.seed)


def _predict(variant: Variant, training: Examples, test: Examples, process: ProcessConfig, seed: int) -> np.ndarray:
    location = {**process.location, "transport": TRANSPORT}
    barrier = {name: block for name, block in process.barrier.items() if name not in variant.without}
    changed = process.model_copy(update={"location": location, "barrier": barrier, **variant.prior})
    fitted, asked = _rows(variant, training), test
    if variant.rounded:
        fitted, asked = _rounded(fitted), _rounded(asked)
    if "transport" in variant.beside:
        fitted, asked = with_transport(fitted), with_transport(asked)
    views = np.array([view_of(material) for material in test.materials])
    prediction = np.full(len(test), np.nan)
    for view in np.unique(views):
        names = [name for name in BLOCKS[str(view)] if name not in variant.without]
        names += [name for name in variant.beside if view == "structure"]
        rows = np.flatnonzero(views == view)
        model = fit_process(fitted, changed, names, seed)
        prediction[rows] = model.predict(asked.features.rows(rows)).location
    return prediction


def _rows(variant: Variant, training: Examples) -> Examples:
    def wanted(m: Measurement) -> bool:
        return m.source == training.measurements[0].source or variant.sources is None or m.source in variant.sources

    kept = np.array([wanted(m) for m in training.measurements])
    if not variant.far:
        kept &= np.isfinite(training.label) | ~np.isfinite(training.log_conductivity)
    rows = training.rows(np.flatnonzero(kept))
    return rows if variant.energies else replace(rows, energy=np.full(len(rows), np.nan))


def rounded_materials(examples: Examples) -> list[Material]:
    """Materials of the rows, with the majority species on every site of a crystal."""
    return [
        m if m.structure is None else replace(m, structure=rounded_structure(m.structure)) for m in examples.materials
    ]


def _rounded(examples: Examples) -> Examples:
    materials = rounded_materials(examples)
    graphs = [graph_of(m.composition, m.structure, 5.0) for m in materials]
    measured = np.array([m.structure is not None for m in examples.materials])
    values = np.where(measured[:, None], environments(materials, graphs), examples.features["environment"])
    return replace(examples, features=examples.features.with_block("environment", values))


def with_transport(examples: Examples) -> Examples:
    """The rows with descriptors of their lithium sub-lattice."""
    values = transport(examples.materials, examples.graphs)
    return replace(examples, features=examples.features.with_block("transport", values))
