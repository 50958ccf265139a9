"""One module per check of a probe. Each has its own time-out and gives a record; none raises."""
