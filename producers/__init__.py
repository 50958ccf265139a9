"""The outside world to Kafka: relay connectors, the importer and the publisher of relay lists.

Producers judge as little as possible: they keep the bytes they were given, say where and when they got them, and
record progress only after Kafka acknowledged what it covers.
"""
