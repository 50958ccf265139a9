"""Commands about what is archived."""
