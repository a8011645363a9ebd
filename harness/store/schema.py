"""The tables of results, and the revisions that brought them about.

The floor of `store` alone uses them. Everything here is SQLAlchemy's own, the same on SQLite and PostgreSQL;
a change to a table is a new revision in harness/migrations/versions as well.
"""

from __future__ import annotations

from sqlalchemy import Column, Float, Integer, LargeBinary, MetaData, String, Table, Text, UniqueConstraint

META = MetaData()
RUNS = Table(
    "runs",
    META,
    Column("run_id", String, primary_key=True),
    Column("started_at", String, index=True),
    Column("task", String, index=True),
    Column("state", String),
    Column("head", Text),
    Column("call", Text),
    Column("scored", Text),
)
# How the call of a run reads by which a receipt was verified: "last" means another, where there is one.
VERIFYING = '%"purpose":"verify"%'
# `key` is what makes two commands the same one, `attempt` tells deliberate repetitions apart. `seen` is when the
# owner last said that it lives, in seconds of the database's clock; only where machines share a database.
CLAIMS = Table(
    "claims",
    META,
    Column("run_id", String, primary_key=True),
    Column("key", String),
    Column("attempt", Integer),
    Column("owner", Text),
    Column("seen", Float),
    UniqueConstraint("key", "attempt"),
)
INSTANCES = Table(
    "instances",
    META,
    Column("run_id", String, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("state", String),
    Column("known", Text),
    Column("seconds", Float),
)
# A trial is JSON: compressed in `packed`, or as `trial` in rows of before that was done.
TRIALS = Table(
    "trials",
    META,
    Column("run_id", String, primary_key=True),
    Column("key", String, primary_key=True),
    Column("trial", Text),
    Column("packed", LargeBinary),
)
QUALITY = Table(
    "quality",
    META,
    Column("key", String, primary_key=True),
    Column("run_id", String),
    Column("assessed", Text),
)
ASSESSMENTS = Table(
    "assessments",
    META,
    Column("id", String, primary_key=True),
    Column("suite", String, index=True),
    Column("begun_at", String),
    Column("assessment", Text),
)
CANDIDATES = Table(
    "candidates",
    META,
    Column("assessment", String, primary_key=True),
    Column("alias", String, primary_key=True),
    Column("number", Integer),
)
# `unit` is the digest of what a cell measures: while it is the same, the cell need not be measured again.
CELLS = Table(
    "cells",
    META,
    Column("assessment", String, primary_key=True),
    Column("candidate", String, primary_key=True),
    Column("task", String, primary_key=True),
    Column("unit", String),
    Column("run_id", String, index=True),
    Column("kept_at", String),
    Column("cell", Text),
)
REPLACED = Table(
    "replaced_cells",
    META,
    Column("id", Integer, primary_key=True),
    Column("assessment", String, index=True),
    Column("candidate", String),
    Column("task", String),
    Column("replaced_at", String),
    Column("by", String),
    Column("why", Text),
    Column("cell", Text),
)
# What an assessment was before its suite's weights or cut were changed.
AMENDED = Table(
    "amended_assessments",
    META,
    Column("id", Integer, primary_key=True),
    Column("assessment", String, index=True),
    Column("replaced_at", String),
    Column("by", String),
    Column("why", Text),
    Column("was", Text),
)
# What was decided about a result by somebody who looked at it. Rows are never changed; the last of a run holds.
LOOKS = Table(
    "looks",
    META,
    Column("id", Integer, primary_key=True),
    Column("run_id", String, index=True),
    Column("assessment", String),
    Column("candidate", String),
    Column("task", String),
    Column("decision", String),
    Column("by", String),
    Column("looked_at", String),
    Column("why", Text),
    Column("submission_digest", String),
    Column("run_digest", String),
)
# How far a task's references stood apart on the instances of some data that were asked, as a JSON list.
LADDERS = Table(
    "ladders",
    META,
    Column("key", String, primary_key=True),
    Column("task", String),
    Column("asked_at", String),
    Column("ladder", Text),
)
# What the comparison of an assessment's code and answers found, whole.
COMPARED = Table("compared", META, Column("assessment", String, primary_key=True), Column("compared", Text))
# Answers under the hash of their content, where machines share a database; else they are files.
ARTEFACTS = Table(
    "artefacts", META, Column("digest", String, primary_key=True), Column("content", LargeBinary)
)
# As Alembic has it; it is compared here so that an up-to-date store is opened without loading Alembic.
VERSION = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))
# Every revision in harness/migrations/versions, the oldest first.
REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006")
