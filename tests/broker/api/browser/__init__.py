"""What a real browser makes of the API: its reference page, and pages of other origins that read it."""
