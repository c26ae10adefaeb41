"""Hosts that several tests dope; read once."""

from functools import lru_cache

from ionscout.datasets.sources.embedded import cif_text
from ionscout.datasets.structure import parse_material
from ionscout.training.active.host import Host, host_of


@lru_cache
def crystal(name: str) -> Host:
    """A host from a bundled crystal."""
    return host_of(parse_material(cif_text(name), "cif"))


@lru_cache
def formula(text: str) -> Host:
    """A host from a bare formula."""
    return host_of(parse_material(text, "formula"))
