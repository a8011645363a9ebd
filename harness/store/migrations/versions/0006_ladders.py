"""How far the references stood apart on data of an evaluator's own, asked before anything was scored on them."""

from alembic import op
from sqlalchemy import Column, String, Text

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Adds a table where it is missing; no row is touched."""
    op.create_table(
        "ladders",
        Column("key", String, primary_key=True),
        Column("task", String),
        Column("asked_at", String),
        Column("ladder", Text),
        if_not_exists=True,
    )
