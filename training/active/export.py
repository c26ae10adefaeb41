"""Campaigns on their way out: a CSV that `ionscout evaluate --data` reads, and one JSON of everything."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ionscout.datasets.observations.records import Campaign, Observation, Suggestion
from ionscout.datasets.observations.source import doi_of
from ionscout.datasets.observations.store import ObservationStore

# The first nine are what `datasets.sources.user` reads; it passes over the others.
COLUMNS = (
    "id",
    "formula",
    "conductivity_S_cm",
    "temperature_K",
    "kind",
    "structure",
    "family",
    "doi",
    "activation_energy_eV",
    "source",
    "measured_by",
    "measured_on",
)


@dataclass(frozen=True)
class Export:
    """Everything that a campaign holds."""

    campaign: Campaign
    suggestions: tuple[Suggestion, ...]
    observations: tuple[Observation, ...]

    @property
    def failed(self) -> int:
        """Failed syntheses, which the CSV has no column for."""
        return sum(o.failed for o in self.observations)

    def csv(self) -> str:
        """The observations with a conductivity, in the layout of a user's own table; bounds as `<1e-10`."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(COLUMNS)
        for found in self.observations:
            if found.conductivity is not None:
                writer.writerow(_cells(found))
        return text.getvalue()

    def cifs(self) -> dict[str, str]:
        """Structure files by the names that the CSV gives them."""
        return {_file(o): o.cif for o in self.observations if o.cif is not None and o.conductivity is not None}

    def document(self) -> dict[str, Any]:
        """Everything, as plain JSON values."""
        return {
            "campaign": _plain(asdict(self.campaign)),
            "suggestions": [_plain(asdict(s)) for s in self.suggestions],
            "observations": [_plain(asdict(o)) for o in self.observations],
        }

    def write(self, path: Path) -> list[Path]:
        """Write the CSV, and a folder `cifs` beside it where structures were sent; the files written.

        Raises:
            OSError: a file cannot be written.
        """
        path.write_text(self.csv(), encoding="utf-8")
        written = [path]
        for name, text in self.cifs().items():
            folder = path.parent / "cifs"
            folder.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8")
            written.append(folder / name)
        return written


def export(store: ObservationStore, name: str) -> Export:
    """Everything that a campaign holds.

    Raises:
        UnknownCampaign.
    """
    return Export(store.campaign(name), tuple(store.suggestions(name)), tuple(store.observations(name)))


def _cells(found: Observation) -> Sequence[object]:
    assert found.conductivity is not None
    return (
        f"{found.campaign}-{found.id}",
        found.formula,
        f"{'<' if found.censored else ''}{found.conductivity:.6g}",
        f"{found.temperature_K:g}",
        found.kind,
        "" if found.cif is None else _file(found),
        "",
        doi_of(found.source),
        "",
        _harmless(found.source),
        _harmless(found.measured_by),
        _harmless(found.measured_on),
    )


def _harmless(text: str) -> str:
    """Free text that a spreadsheet cannot take for a formula."""
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def _file(found: Observation) -> str:
    return f"{found.campaign}-{found.id}.cif"


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}
