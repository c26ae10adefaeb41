"""What goes in: structures and formulas, checked; graphs; sources of measurements; hulls; electrodes."""
