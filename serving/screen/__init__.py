"""Screening of large inputs: streamed in shards, scored in parallel, resumable, joined in the order of the input."""

from ionscout.serving.screen.options import PREDICTIONS, ScreenOptions, ScreenSummary
from ionscout.serving.screen.run import screen

__all__ = ["PREDICTIONS", "ScreenOptions", "ScreenSummary", "screen"]
