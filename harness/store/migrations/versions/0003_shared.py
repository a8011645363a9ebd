"""Machines that share a database: answers in it, owners that say they live; compressed trials; amended suites.

What is there is left as it is: a store that lost the row with its revision has it all.
"""

from alembic import op
from sqlalchemy import Column, Float, Integer, LargeBinary, String, Text, inspect

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds two columns and two tables where they are missing; no row is touched."""
    found = inspect(op.get_bind())
    for table, column in (("claims", Column("seen", Float)), ("trials", Column("packed", LargeBinary))):
        if column.name not in {known["name"] for known in found.get_columns(table)}:
            op.add_column(table, column)
    op.create_table(
        "amended_assessments",
        Column("id", Integer, primary_key=True),
        Column("assessment", String),
        Column("replaced_at", String),
        Column("by", String),
        Column("why", Text),
        Column("was", Text),
        if_not_exists=True,
    )
    op.create_index(
        "ix_amended_assessments_assessment", "amended_assessments", ["assessment"], if_not_exists=True
    )
    op.create_table(
        "artefacts",
        Column("digest", String, primary_key=True),
        Column("content", LargeBinary),
        if_not_exists=True,
    )
