"""Speed of windows, interfaces and matrices, beside pymatgen on the same phases and from a cold start."""

import gc
import os
import platform
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from statistics import median

from pymatgen.analysis.phase_diagram import PDEntry, PhaseDiagram
from pymatgen.core import Composition

from ionscout.datasets.composition import parse_formula
from ionscout.datasets.hulls import Hull, forget_hulls, load_hull
from ionscout.models.thermo.equilibrium import forget_systems
from ionscout.models.thermo.interface import half_delithiated, interface
from ionscout.models.thermo.matrix import forget_interfaces, interface_matrix
from ionscout.models.thermo.window import window
from ionscout.training.benchmarks.oracle import oracle_interface, oracle_window
from ionscout.training.benchmarks.thermo_report import table, write_report
from ionscout.training.benchmarks.throughput import peak_memory

PAIR = ("Li10GeP2S12", "LiNi0.333333Mn0.333333Co0.333333O2")  # eight elements
FOUR = "Li7La3Zr2O12"
ELECTROLYTES = """
    Li3PS4 Li7P3S11 Li6PS5Cl Li10GeP2S12 Li10SnP2S12 Li9.54Si1.74P1.44S11.7Cl0.3 Li7La3Zr2O12 Li6.4La3Zr1.4Ta0.6O12
    Li0.33La0.56TiO3 Li1.3Al0.3Ti1.7(PO4)3 Li1.5Al0.5Ge1.5(PO4)3 Li2PO2N Li3OCl Li3InCl6 Li3YBr6 LiNbO3 LiTaO3
    Li2ZrO3 Li3PO4 Li4Ti5O12
"""
CATHODES = """
    LiCoO2 LiNi0.333333Mn0.333333Co0.333333O2 LiNi0.6Mn0.2Co0.2O2 LiNi0.8Mn0.1Co0.1O2 LiNi0.8Co0.15Al0.05O2 LiNiO2
    LiMn2O4 LiNi0.5Mn1.5O4 LiFePO4 LiCoPO4 LiMnPO4 Li2FeSiO4
"""
REPEATS = 5


@dataclass(frozen=True)
class Timing:
    """Seconds for one task; medians over the repeats of ours, one run of pymatgen.

    Attributes:
        ours_cold, ours_warm: wall time with nothing but the hull in memory, and once more.
        ours_cold_cpu: processor time of the first, which does not grow when others use the machine.
        oracle_cold, oracle_warm: pymatgen's wall time from a list of entries, and once its phase diagram is there.
        target: what has to be reached, in words.
    """

    task: str
    phases: int
    ours_cold: float
    ours_cold_cpu: float
    ours_warm: float
    oracle_cold: float | None
    oracle_warm: float | None
    target: str
    reached: bool

    @property
    def factor(self) -> float | None:
        """How many times faster from a cold start."""
        return None if self.oracle_cold is None else self.oracle_cold / self.ours_cold


@dataclass(frozen=True)
class SpeedResult:
    hull: str
    hull_version: str
    load_seconds: float
    timings: tuple[Timing, ...]
    memory_MB: float
    memory_with_oracle_MB: float
    load_average: float
    cores: int
    machine: str

    def as_dict(self) -> dict:
        return asdict(self)


