"""The report of an import, and the validation of lines without a server."""
