"""One example record per topic, as a file each: what a consumer of the topic receives.

`python -m schemas.examples.generate` writes the files anew; the contract tests read, decode and encode them.
"""
