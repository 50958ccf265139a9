"""What is taken of one relay, and how much of it: copies, padding, repeats, and what may pause its reading."""
