"""Tables whose rows follow from an event alone, a module for each; `sinks.tables.projection` is their interface."""
