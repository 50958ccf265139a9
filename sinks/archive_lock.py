"""The advisory lock of an archive, which separates batches from the application of rules, and both from a switch.

A batch holds the lock shared with other batches, a process that applies a rule holds it exclusively. So a rule meets
every row: those that were committed before it are deleted by it, those after it are checked by their own transaction.
"""

from __future__ import annotations

ARCHIVE_LOCK = "7110203, %s::regclass::oid::integer"
"""The lock of the archive that a table (its name, quoted) belongs to; the first number is arbitrary and ours alone."""
_KEY = ARCHIVE_LOCK % "'events'"
SHARED = f"SELECT pg_advisory_xact_lock_shared({_KEY})"
"""For the transaction of a batch."""
# A process that is frozen while it holds the lock must not block every sink without a time limit.
# Twice: a switch of schemas holds the lock while it renames, and behind it the name is that of other tables.
EXCLUSIVE = f"""
SET LOCAL idle_in_transaction_session_timeout = '30s';
SELECT pg_advisory_xact_lock({_KEY});
SELECT pg_advisory_xact_lock({_KEY});
"""
"""For a transaction that applies rules."""
