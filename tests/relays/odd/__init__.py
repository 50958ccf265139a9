"""Relays that are honest but odd: each keeps to one habit that real relays have, and accounts for what it gave.

python -m tests.relays.odd [--whole] [--port N] [NAME …]
"""
