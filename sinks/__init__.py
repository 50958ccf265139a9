"""Kafka to PostgreSQL: the consumer, the batch writer, the numbered migrations and the archive's digest.

PostgreSQL is a view of the topics: offsets are kept in the transaction that writes the rows they cover, so the view
can be thrown away and rebuilt.
"""
