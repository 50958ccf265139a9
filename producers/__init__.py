"""Producers to Kafka: relay connectors, the importer of files, and the publisher of relay lists.

Producers decide as little as possible: they keep the bytes they were given, say where and when they got them, and
record progress only after Kafka acknowledged what it covers.
"""