def run(hull_name: str | None = None) -> SpeedResult:
    """Time everything once, alone on one core as far as the machine allows (its load is part of the result)."""
    load = os.getloadavg()[0]
    forget_hulls()
    hull, seconds = _timed(lambda: load_hull(hull_name))
    # Our own runs come first, so that the memory is ours: pymatgen's diagrams are larger than the whole snapshot.
    matrix = _matrix(hull)
    first, second = (parse_formula(formula) for formula in PAIR)
    four = parse_formula(FOUR)
    pair_cold, pair_cpu, pair_warm = _cold_and_warm(hull_name, lambda h: interface(first, second, h))
    four_cold, four_cpu, four_warm = _cold_and_warm(hull_name, lambda h: window(four, h))
    memory = peak_memory()

    hull = load_hull(hull_name)
    pair_phases, four_phases = (_entries(hull, *compositions) for compositions in ((first, second), (four,)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        diagram, built = _timed(lambda: PhaseDiagram(pair_phases))
        _, kinks = _timed(lambda: oracle_interface(diagram, first, second))
        small, built_small = _timed(lambda: PhaseDiagram(four_phases))
        _, profile = _timed(lambda: oracle_window(small, four))
    factor = (built + kinks) / pair_cold
    return SpeedResult(
        hull=hull.name,
        hull_version=hull.version,
        load_seconds=seconds,
        timings=(
            Timing(
                task=f"interface {PAIR[0]} | LiNi1/3Mn1/3Co1/3O2",
                phases=len(pair_phases),
                ours_cold=pair_cold,
                ours_cold_cpu=pair_cpu,
                ours_warm=pair_warm,
                oracle_cold=built + kinks,
                oracle_warm=kinks,
                target="at least 50 times faster",
                reached=factor >= 50,
            ),
            Timing(
                task=f"window of {FOUR}",
                phases=len(four_phases),
                ours_cold=four_cold,
                ours_cold_cpu=four_cpu,
                ours_warm=four_warm,
                oracle_cold=built_small + profile,
                oracle_warm=profile,
                target="under 10 ms",
                reached=four_cold < 0.010,
            ),
            matrix,
        ),
        memory_MB=memory,
        memory_with_oracle_MB=peak_memory(),
        load_average=load,
        cores=os.cpu_count() or 1,
        machine=platform.machine(),
    )


def _matrix(hull: Hull) -> Timing:
    rows = [parse_formula(formula) for formula in ELECTROLYTES.split()]
    columns = [parse_formula(formula) for formula in CATHODES.split()]
    columns += [half_delithiated(column) for column in columns]
    forget_systems()
    forget_interfaces()
    start = time.process_time()
    found, cold = _timed(lambda: interface_matrix(rows, columns, hull))
    cpu = time.process_time() - start
    failed = sum(cell.interface is None for row in found.cells for cell in row)
    if failed:
        print(f"{failed} of {len(rows) * len(columns)} cells have no answer on this hull", file=sys.stderr)
    forget_interfaces()
    _, warm = _timed(lambda: interface_matrix(rows, columns, hull))
    elements = {element.symbol for composition in (*rows, *columns) for element in composition.elements}
    return Timing(
        task=f"matrix {len(rows)} × {len(columns) // 2}, lithiated and half delithiated",
        phases=len(hull.columns(elements & _known(hull, elements)).energies),
        ours_cold=cold,
        ours_cold_cpu=cpu,
        ours_warm=warm,
        oracle_cold=None,
        oracle_warm=None,
        target="under 60 s",
        reached=cold < 60,
    )


def _known(hull: Hull, elements: set[str]) -> set[str]:
    names = set(hull.compositions())
    return {symbol for symbol in elements if Composition(symbol).reduced_formula in names}


def _cold_and_warm(hull_name: str | None, task: Callable[[Hull], object]) -> tuple[float, float, float]:
    """Medians: wall and processor time with nothing but a fresh hull in memory, wall time when asked again."""
    cold, cpu, warm = [], [], []
    for _ in range(REPEATS):
        forget_hulls()
        forget_systems()
        hull = load_hull(hull_name)
        gc.collect()
        start = time.process_time()
        cold.append(_timed(lambda hull=hull: task(hull))[1])  # type: ignore[misc]
        cpu.append(time.process_time() - start)
        warm.append(_timed(lambda hull=hull: task(hull))[1])  # type: ignore[misc]
    return median(cold), median(cpu), median(warm)


def _entries(hull: Hull, *compositions: Composition) -> list[PDEntry]:
    elements = {element.symbol for composition in compositions for element in composition.elements}
    return [PDEntry(phase.composition, phase.energy * phase.composition.num_atoms) for phase in hull.phases(elements)]


def _timed(task: Callable):
    start = time.perf_counter()
    found = task()
    return found, time.perf_counter() - start


def markdown(result: SpeedResult) -> str:
    """The report as a page."""
    rows = []
    for t in result.timings:
        times = (t.ours_cold, t.ours_cold_cpu, t.ours_warm, t.oracle_cold, t.oracle_warm)
        rows.append((t.task, t.phases, *map(_milli, times), t.factor and f"{t.factor:.0f} ×", t.target, t.reached))
    header = ["task", "phases", "cold (ms)", "of it CPU", "again (ms)", "pymatgen cold (ms)", "its diagram there (ms)"]
    return "\n\n".join(
        [
            "# Speed of the thermodynamics",
            f"Hull {result.hull} {result.hull_version}; loading it takes {result.load_seconds:.1f} s once. Wall times "
            f"on one core of {result.cores} ({result.machine}), load average {result.load_average:.1f} at the start; "
            f"ours are medians of {REPEATS} fresh starts. "
            "Written by `python -m ionscout.training.benchmarks.thermo_speed`.",
            table([*header, "faster from cold", "target", "reached"], rows),
            f"Peak memory {result.memory_MB:.0f} MB, libraries and hull included "
            f"({result.memory_with_oracle_MB:.0f} MB after pymatgen's runs).",
        ]
    )


def _milli(seconds: float | None) -> str | None:
    return None if seconds is None else f"{1000 * seconds:.1f}"


def main() -> None:
    """Run and write `benchmarks/thermo_speed.{json,md}`."""
    result = run()
    for path in write_report("thermo_speed", result.as_dict(), markdown(result)):
        print(path)


if __name__ == "__main__":
    main()
