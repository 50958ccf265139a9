"""What a socket brings: the handshake, then messages, in turns of the event loop that are short."""
