"""What a crystal offers a moving lithium ion: descriptors of its lithium sub-lattice, windows and anion framework.

Everything is read from the average structure with its partial occupancies. All numbers are means, extremes or
percolation thresholds of periodic graphs, so neither supercell, orientation nor site order changes them.
"""

from dataclasses import astuple, dataclass, fields

import numpy as np
from pymatgen.core import Structure

from ionscout.models.conductivity.crystal_sites import LITHIUM, Pairs, SiteTable, element_scales, site_table
from ionscout.models.conductivity.lithium_network import CLOSED, LONGEST_HOP, USUAL_HOP, lithium_network
from ionscout.models.conductivity.site_statistics import (
    effective_neighbours,
    entropy,
    mixing_entropy,
    nearest,
    site_kinds,
    weighted_mean,
)

# Å: lithium sites closer than this are one split position. Splittings measure 0.3–1.0 Å, real hops 1.5 Å and more.
SPLIT = 1.2
# Å: closer lithium sites are never occupied at once (shortest Li–Li contacts in crystals are about 2.1–2.4 Å).
EXCLUSION = 2.0
SHELL = 4.5  # Å: holds the first anion shell of every cation
BOND_DECAY = 0.37  # Å, Brown and Altermatt's universal constant of bond valences


@dataclass(frozen=True)
class TransportDescriptors:
    """Descriptors of one crystal. NaN: not defined, as lithium's in a refinement without lithium.

    Lithium sites (a split position, sites within 1.2 Å, counts once where "merged" is said):
        lithium_density: Li per Å³. lithium_per_anion: Li per anion.
        lithium_sites: number of crystallographically different ones.
        mean_occupancy: Li over all that hold lithium. vacant_fraction: share of merged sites without Li.
        occupancy_entropy: mean over lithium sites, k_B. shared_fraction: share of Li on sites with other cations.
    Network:
        shortest_hop, mean_hop: Å, to the nearest merged site, least and mean over Li.
        lithium_distance: Å, mean distance to the nearest site that can be occupied at the same time.
        percolation_1d, _2d, _3d: Å, shortest hop that percolates in so many dimensions; 6 where none does.
        dimension: of hops up to 4 Å, 0 to 3.
        bottleneck_1d, _2d, _3d: Å, radius of the widest percolating path at its narrowest; −1.5 where none is.
        site_radius: Å, free radius at lithium sites. free_neighbours: vacant merged sites within reach of one Li.
    Bonds of lithium (to anions):
        lithium_coordination: Hoppe's effective number. lithium_anion_distance, lithium_anion_spread: Å.
        bond_valence: mean sum; bond_valence_spread: its standard deviation over lithium sites (how uneven they are).
        lithium_cation_distance: Å to the nearest framework cation.
    Framework:
        volume_per_anion: Å³. anion_distance: Å, to the nearest anion. anion_coordination: anions in the first shells
            of an anion, 12 close-packed, 14 body-centred.
        anion_polarizability: Å³, radius cubed (Clausius and Mossotti's sphere). anion_electronegativity: Pauling's.
        anion_entropy, cation_entropy: mixing entropy per site, k_B.
        ionicity: Pauling's 1 − exp(−ΔX²/4) of cation–anion bonds without lithium. cation_coordination: Hoppe's.
        packing_fraction: volume of ionic spheres over that of the cell.
    """

    lithium_density: float
    lithium_per_anion: float
    lithium_sites: float
    mean_occupancy: float
    vacant_fraction: float
    occupancy_entropy: float
    shared_fraction: float
    shortest_hop: float
    mean_hop: float
    lithium_distance: float
    percolation_1d: float
    percolation_2d: float
    percolation_3d: float
    dimension: float
    bottleneck_1d: float
    bottleneck_2d: float
    bottleneck_3d: float
    site_radius: float
    free_neighbours: float
    lithium_coordination: float
    lithium_anion_distance: float
    lithium_anion_spread: float
    bond_valence: float
    bond_valence_spread: float
    lithium_cation_distance: float
    volume_per_anion: float
    anion_distance: float
    anion_coordination: float
    anion_polarizability: float
    anion_electronegativity: float
    anion_entropy: float
    cation_entropy: float
    ionicity: float
    cation_coordination: float
    packing_fraction: float

    def vector(self) -> np.ndarray:
        """All numbers in the order of `NAMES`, [35] float."""
        return np.array(astuple(self))


