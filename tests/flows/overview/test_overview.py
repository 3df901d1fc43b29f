"""The overview: one page whose numbers are those that its SQL gives."""

from __future__ import annotations

import json
import re
from html import escape
from itertools import pairwise

import pytest
from builders.study import SmallStudy
from html_page import Page

from flows.bench.run import bench
from flows.cli.main import exit_code
from flows.overview.drawing import lineage_drawing
from flows.overview.page import write_overview
from flows.report.page import write_report
from schemas.errors import UsageError
from store.analyst.query import answer
from store.history.snapshot import Snapshot
from store.home import Store

MODELS = """
[models.cr]
[[models.cr.factors]]
variable = "sex"
equals = "male"

[models.radiomics_lr]
"""


@pytest.fixture(scope="module")
def judged(tmp_path_factory, prefect_server):
    """Return a study of 16 patients with two versions of its features, two judged models and one lost mask."""
    root = tmp_path_factory.mktemp("overview")
    names = [f"P{number:02}" for number in range(1, 17)]
    study = SmallStudy.below(root, "judged", names)
    lines = ["patient,recurrence,cohort,afp,sex"]
    for number, name in enumerate(names):
        sex = "male" if number % 3 else "female"
        lines.append(f"{name},{number % 2},{'training' if number < 12 else 'validation'},{number},{sex}")
    (study.folder / "patients.csv").write_text("\n".join(lines) + "\n")
    study.ingest()
    study.refresh_without_prefect()
    study.file.write_text(study.file.read_text() + MODELS)
    study.edit("bin_width = 25", "bin_width = 10")
    study.mask_file("P05", "DP").unlink()
    study.ingest()
    study.refresh_without_prefect()
    bench(study.store)
    return study


@pytest.fixture(scope="module")
def file(judged, tmp_path_factory):
    """Return the overview of the judged study."""
    return write_overview(judged.store, tmp_path_factory.mktemp("out"))


@pytest.fixture(scope="module")
def page(file):
    """Return the overview, parsed."""
    return Page(file.read_text())


def test_every_sql_text_can_be_asked_again(judged, page):
    """Each SQL text of the page is one that the store answers."""
    assert len(page.sql) >= 10
    for text in page.sql:
        assert answer(Snapshot(judged.store), text).num_columns > 0


def test_every_table_is_followed_by_its_sql_with_as_many_rows(judged, page):
    """A table has a line for every row that its SQL gives."""
    assert len(page.tables) == 6
    for table in page.tables:
        assert len(judged.sql(table.sql)) == len(table.rows) - 1, table.caption


def test_the_page_needs_nothing_beside_it(page, file):
    """Every link leads to a place on the page that is there, ids are unique, and nothing is fetched."""
    assert len(set(page.ids)) == len(page.ids)
    assert page.links
    assert all(link.startswith("#") for link in page.links)
    assert {link[1:] for link in page.links} <= set(page.ids)
    assert not re.search(r"fetch\(|https?://(?!www\.w3\.org/2000/svg)|@import|url\(", file.read_text())


def test_the_dictionary_has_every_feature_once(judged, page):
    """The dictionary groups columns by feature; their names are all on the page, where the search finds them."""
    table = page.table("Features, each once")
    names = {row["feature"] for row in judged.sql("select feature from features")}
    shown = {name for cells in table.rows[1:] for name in re.findall(r"original_\w+", cells[5])}
    assert shown == names
    entropy = next(cells for cells in table.rows if cells[1] == "Entropy")
    assert entropy[:4] == ["firstorder", "Entropy", "TLU2", "bit"]
    assert entropy[6] == "quick@1, quick@2"
    assert {"search", "found", "dictionary"} <= set(page.ids)


def test_versions_say_what_changed(page):
    """Both versions stand with their definition's hash, and the one setting that differs."""
    assert [cells[0] for cells in page.table("Feature sets").rows[1:]] == ["quick@1", "quick@2"]
    assert page.table("From quick@1 to quick@2").rows[1:] == [["setting", "bin_width", "25.0", "10.0"]]
    assert "Columns: 0 added, 0 removed" in page.text


def test_coverage_and_reasons(judged, page):
    """The lost mask is refused, and its reason counted; the old version is no longer asked for."""
    rows = {(cells[1], cells[2]): cells[3:] for cells in page.table("Masks of each study").rows[1:]}
    assert rows["quick@2", "AP"] == ["16", "16", "16", "0", "0", "0", "0", "complete"]
    assert rows["quick@2", "DP"][-1] == "1 lacking"
    assert ("quick@1 no longer asked for", "AP") in rows
    assert page.table("Why rows").rows[1][5].endswith("file is missing")


