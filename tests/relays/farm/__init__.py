"""A farm of real servers for the monitor: each has one behaviour, and says beside it what a probe is to find."""