NAMES = tuple(field.name for field in fields(TransportDescriptors))


def transport_descriptors(structure: Structure) -> TransportDescriptors:
    """Describe one (disordered) crystal; 2–15 ms."""
    sites = site_table(structure)
    numbers = _sub_lattice(sites) | _bonds(sites) | _framework(sites)
    return TransportDescriptors(**{name: float(value) for name, value in numbers.items()})


def _sub_lattice(sites: SiteTable) -> dict[str, float]:
    lithium = sites.lithium
    total = lithium.sum()
    density = {"lithium_density": total / sites.volume, "lithium_per_anion": _ratio(total, sites.anion.sum())}
    names = [f.name for f in fields(TransportDescriptors)]
    if total == 0:
        return density | dict.fromkeys(
            names[names.index("lithium_sites") : names.index("lithium_coordination")], np.nan
        )
    network = lithium_network(sites)
    hops, held = network.hops, lithium > 0
    split = hops.where(hops.distance < SPLIT)
    cluster = 1.0 + np.bincount(split.first, minlength=len(lithium))
    merged = (held / cluster).sum()
    apart = hops.where(hops.distance >= SPLIT)
    hop = np.minimum(nearest(apart, len(lithium)), LONGEST_HOP)
    other = np.minimum(nearest(hops.where(hops.distance >= EXCLUSION), len(lithium)), LONGEST_HOP)
    # A hop counts fully up to 3 Å and fades until 4.5 Å; a split target counts once.
    reach = np.clip((4.5 - apart.distance) / 1.5, 0, 1)
    room = np.clip(1 - (lithium + sites.cation + sites.anion), 0, 1) / cluster
    free = np.bincount(apart.first, reach * room[apart.second], len(lithium))
    radius = nearest(network.around, len(lithium), sites.radius)
    shared = lithium * (sites.cation / np.maximum(sites.cation + lithium, 1e-12))
    percolates = np.minimum(network.percolation_distances, LONGEST_HOP)
    bottleneck = np.maximum(network.bottlenecks, CLOSED)
    return density | {
        "lithium_sites": float(site_kinds(sites, np.flatnonzero(held)).max() + 1),
        "mean_occupancy": lithium[held].mean(),
        "vacant_fraction": max(0.0, 1 - total / merged),
        "occupancy_entropy": entropy(lithium[held]).mean(),
        "shared_fraction": shared.sum() / total,
        "shortest_hop": hop[held].min(),
        "mean_hop": weighted_mean(hop, lithium),
        "lithium_distance": weighted_mean(other, lithium),
        **{f"percolation_{d + 1}d": percolates[d] for d in range(3)},
        "dimension": float(network.dimension(USUAL_HOP)),
        **{f"bottleneck_{d + 1}d": bottleneck[d] for d in range(3)},
        "site_radius": weighted_mean(np.clip(radius, CLOSED, 3.0), lithium),
        "free_neighbours": weighted_mean(free, lithium),
    }


def _bonds(sites: SiteTable) -> dict[str, float]:
    held = sites.lithium > 0
    near = sites.neighbours(held, SHELL)
    to_anion = near.where(sites.anion[near.second] > 0)
    shell = effective_neighbours(to_anion, sites.anion, len(held))
    valence = _bond_valence(sites, to_anion)
    mean = weighted_mean(valence, sites.lithium)
    to_cation = nearest(near.where(sites.cation[near.second] > 0.3), len(held))
    return {
        "lithium_coordination": weighted_mean(shell.number, sites.lithium),
        "lithium_anion_distance": weighted_mean(shell.distance, sites.lithium),
        "lithium_anion_spread": weighted_mean(shell.spread, sites.lithium),
        "bond_valence": mean,
        "bond_valence_spread": np.sqrt(weighted_mean((valence - mean) ** 2, held.astype(float))),
        "lithium_cation_distance": weighted_mean(np.minimum(to_cation, SHELL), sites.lithium),
    }


