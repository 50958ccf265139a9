"""Refused and quarantined input (dead letters): found, shown, and validated again by the present code."""
