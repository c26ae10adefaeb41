"""What a model predicted without having seen the row's publication: the table that models are compared on.

It holds predictions and hashed names, no measured value; labels are joined from the measurements at hand.
"""

import csv
import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ionscout.datasets.errors import BadData
from ionscout.datasets.sources.base import Measurement
from ionscout.datasets.sources.repeats import publication
from ionscout.models.conductivity.predictor import ConductivityPredictor
from ionscout.training.labels import labels_of
from ionscout.training.leaks import independent

ARTIFACT = "out_of_fold.csv"
COLUMNS = ("row", "publication", "family", "fold", "location", "half_width")
TRAINED, DIRECT = -1, -2  # folds of rows that only trained, and of rows that the finished model never saw


@dataclass(frozen=True)
class Predictions:
    """One model on n rows.

    Attributes:
        row, publication, family: hashed names and the family, n each.
        fold: number of the fold that held the row out; `TRAINED` for rows that only trained (no prediction), `DIRECT`
            for rows that the finished model predicted (`completed`).
        location, half_width: log10 σ (S/cm) at 298.15 K and half of the interval, decades; NaN without prediction, [n].
    """

    row: tuple[str, ...]
    publication: tuple[str, ...]
    family: tuple[str, ...]
    fold: np.ndarray
    location: np.ndarray
    half_width: np.ndarray

    def __len__(self) -> int:
        return len(self.row)

    @property
    def judged(self) -> dict[str, int]:
        """Position of every row that has a prediction."""
        return {name: i for i, name in enumerate(self.row) if np.isfinite(self.location[i])}

    @property
    def known(self) -> set[str]:
        """Rows that have a prediction, and rows that the model was trained on."""
        return {*self.judged, *(name for name, fold in zip(self.row, self.fold, strict=True) if fold == TRAINED)}

    @property
    def met(self) -> set[str]:
        """Rows of `known` that took part in its training: all but those that the finished model was asked about."""
        return self.known - {name for name, fold in zip(self.row, self.fold, strict=True) if fold == DIRECT}

    @property
    def folds(self) -> dict[str, int]:
        """Fold of every row that was held out."""
        return {name: int(fold) for name, fold in zip(self.row, self.fold, strict=True) if fold >= 0}

    def text(self) -> str:
        """The table as CSV."""
        page = io.StringIO()
        writer = csv.writer(page, lineterminator="\n")
        writer.writerow(COLUMNS)
        for i in range(len(self)):
            numbers = [f"{x:.6f}" if np.isfinite(x) else "" for x in (self.location[i], self.half_width[i])]
            writer.writerow([self.row[i], self.publication[i], self.family[i], int(self.fold[i]), *numbers])
        return page.getvalue()

    @classmethod
    def read(cls, text: str) -> "Predictions":
        """Read what `text` wrote.

        Raises:
            BadData: another layout.
        """
        try:
            lines = list(csv.DictReader(io.StringIO(text)))
            numbers = np.array([[float(line[c] or "nan") for c in COLUMNS[4:]] for line in lines]).reshape(-1, 2)
            return cls(
                tuple(line["row"] for line in lines),
                tuple(line["publication"] for line in lines),
                tuple(line["family"] for line in lines),
                np.array([int(line["fold"]) for line in lines], dtype=int),
                numbers[:, 0],
                numbers[:, 1],
            )
        except (KeyError, ValueError, TypeError, csv.Error) as error:
            raise BadData(f"The out-of-fold table cannot be read ({error}); train the model again.") from None


@dataclass(frozen=True)
class Truth:
    """The labels of n rows: log10 σ (S/cm) brought to 298.15 K (the bound where `censored`)."""

    row: tuple[str, ...]
    publication: tuple[str, ...]
    family: tuple[str, ...]
    label: np.ndarray
    censored: np.ndarray


def row_hash(m: Measurement) -> str:
    """A name for a row that does not tell what it says."""
    return _hash(f"{m.source}|{m.id}")


def publication_hash(m: Measurement) -> str:
    """The same for the publication; rows without one are grouped by formula, as in the folds."""
    return _hash(publication(m) or m.formula)


def table(
    held_out: Sequence[Measurement],
    fold: np.ndarray,
    location: np.ndarray,
    half_width: np.ndarray,
    trained: Sequence[Measurement] = (),
) -> Predictions:
    """The out-of-fold predictions [n] of a training, and the names of the rows that only trained."""
    both = [*held_out, *trained]
    nothing = np.full(len(trained), np.nan)
    return Predictions(
        tuple(row_hash(m) for m in both),
        tuple(publication_hash(m) for m in both),
        tuple(m.family for m in both),
        np.concatenate([fold, np.full(len(trained), TRAINED)]).astype(int),
        np.concatenate([location, nothing]),
        np.concatenate([half_width, nothing]),
    )


def truth_of(measurements: Sequence[Measurement]) -> Truth:
    """Labels at 298.15 K of those rows that have one; a row far from it needs an activation energy."""
    labels = labels_of(measurements)
    usable = [int(i) for i in np.flatnonzero(np.isfinite(labels))]
    kept = [measurements[i] for i in usable]
    return Truth(
        tuple(row_hash(m) for m in kept),
        tuple(publication_hash(m) for m in kept),
        tuple(m.family for m in kept),
        labels[usable],
        np.array([m.censored for m in kept], dtype=bool),
    )


def completed(
    predictions: Predictions, measurements: Sequence[Measurement], predictor: ConductivityPredictor
) -> Predictions:
    """With the finished model's answers for rows that could be held out of its training as they are held out in folds.

    So no publication that trained it, and no composition or copied value among its rows that only trained (of which
    `independent` keeps the folds free; those that are not among the measurements are known by publication alone).
    """
    rows, publications = set(predictions.row), set(predictions.publication)
    unseen = [m for m in measurements if row_hash(m) not in rows and publication_hash(m) not in publications]
    only_trained = {name for name, fold in zip(predictions.row, predictions.fold, strict=True) if fold == TRAINED}
    unseen = independent(unseen, [m for m in measurements if row_hash(m) in only_trained])
    if not unseen:
        return predictions
    answers = predictor.predict([m.material() for m in unseen])
    location = np.log10([a.conductivity for a in answers])
    half = np.log10([a.upper for a in answers]) - location
    more = table(unseen, np.full(len(unseen), DIRECT), location, half)
    return replace(
        predictions,
        row=predictions.row + more.row,
        publication=predictions.publication + more.publication,
        family=predictions.family + more.family,
        fold=np.concatenate([predictions.fold, more.fold]),
        location=np.concatenate([predictions.location, more.location]),
        half_width=np.concatenate([predictions.half_width, more.half_width]),
    )


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
