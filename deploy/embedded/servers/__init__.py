"""How Kafka and PostgreSQL are got and started on this machine."""
