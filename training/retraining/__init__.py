"""`ionscout retrain`: validate what came in, snapshot, fit, gate, decide; resumable at every stage."""
