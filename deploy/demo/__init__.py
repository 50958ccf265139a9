"""The events and relays of the demo, generated and really signed; also used by tests and benchmarks."""
