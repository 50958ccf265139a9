"""A client of one relay: websocket, subscriptions, AUTH, pace, and what its refusals mean."""
