"""What Alembic runs for each upgrade: the revisions, in the transaction that `upgrade` has begun."""

from alembic import context

from harness.store.schema import META

context.configure(connection=context.config.attributes["connection"], target_metadata=META)
context.run_migrations()
