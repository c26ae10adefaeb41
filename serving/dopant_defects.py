"""Defect energies of the best dopants, added to an answer on request: minutes, so only from the shell."""

from collections.abc import Callable

from ionscout.datasets.hulls import Hull
from ionscout.datasets.structure import Material
from ionscout.models.potential.base import Potential
from ionscout.serving.dopant_schemas import DefectItem, DopantsAnswer
from ionscout.training.active.defects import defect_energies
from ionscout.training.active.host import host_of
from ionscout.training.active.ions import Ion
from ionscout.training.active.reservoirs import Reservoirs

Progress = Callable[[int, int], None]


def add_defects(
    answer: DopantsAnswer,
    material: Material,
    hull: Hull,
    number: int,
    potential: Potential | None = None,
    progress: Progress = lambda done, total: None,
) -> DopantsAnswer:
    """The answer with defect energies of its first `number` different cation dopants.

    Args:
        potential: CHGNet when None.

    Raises:
        InvalidInput: the host has no structure, or its lithium cannot be arranged.
    """
    if potential is None:
        from ionscout.models.potential.chgnet import CHGNetPotential

        potential = CHGNetPotential()
    reservoirs = Reservoirs(potential)
    host = host_of(material)
    wanted = [Ion(s.dopant, s.state) for item in answer.ranked for s in item.substitutions if s.state > 0]
    ions = list(dict.fromkeys(wanted))[:number]
    items: list[DefectItem] = []
    for done, ion in enumerate(ions):
        progress(done, len(ions))
        found = defect_energies(host, ion, reservoirs, hull)
        lowest = min(f.placement.energy for f in found)
        items += [
            DefectItem(
                dopant=ion.symbol,
                state=ion.charge,
                site=f.placement.host_ion.symbol,
                relative=f.relative,
                reaction=f.reaction,
                fast=f.placement.energy - lowest,
                atoms=f.atoms,
                converged=f.converged,
                potential=f.potential,
            )
            for f in found
        ]
    return answer.model_copy(update={"defects": items})
