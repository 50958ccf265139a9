"""Whether the archive holds what was signed: audit and digest."""
