"""A model's card says what it was given, and nothing that it was given becomes a part of it."""

from __future__ import annotations

from html_page import Page
from markdown_it import MarkdownIt

from zoo.models.card import model_card
from zoo.registry import model_spec

HEADINGS = [
    "What it is",
    "Intended use",
    "Inputs",
    "Trained on",
    "How it was selected",
    "What it learned",
    "Threshold",
    "Limitations",
    "Software",
    "Citation",
]
HOSTILE = (
    "x\n\n# Approved for clinical use\n\n| a | b |\n|---|---|\n<img src=x onerror=alert(1)><script>alert(1)</script> "
    "[link](javascript:alert(1)) ![i](http://page.example/i.png) http://page.example `code` **bold** ~~no~~ | bar\r\n"
    "- [x] approved\u2028# again \x1b[31m\u202e \\"
)
STARTS = ("# Approved", "- approved", "1. approved", "> approved", "===", "---", "```", "    code", "| a | b |", "<b>")


def hostile_card(words: str) -> str:
    """Return the card of a clinical model all of whose texts are these words."""
    rule = {"name": words, "variable": words, "above": None, "equals": words}
    metadata = {
        "study": "s",
        "title": words,
        "question": words,
        "outcome": words,
        "model": "cr",
        "training_sha256": "a" * 64,
        "inputs": {"split": words, "phases": [words], "factors": [rule], "harmonise": words, "comparator": words},
        "feature_set": {"feature_set": words, "definition_sha256": "b" * 64},
        "regions": None,
        "variables": {words: {"kind": words, "unit": words, "levels": [words]}},
        "columns": [words],
        "dataset_id": "d",
        "dataset_sha256": "e" * 64,
        "commit_id": 4,
        "cohorts": {words: {"patients": 4, "events": 2}, "training": {"patients": 40, "events": 20}},
        "excluded": 0,
        "libraries": {"radzoo": words, words: words},
        "threshold": 0.5,
        "threshold_rule": words,
        "training_auc": 0.7,
    }
    row = {"factor": words, "odds_ratio": 2.0, "lower": 1.0, "upper": 3.0, "p": 0.01}
    summary = {
        "univariable": [row],
        "multivariable": [row],
        "removed": [{"factor": words, "p": 0.2}],
        "left_out": [{"factor": words, "reason": words}],
        "notes": [words],
        "parameters": {words: words},
        "intercept": 0.1,
    }
    return model_card(model_spec("cr"), metadata, summary)


def test_no_words_of_others_become_headings_tags_links_or_rows():
    """Read as GitHub reads Markdown, a card has its own headings and table rows, and neither tag, link nor picture."""
    for words in (HOSTILE, *STARTS, *(f"{HOSTILE}\n{each}" for each in STARTS)):
        parser = MarkdownIt("gfm-like", {"linkify": False})
        tokens = parser.parse(hostile_card(words))
        headings = [tokens[at + 1].content for at, each in enumerate(tokens) if each.type == "heading_open"]
        assert headings == ["cr of study s", *HEADINGS], words
        inline = [child for each in tokens for child in each.children or ()]
        assert {each.type for each in inline} <= {"text", "softbreak", "link_open", "link_close", "text_special"}, words
        # The one of the method, which the zoo itself names.
        links = [each.attrs["href"] for each in inline if each.type == "link_open"]
        assert links in ([], [f"https://doi.org/{model_spec('cr').citation}"])
        kinds = {each.type.removesuffix("_open").removesuffix("_close") for each in tokens}
        assert kinds <= {"heading", "inline", "paragraph", "bullet_list", "list_item", *_TABLE}, words
        # Both tables: the factors, the libraries.
        assert [sum(each.type == f"{part}_open" for each in tokens) for part in ("table", "tr")] == [2, 5]
        assert max(each.level for each in tokens if each.type == "bullet_list_open") == 0
        Page(f"<!doctype html><html><body>{parser.render(hostile_card(words))}</body></html>")


_TABLE = ("table", "thead", "tbody", "tr", "th", "td")


def test_common_names_stay_readable():
    """What a study of the field writes is not marked."""
    card = hostile_card("afp_ng_mL [IU]/mL, R&D 10*9/L (n = 3) diameter>50")
    assert "- Study: s, afp_ng_mL [IU]/mL, R&D 10\\*9/L (n = 3) diameter>50\n" in card
