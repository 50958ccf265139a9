"""What HTTP has around a question and its answer: accepted forms, bodies, caches, codings, rates, paths as sent."""
