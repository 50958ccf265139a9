"""The HTTP API: REST, live tail, read-only relay, DVM and pages, from PostgreSQL and Kafka.

Nothing is served yet; the package is reserved for it.
"""
