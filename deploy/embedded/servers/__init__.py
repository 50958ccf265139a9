"""How Kafka and PostgreSQL are obtained and started on this machine."""
