"""The published JSON Schema of a run's summary, generated from the type that writes it.

The file is `run-summary.schema.json` in `harness/reports`, for people and other programs; nothing here
reads it. A test checks that the two agree, and rewrites the file when UPDATE_SCHEMA=1 is set.
"""

from __future__ import annotations

import json
from typing import Any

from harness.records import SCHEMA_VERSION
from harness.reports.run.summary import RunSummary

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def _schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of what `harness run --json` prints."""
    schema = RunSummary.model_json_schema(mode="serialization")
    head = {"$schema": DIALECT, "$id": f"urn:ml-skills-harness:run-summary:{SCHEMA_VERSION}"}
    return head | schema


def as_text() -> str:
    """The schema as the published file holds it."""
    return json.dumps(_schema(), indent=2, ensure_ascii=False) + "\n"
