"""The whole pipeline under test: topics and a database of its own, and every service as a process of its own."""
