"""The crawl: reads a relay's stored events page by page. `planning` chooses the questions, the rest asks them."""
