"""Families whose intervals hold more or fewer measurements than they should: said in words, wherever coverage is."""

# Asked of the 90 % interval in every family of 20 rows or more. Below, it promises too much; above, it is too wide to
# be of use. At 20 rows one row more or less is 5 %, so nothing narrower could be held.
LEAST, MOST = 0.80, 0.97
OTHERS = "all others"  # the rows of smaller families, together


def large_families(families: dict) -> dict:
    """The families of 20 rows or more in a report."""
    return {name: part for name, part in families.items() if name != OTHERS}


def strays_sentence(families: dict) -> str:
    """Which large families lie outside the bounds, and to which side."""
    parts = []
    for name, part in large_families(families).items():
        coverage = part["coverage_90"]
        if not LEAST <= coverage <= MOST:
            parts.append(
                f"{name} ({coverage:.1%}: intervals {'too narrow' if coverage < LEAST else 'wider than needed'})"
            )
    bounds = f"the {LEAST:.0%} to {MOST:.0%} that were asked of a family of 20 rows or more"
    return f"Outside {bounds}: {', '.join(parts)}." if parts else f"All families lie within {bounds}."
