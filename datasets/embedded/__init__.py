"""The data set that ionscout carries itself: measured conductivities, crystallographic facts and their CIFs."""
