"""One example message per topic, as a file each: what a consumer of the topic will meet.

`python -m schemas.examples.generate` writes the files anew; the contract tests read, decode and encode them.
"""
