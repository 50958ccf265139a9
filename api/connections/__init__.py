"""Bounds of connections, which hold before any code of an endpoint: in number, bytes, time and work.

Uvicorn bounds the length of a head and of a message, and pauses who sends or is sent too much. Here is what it leaves
open: how many connections there are, requests and messages that trickle, answers that are not read, floods of small
frames, and bad input that it would log with a traceback.
"""
