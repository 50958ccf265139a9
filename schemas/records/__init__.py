"""The records of the topics: one module for each kind of value."""
