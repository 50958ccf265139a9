"""Real servers for the monitor to probe: each has one behaviour, and says beside it what a probe is to find."""
