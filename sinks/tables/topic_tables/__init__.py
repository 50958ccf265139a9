"""Tables of what the records of a topic become, a module for each; `sinks.tables.topic_table` is their interface."""
