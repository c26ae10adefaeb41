"""Monitoring of the service: prediction log (off unless asked for), drift of inputs, coverage of intervals, metrics."""
