"""Retention: deletes bundles that were validated, to free disk."""
