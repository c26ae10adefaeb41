"""What the store takes: units, ranges and lengths. Imports nothing, so that light clients can state them."""

from collections.abc import Mapping

UNITS: Mapping[str, float] = {"S/cm": 1.0, "mS/cm": 1e-3, "S/m": 1e-2}  # S/cm in one of them
COLDEST, HOTTEST = 100.0, 1500.0  # K, as the predictions
LONGEST = 2000  # characters of a reason, a source or a name; papers' abstracts are shorter
KEY_LENGTH = 128  # as the tables keep it; a UUID has 36
MOST_SUGGESTIONS = 96  # in one batch; a well plate, and more than any laboratory makes before it looks at results
