"""Runs, their claims, instances and raw trials, and what is remembered of references.

Stores from before there were revisions have some of these tables or all: what is there is left as it is.
"""

from alembic import op
from sqlalchemy import Column, Float, Integer, String, Text, UniqueConstraint

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Makes the tables that are missing."""
    op.create_table(
        "runs",
        Column("run_id", String, primary_key=True),
        Column("started_at", String),
        Column("task", String),
        Column("state", String),
        Column("head", Text),
        Column("call", Text),
        Column("scored", Text),
        if_not_exists=True,
    )
    op.create_index("ix_runs_started_at", "runs", ["started_at"], if_not_exists=True)
    op.create_index("ix_runs_task", "runs", ["task"], if_not_exists=True)
    op.create_table(
        "claims",
        Column("run_id", String, primary_key=True),
        Column("key", String),
        Column("attempt", Integer),
        Column("owner", Text),
        UniqueConstraint("key", "attempt"),
        if_not_exists=True,
    )
    op.create_table(
        "instances",
        Column("run_id", String, primary_key=True),
        Column("number", Integer, primary_key=True, autoincrement=False),
        Column("state", String),
        Column("known", Text),
        Column("seconds", Float),
        if_not_exists=True,
    )
    op.create_table(
        "trials",
        Column("run_id", String, primary_key=True),
        Column("key", String, primary_key=True),
        Column("trial", Text),
        if_not_exists=True,
    )
    op.create_table(
        "quality",
        Column("key", String, primary_key=True),
        Column("run_id", String),
        Column("assessed", Text),
        if_not_exists=True,
    )
