"""Whether a new model may answer in place of the old one: the gate, its tests, and the change of aliases."""
