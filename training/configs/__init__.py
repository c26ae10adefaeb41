"""Training configurations, one YAML file a model."""
