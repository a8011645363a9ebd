"""Assessments: their candidates, their cells, and the cells that others took the place of."""

from alembic import op
from sqlalchemy import Column, Integer, String, Text

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Makes the tables that are missing: stores from before there were revisions may have them."""
    op.create_table(
        "assessments",
        Column("id", String, primary_key=True),
        Column("suite", String),
        Column("begun_at", String),
        Column("assessment", Text),
        if_not_exists=True,
    )
    op.create_index("ix_assessments_suite", "assessments", ["suite"], if_not_exists=True)
    op.create_table(
        "candidates",
        Column("assessment", String, primary_key=True),
        Column("alias", String, primary_key=True),
        Column("number", Integer),
        if_not_exists=True,
    )
    op.create_table(
        "cells",
        Column("assessment", String, primary_key=True),
        Column("candidate", String, primary_key=True),
        Column("task", String, primary_key=True),
        Column("unit", String),
        Column("run_id", String),
        Column("kept_at", String),
        Column("cell", Text),
        if_not_exists=True,
    )
    op.create_index("ix_cells_run_id", "cells", ["run_id"], if_not_exists=True)
    op.create_table(
        "replaced_cells",
        Column("id", Integer, primary_key=True),
        Column("assessment", String),
        Column("candidate", String),
        Column("task", String),
        Column("replaced_at", String),
        Column("by", String),
        Column("why", Text),
        Column("cell", Text),
        if_not_exists=True,
    )
    op.create_index("ix_replaced_cells_assessment", "replaced_cells", ["assessment"], if_not_exists=True)
