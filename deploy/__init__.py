"""Deployment: the embedded servers for first use and tests; containers and dashboards for operators."""
