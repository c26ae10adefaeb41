"""Bad inputs that the command line and the service must both refuse, each with the title of its problem."""

from dataclasses import dataclass

import numpy as np

CELL = """data_bad
_cell_length_a {a}
_cell_length_b {a}
_cell_length_c {a}
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P 1'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
"""
OXYGEN = "O1 O 0.5 0.5 0.5 1"


@dataclass(frozen=True)
class BadInput:
    """A structure file (or formula) and the problem it must give; `name` says what is wrong with it."""

    name: str
    title: str
    content: bytes = b""
    formula: str | None = None


def cif(*rows: str, a: object = 4.0) -> bytes:
    return (CELL.format(a=a) + "\n".join(rows) + "\n").encode()


def many_atoms(count: int) -> bytes:
    places = np.random.default_rng(0).random((count, 3))
    return cif(*(f"Li{i} Li {x:.5f} {y:.5f} {z:.5f} 1" for i, (x, y, z) in enumerate(places)), a=90)


BAD_INPUTS = [
    BadInput("unparsable CIF", "Unreadable structure", b"data_x\n_cell_length_a four\nloop_\n_atom_site_label\nLi1\n"),
    BadInput("prose", "Unreadable structure", b"data_ This is no crystal at all,\nit is a letter to the editor.\n"),
    BadInput("empty file", "Unreadable structure", b""),
    BadInput("white space", "Unreadable structure", b" \n\t\n"),
    BadInput("binary garbage", "Unreadable structure", bytes(range(256)) * 40),
    BadInput("no lithium", "No lithium", cif("Na1 Na 0 0 0 1", "Cl1 Cl 0.5 0.5 0.5 1")),
    BadInput("unknown element", "Unsupported element", cif("Li1 Li 0 0 0 1", "Xx1 Xx 0.5 0.5 0.5 1")),
    BadInput("radioactive element", "Unsupported element", cif("Li1 Li 0 0 0 1", "Tc1 Tc 0.5 0.5 0.5 1")),
    BadInput("occupancy above 1", "Occupancy above 1", cif("Li1 Li 0 0 0 1.4", OXYGEN)),
    BadInput("two atoms on one site", "Occupancy above 1", cif("Li1 Li 0 0 0 1", "Na1 Na 0 0 0 1", OXYGEN)),
    BadInput("negative occupancy", "Occupancy above 1", cif("Li1 Li 0 0 0 -0.5", OXYGEN)),
    BadInput("overlapping sites", "Overlapping sites", cif("Li1 Li 0.48 0.5 0.5 1", OXYGEN)),
    BadInput("lengths in nanometres", "Overlapping sites", cif("Li1 Li 0 0 0 1", OXYGEN, a=0.4)),
    BadInput("10,000 atoms", "Too many sites", many_atoms(10_000)),
    BadInput("more than 1 MB", "Text too large", cif("Li1 Li 0 0 0 1", OXYGEN) + b"# filler\n" * 120_000),
    BadInput("NaN coordinate", "Unreadable structure", cif("Li1 Li nan 0 0 1", OXYGEN)),
    BadInput("NaN cell", "Unreadable structure", cif("Li1 Li 0 0 0 1", OXYGEN, a="nan")),
    BadInput("unknown symbol in a formula", "Bad formula", formula="Li6Qq5Cl"),
    BadInput("unbalanced bracket", "Bad formula", formula="Li1.3Al0.3Ti1.7(PO4"),
    BadInput("formula without lithium", "No lithium", formula="NaCl"),
    BadInput("radioactive formula", "Unsupported element", formula="LiPu2"),
    BadInput("impossible amount", "Bad formula", formula="Li1e99O"),
]
