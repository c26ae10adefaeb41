"""A rehearsal of retraining in a home of its own: observations, kills, gate, service, rollback, and bad challengers."""
