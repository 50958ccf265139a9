"""Coverage of a relay: the ranges that were read, the gaps, and from when on they count."""
