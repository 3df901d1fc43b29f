"""SQL over a snapshot: one statement that reads, the store's rows, and nothing else on the machine."""

from __future__ import annotations

import hashlib
from pathlib import Path

import duckdb
import pytest

from schemas.errors import NotFoundError, UsageError
from store.analyst.query import answer
from store.commits.commit import commit_to
from store.history.snapshot import Snapshot


def rows(store, query: str, parameters=None, as_of: int | None = None) -> list[tuple]:
    """Return the answer to a query as tuples."""
    return [tuple(row.values()) for row in answer(Snapshot(store, as_of), query, parameters).to_pylist()]


def contents(folder: Path) -> dict[str, str]:
    """Return the hash of every file below a folder, but for the catalogue's lock files."""
    files = (file for file in sorted(folder.rglob("*")) if file.is_file() and not file.name.endswith(("-shm", "-wal")))
    return {str(file.relative_to(folder)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.fixture
def refused(shared_store):
    """Return a function that asks a query which must be refused, and checks that it left no trace."""

    def checked(query: str) -> str:
        before = contents(shared_store.root)
        with pytest.raises(UsageError) as caught:
            answer(Snapshot(shared_store), query)
        assert caught.value.exit_code == 2
        assert caught.value.hint
        assert contents(shared_store.root) == before
        return caught.value.message

    return checked


@pytest.mark.parametrize(
    ("query", "answered"),
    [
        ("select count(*) from masks", [(6,)]),
        ("from patients select patient order by patient limit 1", [("p1",)]),
        ("values (1), (2)", [(1,), (2,)]),
        ("select 1;", [(1,)]),
        ("-- a comment\nselect /* another: é */ 1 -- and one more", [(1,)]),
        ("(select 1)", [(1,)]),
        ("select 1 union all select 2 order by 1", [(1,), (2,)]),
        ("with a as (select 1 as x), b as (from a) from b", [(1,)]),
        ("with recursive t as (select 1 as n union all select n + 1 from t where n < 3) from t", [(1,), (2,), (3,)]),
        ("select 'copy' as \"copy\", 'insert into' as \"drop\"", [("copy", "insert into")]),
        (
            "pivot (select patient, phase, 1 as n from masks) on phase in ('AP', 'PVP') using sum(n) order by 1"
            " limit 1",
            [("p1", 1, 1)],
        ),
        (
            "select sum(original_firstorder_Mean) from two_features_v1 join labels using (patient) where label = 1",
            [(1.0,)],
        ),
        ("select count(*) from (describe two_features)", [(12,)]),
    ],
)
def test_what_reads_is_answered(shared_store, query, answered):
    """SELECT in all its forms, FROM first, VALUES, WITH and PIVOT are answered."""
    assert rows(shared_store, query) == answered


@pytest.mark.parametrize(
    ("query", "answered"),
    [
        (
            "pivot (select patient, phase, 1 as n from masks) on phase using sum(n) order by 1 limit 1",
            [("p1", 1, 1)],
        ),
        ("from (pivot masks on phase || '!' using count(*) group by lesion)", [("1", 3, 3)]),
        ("with m as (from masks where patient = 'p1') pivot m on phase using count(*) group by lesion", [("1", 1, 1)]),
        ("pivot masks on phase, reading using count(*) group by lesion -- no list", [("1", 3, 3)]),
        ("pivot masks on phase in ('AP'), patient using count(*) group by lesion", [("1", 1, 1, 1)]),
        (
            "from (pivot masks on phase using count(*) group by lesion) join "
            "(pivot masks on patient using count(*) group by lesion) using (lesion)",
            [("1", 3, 3, 2, 2, 2)],
        ),
        (
            'pivot (pivot masks on phase using count(*) group by lesion) on "AP" using count(*) group by lesion',
            [("1", 1)],
        ),
        ("pivot masks a join labels b using (patient) on label using count(*) group by lesion", [("1", 2, 2)]),
        ("select count(*) from (pivot (from masks where false) on phase using count(*) group by lesion)", [(0,)]),
        ("pivot (select 'it''s' as a, 1 as n) on a using sum(n)", [(1,)]),
    ],
)
def test_pivot_needs_no_list(shared_store, query, answered):
    """The values of PIVOT are read first, wherever in the query it stands; the answer is DuckDB's own."""
    assert rows(shared_store, query) == answered


@pytest.mark.parametrize(
    "query",
    [
        "create table z as pivot masks on phase",
        "pivot (with x as (copy masks to '/tmp/radzoo-never.csv') from x) on a",
        "pivot read_csv('/etc/hostname') on column0",
        "pivot (from glob('/*')) on file",
        "explain analyze create table z as pivot masks on phase",
    ],
)
def test_pivot_is_no_way_out(refused, query):
    """What a PIVOT reads from is held to the rules of every other query."""
    refused(query)


def test_pivot_into_too_many_columns_is_refused(refused):
    """Thousands of values are no columns that anybody reads; the next step names the list."""
    assert refused("pivot (from range(3000)) on range") == "PIVOT on range would give more than 2,000 columns"


def test_pivot_takes_parameters(shared_store):
    """A parameter within the source of a PIVOT counts for its values too."""
    query = "pivot (from masks where patient = $who) on patient using count(*) group by lesion"
    assert rows(shared_store, query, {"who": "p2"}) == [("1", 2)]


@pytest.mark.parametrize(
    "query", ["show tables", "describe masks", "summarize two_features", "show all tables", "table masks"]
)
def test_what_describes_is_answered(shared_store, query):
    """SHOW, DESCRIBE, SUMMARIZE and TABLE are answered."""
    assert len(rows(shared_store, query)) >= 6


@pytest.mark.parametrize(
    "query",
    ["explain select 1", "EXPLAIN ANALYZE from masks", "explain (format json) select 1", "explain /* é */ (select 1)"],
)
def test_what_explains_a_select_is_answered(shared_store, query):
    """EXPLAIN and EXPLAIN ANALYZE of what reads are answered."""
    ((kind, plan),) = rows(shared_store, query)
    assert kind.endswith("_plan")
    assert plan


@pytest.mark.parametrize(
    "query",
    [
        "insert into catalogue.masks select * from catalogue.masks",
        "update catalogue.masks set patient = 'x'",
        "delete from catalogue.masks",
        "truncate catalogue.masks",
        "merge into catalogue.masks using catalogue.masks m on false when not matched then insert *",
        "create table t (a int)",
        "create temp table t as select 1",
        "create or replace view masks as select 1",
        "create macro f(x) as x",
        "create secret (type s3)",
        "drop view masks",
        "alter table catalogue.masks rename to q",
        "comment on view masks is 'x'",
        "copy masks to '/tmp/radzoo-never.csv'",
        "copy catalogue.masks from '/etc/hostname'",
        "attach 'other.db'",
        "detach memory",
        "use memory",
        "pragma database_list",
        "pragma version",
        "set threads = 1",
        "reset threads",
        "set variable a = 1",
        "install json",
        "load json",
        "export database '/tmp/radzoo-never'",
        "import database '/tmp/radzoo-never'",
        "call pragma_version()",
        "checkpoint",
        "vacuum",
        "analyze",
        "begin",
        "commit",
        "prepare p as select 1",
        "execute p",
        "deallocate p",
    ],
)
def test_what_does_not_read_is_refused(refused, query):
    """Every statement that writes, defines, copies, attaches, sets or loads is refused by its kind: exit code 2."""
    assert refused(query).endswith("a question is one SELECT, FROM, PIVOT, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN")


@pytest.mark.parametrize(
    "query",
    [
        "with x as (copy (select 1) to '{segments}/new.parquet') from x",
        "with x as (copy (select 1) to '{segment}') select 1",
        "with y as (with x as (copy (select 1) to '{segment}') from x) from y",
        "explain analyze copy (select 1) to '{segment}'",
        "explain analyze with x as (copy (select 1) to '{segment}') from x",
        "/* c */ explain /* é */ analyze -- x\n copy (select 1) to '{segment}'",
        "explain (analyze) copy (select 1) to '{segment}'",
        "explain (analyze, format json) copy (select 1) to '{segment}'",
        "explain copy (select 1) to '{segment}'",
        "explain analyze insert into catalogue.masks select * from catalogue.masks",
        "explain analyze create table t as select 1",
        "explain analyze set threads = 1",
        "with x as (insert into catalogue.patients values ('x', 1) returning *) from x",
        "with x as (delete from catalogue.masks returning *) from x",
        "with x as (update catalogue.masks set reader = 'x' returning *) from x",
        "from query('with x as (copy (select 1) to ''{segment}'') from x')",
        "from query('with x as (insert into catalogue.patients values (''x'', 1) returning *) from x')",
    ],
)
def test_a_write_dressed_as_a_read_is_refused(shared_store, refused, query):
    """A WITH clause or EXPLAIN ANALYZE that would write a file or a row is refused, and no segment is touched."""
    (segment,) = Snapshot(shared_store).rows("segments")
    path = str(shared_store.segments.local_root / segment["path"]).replace("'", "''")
    refused(query.format(segments=str(shared_store.segments.local_root).replace("'", "''"), segment=path))


def test_a_write_hidden_in_a_serialised_query_is_refused(shared_store, refused):
    """Nor does DuckDB's way to run a query from its JSON form let a write through, under any spelling."""
    (segment,) = Snapshot(shared_store).rows("segments")
    path = str(shared_store.segments.local_root / segment["path"]).replace("'", "''")
    with duckdb.connect() as connection:
        write = f"with x as (copy (select 1) to '{path}') from x"
        ((tree,),) = connection.execute("select json_serialize_sql($q)", {"q": write}).fetchall()
    quoted = tree.replace("'", "''")
    for function in ("json_execute_serialized_sql", "JSON_Execute_Serialized_SQL", '"json_execute_serialized_sql"'):
        refused(f"from {function}('{quoted}')")
        refused(f"select * from (select 1), {function}('{quoted}')")


@pytest.mark.parametrize(
    "query",
    [
        "from read_csv('/etc/hostname')",
        "from read_text('/etc/hostname')",
        "from read_blob('{root}/catalogue.sqlite')",
        "from read_text('{root}/segments/../catalogue.sqlite')",
        "from read_parquet('{outside}')",
        "from parquet_schema('{outside}')",
        "from '{outside}'",
        "from glob('{home}/*')",
        "from glob('~/*')",
        "from glob('/*')",
        "from read_text('.tmp/notes.txt')",
        "from 'http://127.0.0.1:9/x.parquet'",
        "from duckdb_secrets()",
        "from sniff_csv('/etc/hostname')",
    ],
)
def test_files_outside_the_segments_are_out_of_reach(shared_store, refused, tmp_path, monkeypatch, query):
    """No other file is read or even seen: not the system's, not the user's, not one beside the segments."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".tmp").mkdir()
    (tmp_path / ".tmp" / "notes.txt").write_text("private")
    outside = tmp_path / "outside.parquet"
    duckdb.sql("select 42 as private").write_parquet(str(outside))
    root = str(shared_store.root).replace("'", "''")
    message = refused(query.format(root=root, outside=outside, home=Path.home()))
    assert "disabled by configuration" in message or "not among those that a question may use" in message


def test_settings_are_locked(refused):
    """A function that would change a setting from within a SELECT is refused."""
    assert refused("from enable_logging()") == (
        "the function enable_logging is not among those that a question may use"
    )


def test_a_folder_whose_name_only_begins_alike_is_out_of_reach(filled):
    """A folder called segments-private beside segments is another folder."""
    beside = filled.root / "segments-private"
    beside.mkdir()
    duckdb.sql("select 42 as private").write_parquet(str(beside / "x.parquet"))
    with pytest.raises(UsageError, match="disabled by configuration"):
        rows(filled, f"from '{beside}/x.parquet'")


def test_nothing_is_left_in_the_working_directory(shared_store, tmp_path, monkeypatch):
    """A query leaves no file where it was asked."""
    monkeypatch.chdir(tmp_path)
    rows(shared_store, "select count(*) from range(100000) a order by all")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "one statement is asked for, 0 were given"),
        ("-- nothing", "one statement is asked for, 0 were given"),
        ("select 1; select 2", "one statement is asked for, 2 were given"),
        ("select 1; drop view masks", "one statement is asked for, 2 were given"),
        ("selec 1", 'Parser Error: syntax error at or near "selec"'),
        ("select patient, count(*) from masks", 'Binder Error: column "patient" must appear in the GROUP BY'),
        ("select sum(patient) from masks", "Binder Error: No function matches"),
        ("select 'x'::int", "Conversion Error: Could not convert string 'x'"),
        ("select * from masks where patient = $who", "Invalid Input Error: Values were not provided"),
    ],
)
def test_what_sql_refuses_is_a_usage_error(refused, query, sentence):
    """None or several statements, wrong SQL and missing parameters say so in one line: exit code 2."""
    message = refused(query)
    assert message.startswith(sentence)
    assert "\n" not in message


@pytest.mark.parametrize(
    "query",
    [
        "from lesions",
        "select nosuch from masks",
        "select m.nosuch from masks m",
        "select nosuch(1)",
        "describe lesions",
    ],
)
def test_what_does_not_exist_is_not_found(shared_store, query):
    """An unknown table, column or function is told with the query that lists what there is: exit code 3."""
    with pytest.raises(NotFoundError) as caught:
        rows(shared_store, query)
    assert caught.value.exit_code == 3
    assert "show tables" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("query", "meant"),
    [("from mask", 'Did you mean "masks"?'), ("select patiet from masks", 'Candidate bindings: "patient"')],
)
def test_what_may_have_been_meant_is_in_the_next_step(shared_store, query, meant):
    """DuckDB's nearest names of a table and of a column are kept."""
    with pytest.raises(NotFoundError) as caught:
        rows(shared_store, query)
    assert meant in str(caught.value.hint)


def test_parameters(shared_store):
    """Values are given by name and are never read as SQL."""
    query = "select count(*) from masks where patient = $who and phase = $phase"
    assert rows(shared_store, query, {"who": "p1", "phase": "AP"}) == [(1,)]
    assert rows(shared_store, query, {"who": "p1' or 'a' = 'a", "phase": "AP"}) == [(0,)]


def test_as_of(filled):
    """A query is answered as of the snapshot's commit."""
    with commit_to(filled, "later") as commit:
        commit.put("patients", [{"patient": "p4"}])
        commit.put("study_patients", [{"study": "er", "patient": "p4"}])
        commit.put("clinical", [{"patient": "p1", "variable": "afp", "observed_at": "2020-01-02", "value": 9.0}])
    query = (
        "select (select count(*) from patients), (select value from clinical where variable = 'afp'), "
        "(select max(commit_id) from commits)"
    )
    assert [rows(filled, query, as_of=number) for number in range(5)] == [
        [(0, None, None)],
        [(3, 412.0, 1)],
        [(3, 412.0, 2)],
        [(3, 412.0, 3)],
        [(4, 9.0, 4)],
    ]


@pytest.mark.parametrize(
    "query",
    [
        "select comment from duckdb_columns() where column_name = 'mask_sha256' and schema_name = 'main'",
        "SELECT COMMENT FROM DuckDB_Columns() WHERE column_name = 'mask_sha256' AND schema_name = 'main'",
        "select column_comment from information_schema.columns where column_name = 'mask_sha256'"
        " and table_schema = 'main'",
        "select d.description from pg_catalog.pg_description d where d.description like 'hash of the lesion%'",
    ],
)
def test_comments_can_be_asked_for(shared_store, query):
    """What a column means is seen through each of DuckDB's own lists."""
    assert rows(shared_store, query) == [("hash of the lesion's voxels and geometry",)]


def test_answers_have_types(shared_store):
    """Integers, numbers, texts and flags come out as such."""
    query = "select reading, volume_mm3, patient from masks limit 1"
    assert rows(shared_store, query) == [(1, 812.5, "p1")]
    assert rows(shared_store, "select is_primary from study_masks limit 1") == [(True,)]
