"""Refused and quarantined input has a life: it is found, looked at, and judged again by the present code."""
