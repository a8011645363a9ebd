"""What the comparison of an assessment's code and answers found."""

from alembic import op
from sqlalchemy import Column, String, Text

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Adds a table where it is missing; no row is touched."""
    op.create_table(
        "compared",
        Column("assessment", String, primary_key=True),
        Column("compared", Text),
        if_not_exists=True,
    )
