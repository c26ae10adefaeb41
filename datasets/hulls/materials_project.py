"""The `mp-api` hull: live Materials Project entries (GGA/GGA+U, 2020 corrections), with the user's own key."""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from pymatgen.core import Composition

from ionscout.datasets.errors import DataUnavailable
from ionscout.datasets.hulls.base import Columns, Hull, Phase, TableHull
from ionscout.datasets.settings import settings

NAME = "mp-api"
CORRECTION = "Materials Project live, GGA/GGA+U, MaterialsProject2020Compatibility"
THERMO_TYPE = "GGA_GGA+U"  # the mixed r2SCAN hull is another energy scale
_STRIDE = 1_000_000  # phases per table in the numbers handed out; no chemical system comes near it
KEYS = ("MP_API_KEY", "PMG_MAPI_KEY")


def load_materials_project() -> "MaterialsProjectHull":
    """A hull that fetches each chemical system on first use.

    Raises:
        DataUnavailable: the optional package or the key is missing.
    """
    if find_spec("mp_api") is None:
        raise DataUnavailable("The hull mp-api needs the optional package: pip install 'ionscout[mp-api]'.")
    key = next((os.environ[name] for name in KEYS if os.environ.get(name)), None)
    if key is None:
        raise DataUnavailable(
            "The hull mp-api needs your Materials Project key: set MP_API_KEY, or use --hull mp-2019 or learned."
        )
    return MaterialsProjectHull(key, settings().cache_dir / NAME)


class MaterialsProjectHull(Hull):
    """Formation energies by chemical system, cached as JSON in the user's cache.

    Args:
        key: the user's key; it is sent to the Materials Project and nowhere else, and not stored.
        cache: folder of the cached systems; delete it to fetch anew.
    """

    name = NAME
    correction = CORRECTION

    def __init__(self, key: str, cache: Path) -> None:
        self._key = key
        self._cache = cache
        self._systems: list[tuple[frozenset[str], TableHull]] = []

    @property
    def version(self) -> str:  # type: ignore[override]
        """Digest of the systems fetched so far: live data have no version of their own."""
        return f"live-{hashlib.sha256(' '.join(table.version for _, table in self._systems).encode()).hexdigest()[:12]}"

    def phases(self, elements: Iterable[str]) -> list[Phase]:
        return self._table(elements)[1].phases(elements)

    def columns(self, elements: Iterable[str]) -> Columns:
        number, table = self._table(elements)
        columns = table.columns(elements)
        return replace(columns, ids=columns.ids + number * _STRIDE)

    def compositions(self, containing: str | None = None) -> list[str]:
        """Formulas of the systems fetched so far: the whole data base is not downloaded."""
        return sorted({formula for _, table in self._systems for formula in table.compositions(containing)})

    def phase(self, number: int) -> Phase:
        system, own = divmod(number, _STRIDE)
        return self._systems[system][1].phase(own)

    def energy_of(self, composition: Composition) -> float | None:
        return self._table(element.symbol for element in composition.elements)[1].energy_of(composition)

    def _table(self, elements: Iterable[str]) -> tuple[int, TableHull]:
        """The table of a chemical system, or of one that contains it, fetched when there is none."""
        system = frozenset(elements)
        for number, (fetched, table) in enumerate(self._systems):
            if system <= fetched:
                return number, table
        path = self._cache / f"{'-'.join(sorted(system))}.json"
        if not path.is_file():
            rows = self._fetch(sorted(system))
            path.parent.mkdir(parents=True, exist_ok=True)
            temporary = path.with_suffix(f".{os.getpid()}.tmp")
            temporary.write_text(json.dumps(rows))
            os.replace(temporary, path)
        content = path.read_bytes()
        rows = json.loads(content)
        if not rows:
            raise DataUnavailable(f"The Materials Project holds nothing for {'-'.join(sorted(system))}.")
        version = hashlib.sha256(content).hexdigest()
        table = TableHull(NAME, version, CORRECTION, [row[0] for row in rows], [row[1] for row in rows], NAME)
        self._systems.append((system, table))
        return len(self._systems) - 1, table

    def _fetch(self, system: list[str]) -> list[tuple[str, float]]:
        from mp_api.client import MPRester

        try:
            with MPRester(self._key) as rester:
                documents: list[Any] = rester.materials.thermo.search(
                    chemsys=_subsystems(system),
                    thermo_types=[THERMO_TYPE],
                    fields=["formula_pretty", "formation_energy_per_atom"],
                )
        except Exception as error:  # the client raises its own, requests' and validation errors alike
            raise DataUnavailable(
                f"The Materials Project did not answer for {'-'.join(system)} ({' '.join(str(error).split())[:120]}); "
                "check key and network, or use --hull mp-2019 or learned."
            ) from None
        return [
            (document.formula_pretty, float(document.formation_energy_per_atom))
            for document in documents
            if document.formation_energy_per_atom is not None
        ]


def _subsystems(elements: list[str]) -> list[str]:
    """All chemical systems within a set of elements, as the Materials Project writes them."""
    chosen = range(1, 1 << len(elements))
    return ["-".join(e for bit, e in enumerate(elements) if mask >> bit & 1) for mask in chosen]
