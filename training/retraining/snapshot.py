"""The inputs of one retraining: rows to cross-validate, rows that only train, rows kept back, and a hash over all."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from ionscout.datasets.errors import BadData
from ionscout.datasets.observations.source import Observations
from ionscout.datasets.sources.base import Measurement, content_hash
from ionscout.datasets.sources.repeats import copies
from ionscout.models.energy import load_predictor
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
        left_out: names of own rows that the caller left out.
        config, policy: how to train, and what to demand.
    """

    data: TrainingData
    kept_back: tuple[Measurement, ...]
    copies: int
    config: ConductivityConfig
    policy: PromotionPolicy
    left_out: tuple[str, ...] = ()

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
        """One name for equal inputs and code."""
        parts = [self.hashes(), self.config.model_dump(mode="json"), self.policy.model_dump(mode="json"), fitted_by()]
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def fitted_by() -> dict[str, str]:
    """The version of this code and of the composition embedding, on which every fit rests; as model cards name them."""
    return {"code_version": metadata.version("ionscout"), "embedding": load_predictor().version}


def take(
    config: ConductivityConfig,
    policy: PromotionPolicy,
    data: Path | None = None,
    observations: Observations | None = None,
    leave_out: Sequence[str] = (),
) -> Snapshot:
    """Read every source as it is now, and the observations of a store (None: without).

    Raises:
        DataUnavailable, BadData: of the sources or the store, or of `assemble`.
    """
    base = training_data(data)
    return assemble(base, [] if observations is None else observations.load(), config, policy, leave_out)


def assemble(
    base: TrainingData,
    observed: Sequence[Measurement],
    config: ConductivityConfig,
    policy: PromotionPolicy,
    leave_out: Sequence[str] = (),
) -> Snapshot:
    """Sort published and own rows into parts.

    Args:
        leave_out: names of own rows that take no part, such as a batch whose unit was lost.

    Raises:
        BadData: no own row has such a name.
    """
    published = [m for m in base.main if not is_own(m)]
    extra = [m for m in base.extra if not is_own(m)]
    own = [m for m in (*base.main, *base.extra) if is_own(m)]
    unwanted = set(leave_out)
    if unknown := unwanted - {m.name for m in (*own, *observed)}:
        raise BadData(f"No own row is named {', '.join(sorted(unknown))}; the validation report has the names.")
    own = [m for m in own if m.name not in unwanted]
    observed = [m for m in observed if m.name not in unwanted]
    known = [*published, *extra, *own]
    repeats = {row for row, _ in copies(observed, known)}
    fresh = [m for i, m in enumerate(observed) if i not in repeats]
    train, kept_back = split_new([*own, *fresh], policy.new_data.share)
    words = f"{base.description}; own rows: {len(train)} train, {len(kept_back)} kept back"
    words += f", {len(unwanted)} left out" if unwanted else ""
    data = TrainingData(published, [*extra, *train], words)
    return Snapshot(data, tuple(kept_back), len(repeats), config, policy, tuple(sorted(unwanted)))
