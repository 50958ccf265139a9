"""Runs services as child processes, and the servers that they need."""
