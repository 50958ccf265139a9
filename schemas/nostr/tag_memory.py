"""What tags take in memory beside their characters: an event of a mebibyte that is all tags takes twenty."""

from __future__ import annotations

TAG_BYTES = 88
"""A tag is a list of 72 bytes, with a place in the list of tags, which has places to spare."""
ITEM_BYTES = 64
"""An item is a string of 49 bytes and its characters, with a place in the tag."""


def tags_bytes(tags: int, items: int) -> int:
    """What so many tags with so many items in all take."""
    return tags * TAG_BYTES + items * ITEM_BYTES
