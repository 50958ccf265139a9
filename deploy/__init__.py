"""How it runs: the embedded servers for newcomers and tests; containers and dashboards for operators."""
