"""The inputs of one retraining: rows to cross-validate, rows that only train, rows kept back, and a hash over all."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ionscout.datasets.observations.source import Observations
from ionscout.datasets.sources.base import Measurement, content_hash
from ionscout.datasets.sources.repeats import copies
from ionscout.training.conductivity import TrainingData, training_data
from ionscout.training.config import ConductivityConfig
from ionscout.training.promotion.fresh import split_new
from ionscout.training.promotion.policy import PromotionPolicy
from ionscout.training.retraining.validation import is_own


@dataclass(frozen=True)
class Snapshot:
    """What goes into a retraining.

    Attributes:
        data: `main` holds published rows only, so that its folds stay the same whatever users add: the frozen split.
        kept_back: own rows that never train. copies: observations left out because a table holds them already.
        config, policy: how to train, and what to demand.
    """

    data: TrainingData
    kept_back: tuple[Measurement, ...]
    copies: int
    config: ConductivityConfig
    policy: PromotionPolicy

    @property
    def rows(self) -> list[Measurement]:
        """Every row, those kept back included."""
        return [*self.data.main, *self.data.extra, *self.kept_back]

    @property
    def judged(self) -> list[Measurement]:
        """The rows with labels that two models may be compared on."""
        return [*self.data.main, *(m for m in self.data.extra if not is_own(m))]

    def hashes(self) -> dict[str, str]:
        """sha256 of each part."""
        return {
            "main": content_hash(self.data.main),
            "extra": content_hash(self.data.extra),
            "kept_back": content_hash(self.kept_back),
        }

    @property
    def key(self) -> str:
        """One name for equal inputs."""
        parts = [self.hashes(), self.config.model_dump(mode="json"), self.policy.model_dump(mode="json")]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def take(
    config: ConductivityConfig,
    policy: PromotionPolicy,
    data: Path | None = None,
    observations: Observations | None = None,
) -> Snapshot:
    """Read every source as it is now, and the observations of a store (None: without).

    Raises:
        DataUnavailable, BadData: of the sources or the store.
    """
    base = training_data(data)
    return assemble(base, [] if observations is None else observations.load(), config, policy)


def assemble(
    base: TrainingData, observed: Sequence[Measurement], config: ConductivityConfig, policy: PromotionPolicy
) -> Snapshot:
    """Sort published and own rows into parts."""
    published = [m for m in base.main if not is_own(m)]
    extra = [m for m in base.extra if not is_own(m)]
    own = [m for m in (*base.main, *base.extra) if is_own(m)]
    known = [*published, *extra, *own]
    repeats = {row for row, _ in copies(observed, known)}
    fresh = [m for i, m in enumerate(observed) if i not in repeats]
    train, kept_back = split_new([*own, *fresh], policy.new_data.share)
    words = f"{base.description}; own rows: {len(train)} train, {len(kept_back)} kept back"
    return Snapshot(TrainingData(published, [*extra, *train], words), tuple(kept_back), len(repeats), config, policy)
