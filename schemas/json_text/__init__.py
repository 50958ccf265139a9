"""JSON text that is kept byte for byte: where values are, their canonical form, and what orjson cannot decode."""
