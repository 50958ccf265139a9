"""Fills a schema or database from the topics, by the code of the sink: its batches, its offsets, its rejections.

The sink's own `Archiver` does the work, in several processes with a share of the partitions each and without a consumer
group. The offsets it leaves are the sink's: a killed rebuild goes on from them, and so does the sink after a switch.
"""
