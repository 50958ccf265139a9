"""The crawl: reads a relay's stored events page by page; chooses the next REQ, and interprets its answer."""
