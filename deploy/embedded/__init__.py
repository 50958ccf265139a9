"""A real Apache Kafka, a real PostgreSQL and real demo relays as child processes below one data directory."""
