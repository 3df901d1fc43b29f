"""A page that radzoo wrote, parsed for tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "br", "hr", "img", "input", "link"}


@dataclass
class Table:
    """A table of the page: its caption, its rows of cells, and the SQL that follows it."""

    caption: str = ""
    rows: list[list[str]] = field(default_factory=list)
    sql: str = ""


class Page(HTMLParser):
    """A parsed page: its tables, SQL texts, ids and links; closing tags must match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.html = html
        self.tables: list[Table] = []
        self.sql: list[str] = []
        self.code: list[str] = []
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.headers_without_scope = 0
        self.text = ""
        self._open: list[str] = []
        self._is_sql = False
        self.feed(html)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        """Take in a tag with its attributes."""
        given = {name: value or "" for name, value in attrs}
        self.attributes += [(tag, name, value) for name, value in given.items()]
        self.ids += [given["id"]] if "id" in given else []
        self.headers_without_scope += tag == "th" and "scope" not in given
        if tag not in _VOID:
            self._open.append(tag)
        if tag == "details":
            self._is_sql = given.get("class") == "sql"
        if tag == "pre" and self._is_sql:
            self.sql.append("")
        if tag == "pre":
            self.code.append("")
        if tag == "table":
            self.tables.append(Table())
        if tag == "tr":
            self.tables[-1].rows.append([])
        if tag in ("td", "th"):
            self.tables[-1].rows[-1].append("")

    def handle_endtag(self, tag):
        """Close a tag, which must be the one opened last."""
        if tag in _VOID:
            return
        assert self._open.pop() == tag
        if tag == "details" and self._is_sql:
            self._is_sql = False
            if self.tables and not self.tables[-1].sql:
                self.tables[-1].sql = self.sql[-1]

    def handle_data(self, data):
        """Take in text where it stands."""
        self.text += data
        if "pre" in self._open:
            self.code[-1] += data
        if "pre" in self._open and self._is_sql:
            self.sql[-1] += data
        elif "caption" in self._open:
            self.tables[-1].caption += data
        elif "td" in self._open or ("th" in self._open and "table" in self._open):
            self.tables[-1].rows[-1][-1] += data

    def table(self, caption: str) -> Table:
        """Return the one table whose caption begins so."""
        (found,) = [each for each in self.tables if each.caption.startswith(caption)]
        return found

    @property
    def links(self) -> list[str]:
        """Return where the page's elements point or what they load."""
        return [value for _, name, value in self.attributes if name in ("href", "src")]
