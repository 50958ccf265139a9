"""Commands as people type them, on a real Kafka and PostgreSQL."""
