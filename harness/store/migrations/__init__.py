"""The history of the tables, as Alembic reads it: env.py, and one file for each revision in versions/."""
