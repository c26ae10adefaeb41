"""What improves the answers: fitting, evaluation, benchmarks, registry, active learning."""
