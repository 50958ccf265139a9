"""PostgreSQL and Kafka to people and programs: REST, live tail, read-only relay, DVM and pages.

Nothing is served yet; the package marks the place that the design gives it.
"""
