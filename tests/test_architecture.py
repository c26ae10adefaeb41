"""The house rules that a reviewer would otherwise have to remember."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = ["datasets", "models", "training", "serving"]  # each may import from those before it
SOURCES = [path for room in ROOMS for path in sorted((ROOT / room).rglob("*.py"))]


def imported_rooms(path: Path) -> set[str]:
    """Rooms of ionscout that a file imports from, wherever in the file."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        found |= {name.split(".")[1] for name in names if name.startswith("ionscout.")}
    return found


@pytest.mark.parametrize("room", ROOMS)
def test_imports_run_one_way(room):
    above = set(ROOMS[ROOMS.index(room) + 1 :])
    offenders = {
        str(path.relative_to(ROOT)): sorted(imported_rooms(path) & above)
        for path in SOURCES
        if path.relative_to(ROOT).parts[0] == room and imported_rooms(path) & above
    }
    assert not offenders


def test_every_package_is_listed_for_the_wheel():
    import tomllib

    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    there = {
        "ionscout." + ".".join(path.parent.relative_to(ROOT).parts) for path in SOURCES if path.name == "__init__.py"
    }
    assert set(listed) == there


def test_nothing_stored_is_a_pickle():
    """Weights are safetensors, tables are text: nothing that runs code when it is read."""
    kept = [path for room in [*ROOMS, "benchmarks"] for path in (ROOT / room).rglob("*")]
    assert not [path for path in kept if path.suffix in {".pkl", ".pickle", ".pt", ".pth", ".joblib", ".npy"}]
    loads = {"torch.load(", "joblib.load(", "allow_pickle=True"}
    assert not [(path.name, word) for path in SOURCES for word in loads if word in path.read_text(encoding="utf-8")]


def test_files_stay_small():
    long = {
        str(p.relative_to(ROOT)): n for p in SOURCES if (n := len(p.read_text(encoding="utf-8").splitlines())) > 350
    }
    assert not long
