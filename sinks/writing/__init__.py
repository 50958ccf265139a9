"""Writes records of topics as rows: batches, one transaction each, with the offsets that it covers."""
