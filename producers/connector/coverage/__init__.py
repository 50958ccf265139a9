"""What has been read of a relay: ranges, gaps, and from when on they count."""
