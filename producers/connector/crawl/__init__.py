"""Reads what a relay has stored: which question comes next, and what follows from its answer."""
