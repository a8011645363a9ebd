"""Looks for what a submission smuggled into a report: markup that a browser would act on, control characters."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_ACTIVE = {
    "script",
    "iframe",
    "object",
    "embed",
    "img",
    "link",
    "form",
    "base",
    "audio",
    "video",
    "meta-refresh",
}
# Raw HTML and links in Markdown, outside of code.
_MARKUP = re.compile(
    r"(?<!\\)<\s*/?\s*(script|img|iframe|a|b|h1|svg|style)\b|(?<!\\)\]\((https?|javascript|data):", re.I
)
_CODE = re.compile(r"^(`{3,}|~{3,})[^\n]*\n.*?^\1\s*$|(`+)[^\n]*?\2", re.S | re.M)


class _Reader(HTMLParser):
    """Notes every element and attribute that could run or load something."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _ACTIVE:
            self.found = f"<{tag}>"
        for name, value in attrs:
            runs = name.startswith("on") or re.match(r"\s*(javascript|data|https?):", value or "", re.I)
            if runs and not name.startswith("xmlns"):
                self.found = f"<{tag} {name}>"


def found_in(pages: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with each page, by its name; nothing where all are clean."""
    found = {}
    for name, page in pages.items():
        control = _CONTROL.search(page.replace("\r\n", "\n"))
        if name == "text":  # our own colours are no escape sequences of theirs: none are asked for
            control = control or re.search("\x1b", page)
        if control:
            found[name] = f"the character {control.group()!r}"
        if name == "html" and (active := _read(page)):
            found[name] = active
        if name == "markdown" and (markup := _MARKUP.search(_CODE.sub("", page))):
            found[name] = markup.group()
    return found


def _read(page: str) -> str:
    reader = _Reader()
    reader.feed(page)
    return reader.found
