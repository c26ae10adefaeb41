"""The data set that ionscout carries itself: measured conductivities, crystallographic facts, the CIFs built from them."""
