"""Reports of the thermodynamic benchmarks: one JSON with every number, one Markdown page to read."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ionscout.datasets.settings import settings


def default_folder() -> Path:
    """`benchmarks/` of the checkout, else of the user's data folder."""
    return settings().home / "benchmarks"


def table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table; floats with four significant digits, None as a dash."""
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    lines += ["| " + " | ".join(_text(cell) for cell in row) + " |" for row in rows]
    return "\n".join(lines)


def write_report(name: str, result: dict[str, Any], markdown: str, folder: Path | None = None) -> tuple[Path, Path]:
    """Write `<name>.json` and `<name>.md`.

    Args:
        folder: by default `default_folder()`.

    Returns:
        Both paths.
    """
    folder = default_folder() if folder is None else folder
    folder.mkdir(parents=True, exist_ok=True)
    data, page = folder / f"{name}.json", folder / f"{name}.md"
    data.write_text(json.dumps(_finite(result), indent=1, ensure_ascii=False) + "\n")
    page.write_text(markdown.rstrip() + "\n")
    return data, page


def _text(cell: Any) -> str:
    if cell is None:
        return "–"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    return f"{cell:.4g}" if isinstance(cell, float) else str(cell).replace("|", "\\|")


def _finite(value: Any) -> Any:
    """JSON has no infinity: such numbers become null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
