"""What `tests.bench.bench_hostile` is made of: loads, an honest relay beside them, what is measured, the report."""
