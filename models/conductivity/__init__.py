"""Ionic conductivity: the graph network, the forest beside it, and the predictor that joins and calibrates them."""
