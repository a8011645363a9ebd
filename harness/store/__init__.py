"""What is kept, and the only SQL: runs, ledger, ownership, blobs, migrations.

Never: computes a score or reads a task.
"""
