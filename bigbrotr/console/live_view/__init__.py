"""The live view: what it shows of a terminal's size, its keys, and how it takes and gives back the terminal."""
