"""The numbered SQL files that make the archive, applied in order by `sinks.migrate`."""
