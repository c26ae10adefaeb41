"""What laboratories send back: campaigns, their suggestions and observations, in SQLite or PostgreSQL."""
