"""Commands that fill an archive anew."""
