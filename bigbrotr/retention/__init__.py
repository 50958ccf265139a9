"""Gives back the disk of bundles that were read."""