def test_a_models_chain_is_that_of_the_view(judged, page):
    """Dataset, commit, hashes of the segments and number of images are those of the view lineage."""
    (row,) = judged.sql("from lineage where model = 'radiomics_lr'")
    (dataset,) = judged.sql(f"select sha256, columns from datasets where dataset_id = '{row['dataset_id']}'")
    (model,) = judged.sql("select sha256 from models where model = 'radiomics_lr'")
    assert row["feature_set"] == "quick@2"
    # P05 lacks its second phase: it is not in the dataset, and its first image is not counted.
    assert (row["patients"], row["images"], row["as_trained"]) == (15, 30, True)
    assert "chain-judged-radiomics_lr" in page.ids
    for text in (row["dataset_id"], dataset["sha256"], model["sha256"], *row["segment_sha256"]):
        assert text in page.text
    cells = next(each for each in page.table("What each model of judged").rows if each[0].startswith("radiomics_lr"))
    assert cells[2:5] == [str(row["commit_id"]), "15", str(dataset["columns"])]
    assert cells[7:10] == ["30", "30", str(row["segments"])]


def test_the_drawing_leads_from_images_to_predictions(page):
    """The drawing names the counts of each layer, and each model leads to its chain."""
    for text in ("31 images", "31 masks", "quick@2", "16 patients", "2 variables", "radiomics_lr"):
        assert text in page.text
    assert page.links.count("#chain-judged-cr") == 2


def test_a_drawing_places_no_box_on_another():
    """Boxes of one layer lie below one another, whatever order their models come in."""
    study = {"study": "s", "images": 2, "patients": 1, "phases": 2, "masks": 3, "primary_masks": 2, "variables": 4}
    sets = [
        {"feature_set": f"set-{n}@1", "extractions": 1, "features": 7, "definition_sha256": "0" * 64} for n in (1, 2)
    ]
    models = [
        {
            "study": "s",
            "model": f"model<{n}>",
            "version": 1,
            "sha256": "1" * 64,
            "dataset_id": f"{n % 3}" * 20,
            "dataset_sha256": "2" * 64,
            "feature_set": f"set-{n % 3}@1" if n % 3 else None,
            "regions": None,
            "factors": 0 if n % 3 else 2,
            "comparator": None,
            "patients": 1,
            "columns": 7,
            "commit_id": 1,
            "segments": 1,
            "predictions": n,
        }
        for n in (5, 1, 3, 2, 4, 0)
    ]
    drawing = lineage_drawing(study, sets, models)
    boxes = [(float(x), float(y)) for x, y in re.findall(r'<rect x="([\d.]+)" y="([\d.]+)"', drawing)]
    assert len(boxes) == 1 + 1 + 2 + 3 + 3 + 6 + 5
    for x in {x for x, _ in boxes}:
        tops = sorted(y for own, y in boxes if own == x)
        assert all(below - above >= 34 for above, below in pairwise(tops))
    assert "model&lt;1&gt;" in drawing
    height = float(re.search(r'height="([\d.]+)" role', drawing)[1])
    assert max(y for _, y in boxes) + 34 <= height


def test_the_same_store_gives_the_same_bytes(judged, file, tmp_path):
    """Nothing on the page depends on when or where it was written."""
    assert write_overview(judged.store, tmp_path).read_bytes() == file.read_bytes()
    assert [each.name for each in tmp_path.iterdir()] == ["index.html"]


def test_a_report_links_to_the_overview_beside_it(judged, file, tmp_path):
    """The report writes the overview too, and its link leads there."""
    report = write_report(judged.store, "judged", tmp_path / "report.html")
    (link,) = re.findall(r'href="([^"#]+)#lineage"', report.read_text())
    assert (tmp_path / link).read_bytes() == file.read_bytes()


def test_an_empty_store_has_an_overview(tmp_path):
    """Before anything is ingested the page says what to do, and every text can be asked."""
    store = Store(tmp_path / "store", create=True)
    page = Page(write_overview(store).read_text())
    assert page.tables == []
    assert "radzoo ingest STUDY.toml" in page.text
    for text in page.sql:
        answer(Snapshot(store), text)


def test_the_verb_writes_the_page(ready_study, tmp_path, capsys):
    """The file is named on stdout, as JSON too; a file where a folder is wanted is a fault of usage."""
    base = ["--store", str(ready_study.store_root), "store", "overview", "--out"]
    assert exit_code([*base, str(tmp_path / "new"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"overview": str(tmp_path / "new" / "index.html")}
    (tmp_path / "taken").write_text("")
    with pytest.raises(UsageError, match="is a file"):
        write_overview(ready_study.store, tmp_path / "taken")
    assert exit_code([*base, str(tmp_path / "taken")]) == 2


def test_each_set_says_where_it_departs_from_ibsi(judged, file):
    """The departures of a set's own settings stand there with their sentences, and no other."""
    text = file.read_text(encoding="utf-8")
    rows = judged.sql("select deviations from feature_sets")
    named = {name: sentence for row in rows for name, sentence in json.loads(row["deviations"]).items()}
    assert "bin-edges-from-zero" in named
    for name, sentence in named.items():
        assert f"<dt>{name}</dt><dd>{escape(sentence, quote=True).replace('&#x27;', '&#39;')}</dd>" in text
    assert "whole-image-normalisation" not in text
