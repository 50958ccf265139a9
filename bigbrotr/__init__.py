"""The `bigbrotr` command line, one module per group of commands.

This is the only package that may import every other one: it puts the parts together, starts each service as a
process of its own, and shows people what the pipeline is doing.
"""
