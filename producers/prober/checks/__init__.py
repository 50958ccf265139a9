"""The checks of a probe: one module each, each with its own time-out. None raises, whatever the relay does."""
