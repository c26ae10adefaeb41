"""Crystals built and relaxed for the anchored phases, one CIF or JSON each."""
