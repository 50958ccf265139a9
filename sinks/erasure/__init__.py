"""Applies rules of erasure to the archive, and keeps what is erased out of it."""
