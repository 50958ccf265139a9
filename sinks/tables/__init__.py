"""The tables of the archive, a module for each."""