def _framework(sites: SiteTable) -> dict[str, float]:
    scales = element_scales()
    n, anions = len(sites.anion), sites.anion.sum()
    of_anion = np.where(sites.entry_anion, sites.entry_occupancy, 0.0)
    of_cation = np.where(sites.entry_anion | (sites.entry_z == LITHIUM), 0.0, sites.entry_occupancy)
    anion_radius = scales.anion_radius[sites.entry_z]
    electronegativity = np.bincount(sites.entry_site, of_anion * scales.electronegativity[sites.entry_z], n)
    per_anion = _ratio(sites.volume, anions)
    # In units of the cube root of the volume per anion, shells of close packing lie at 1.12 and 1.59, of bcc at 1.09
    # and 1.26: what is nearer than about 1.42 is 12 or 14.
    unit = per_anion ** (1 / 3) if anions else 1.0
    around = sites.neighbours(sites.anion > 0, min(1.55 * unit, 8.0))
    around = around.where(sites.anion[around.second] > 0)
    weight = np.clip((1.55 - around.distance / unit) / 0.25, 0, 1) * sites.anion[around.second]
    # Alternatives of one anion (two half-occupied positions) are no neighbours.
    together = around.where((sites.anion[around.first] + sites.anion[around.second] > 1.1) | (around.distance > 1.8))
    frame = sites.neighbours(sites.cation > 0, SHELL)
    bonds = frame.where(sites.anion[frame.second] > 0)
    shell = effective_neighbours(bonds, sites.anion, n)
    cation_x = np.bincount(sites.entry_site, of_cation * scales.electronegativity[sites.entry_z], n)
    gap = cation_x[bonds.first] / np.maximum(sites.cation[bonds.first], 1e-12)
    gap = gap - electronegativity[bonds.second] / np.maximum(sites.anion[bonds.second], 1e-12)
    size = np.where(sites.entry_anion, anion_radius, scales.cation_radius[sites.entry_z])
    return {
        "volume_per_anion": per_anion,
        "anion_distance": weighted_mean(np.minimum(nearest(together, n), 8.0), sites.anion),
        "anion_coordination": weighted_mean(np.bincount(around.first, weight, n), sites.anion),
        "anion_polarizability": weighted_mean(anion_radius**3, of_anion),
        "anion_electronegativity": weighted_mean(scales.electronegativity[sites.entry_z], of_anion),
        "anion_entropy": mixing_entropy(sites, of_anion),
        "cation_entropy": mixing_entropy(sites, of_cation),
        "ionicity": weighted_mean(1 - np.exp(-(gap**2) / 4), shell.weight * sites.cation[bonds.first]),
        "cation_coordination": weighted_mean(shell.number, sites.cation),
        "packing_fraction": float((4 / 3 * np.pi * size**3 * sites.entry_occupancy).sum() / sites.volume),
    }


def _bond_valence(sites: SiteTable, bonds: Pairs) -> np.ndarray:
    """Sum of bond valences of lithium on each site, [n]. Parameters after O'Keeffe and Brese (1991)."""
    scales = element_scales()
    r, c = scales.bond_radius, scales.bond_softness
    with np.errstate(invalid="ignore"):
        joint = (
            r[LITHIUM]
            + r
            - r[LITHIUM] * r * (np.sqrt(c[LITHIUM]) - np.sqrt(c)) ** 2 / (c[LITHIUM] * r[LITHIUM] + c * r)
        )
    joint = np.where(np.isfinite(joint), joint, scales.anion_radius + scales.cation_radius[LITHIUM])
    chosen = sites.entry_anion
    n = len(sites.anion)
    # exp((R − d)/b) summed over the anions that share a site: a weight per site times exp(−d/b).
    strength = np.bincount(
        sites.entry_site[chosen],
        sites.entry_occupancy[chosen] * np.exp(joint[sites.entry_z[chosen]] / BOND_DECAY),
        n,
    )
    return np.bincount(bonds.first, strength[bonds.second] * np.exp(-bonds.distance / BOND_DECAY), n)


def _ratio(a: float, b: float) -> float:
    return float(a / b) if b > 0 else float("nan")
