"""The account of an import, and the judging of lines without a server."""
