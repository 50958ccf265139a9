"""The files that containers are made from and run by, without an engine."""
