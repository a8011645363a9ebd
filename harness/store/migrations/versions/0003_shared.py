"""Machines that share a database: answers in it, owners that say they live; compressed trials; amended suites."""

from alembic import op
from sqlalchemy import Column, Float, Integer, LargeBinary, String, Text

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds two columns and two tables; no row is touched."""
    op.add_column("claims", Column("seen", Float))
    op.add_column("trials", Column("packed", LargeBinary))
    op.create_table(
        "amended_assessments",
        Column("id", Integer, primary_key=True),
        Column("assessment", String),
        Column("replaced_at", String),
        Column("by", String),
        Column("why", Text),
        Column("was", Text),
    )
    op.create_index("ix_amended_assessments_assessment", "amended_assessments", ["assessment"])
    op.create_table("artefacts", Column("digest", String, primary_key=True), Column("content", LargeBinary))
