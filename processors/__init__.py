"""Kafka to Kafka: one Faust app whose agents deduplicate, validate and enrich what the producers publish.

Agents are thin; the rules they apply are pure functions of `schemas`, and what they remember is only a hint.
"""
