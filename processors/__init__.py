"""Kafka to Kafka: one Faust app whose agents dedupe, validate and enrich what the producers brought.

Agents are thin; the rules they apply are pure functions of `schemas`, and what they remember is only a hint.
"""
