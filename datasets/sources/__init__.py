"""Where measurements come from: one reader a source, all of them giving `Measurement` rows."""
