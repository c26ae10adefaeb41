"""Fitting and judging the energy GNN."""
