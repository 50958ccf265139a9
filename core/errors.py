"""Errors of services that a person must correct: one sentence in the log and no traceback."""

from __future__ import annotations


class OperatorError(Exception):
    """The service cannot work until a person corrects something; the message states what is wrong and the remedy."""
