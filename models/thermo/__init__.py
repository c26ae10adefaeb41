"""Thermodynamics: equilibria, electrochemical windows and interface reactions on a hull."""
