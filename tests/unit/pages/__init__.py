"""Pages of the repository, and the picture in the README."""
