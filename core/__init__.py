"""What every process needs: settings, logger, metrics, Kafka clients, PostgreSQL pool and the service lifecycle.

A service built on this package starts, ticks, tells its health over HTTP, drains within a deadline on SIGTERM and
ends with an exit code that says whether work was lost or left.
"""
