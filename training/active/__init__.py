"""Which material to make next: candidates, acquisition, campaigns, and an update that learns from every result."""
