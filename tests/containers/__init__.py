"""The stack in containers: our image, and servers that are the official ones or stand in for them."""
