"""What was decided about results by those who looked at them."""

from alembic import op
from sqlalchemy import Column, Integer, String, Text

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Adds a table where it is missing; no row is touched."""
    op.create_table(
        "looks",
        Column("id", Integer, primary_key=True),
        Column("run_id", String),
        Column("assessment", String),
        Column("candidate", String),
        Column("task", String),
        Column("decision", String),
        Column("by", String),
        Column("looked_at", String),
        Column("why", Text),
        Column("submission_digest", String),
        Column("run_digest", String),
        if_not_exists=True,
    )
    op.create_index("ix_looks_run_id", "looks", ["run_id"], if_not_exists=True)
