"""A user's SQL, whatever it tries: nothing is written, nothing outside is read, and no statement ends in a fault."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest
from attacks.hostile_sql import SECRET, SHARE, contents, lay_bait, outcome, places, statement

from flows.cli.answers.parts import Request, answer_parts
from flows.cli.main import exit_code
from schemas.errors import RadzooError, UsageError
from schemas.settings import SqlLimits, sql_limits
from store.analyst.kept import kept_rows
from store.analyst.named import EVERYTHING, names_in
from store.analyst.query import shut_connection, snapshot_connection
from store.analyst.statement import allowed_functions, reading_statement
from store.history.snapshot import Snapshot
from store.limits.landlock import landlock_version
from store.limits.process import LimitedProcess, LimitedProcessError
from store.questions.process import sandbox_rights


@pytest.fixture(scope="module")
def bait(tmp_path_factory):
    """Return a folder of files that nothing may read or change."""
    folder = tmp_path_factory.mktemp("outside") / "bait"
    lay_bait(folder)
    return folder


@pytest.fixture(scope="module")
def where(shared_store, bait):
    """Return the places that hostile statements name."""
    return places(shared_store.root, bait)


@pytest.fixture(scope="module")
def process(shared_store, tmp_path_factory):
    """Return a function that answers one question after another in one process as `radzoo sql` has it for each."""
    spill = tmp_path_factory.mktemp("spill")
    snapshot, limits = Snapshot(shared_store), SqlLimits(seconds=60)
    with LimitedProcess(
        sandbox_rights(shared_store, limits, spill),
        trusted=("flows.cli.answers.parts",),
        by_fork=True,
    ) as running:

        def ask(query):
            request = Request(query, {}, "json", None, limits, spill)
            try:
                kept = kept_rows(snapshot, running.call(names_in, query))
                *parts, rows = running.stream(answer_parts, kept, request)
            except RadzooError as error:
                return error.exit_code, str(error)
            except LimitedProcessError as error:
                return 1, f"has no answer: {error}"
            return 0, f"{b''.join(parts).decode()}{rows}"

        yield ask


@pytest.fixture
def sql(shared_store, capsysbinary):
    """Return a function that asks a question with `radzoo sql` and gives exit code, stdout and stderr."""

    def ask(*arguments):
        capsysbinary.readouterr()
        code = exit_code(["--store", str(shared_store.root), "sql", *map(str, arguments)])
        out, err = capsysbinary.readouterr()
        return code, out.decode(), err.decode()

    return ask


def test_no_statement_writes_reads_outside_or_ends_in_a_fault(shared_store, process, bait, where, monkeypatch):
    """Of over 120 hostile statements each is refused or answers harmlessly; not a byte of any file changes."""
    assert len(SHARE) > 120
    monkeypatch.chdir(bait)
    before = contents(shared_store.root, bait)
    for template in SHARE:
        query = statement(template, where)
        code, text = process(query)
        assert outcome(code, text) in ("answered", "refused"), (query, code, text)
        assert contents(shared_store.root, bait) == before, query


def test_the_command_refuses_what_writes(shared_store, sql, bait, where, monkeypatch):
    """The same through the command line: one line, an exit code of the program's own, and no file."""
    monkeypatch.chdir(bait)
    before = contents(shared_store.root, bait)
    for template in SHARE[30:40]:
        code, out, err = sql("--", statement(template, where))
        assert (code in (2, 3), out, err[:7]) == (True, "", "error: ")
        assert contents(shared_store.root, bait) == before
        assert not any((shared_store.root / "spill").glob("*"))


ORDINARY = [
    "select patient, row_number() over (partition by patient order by phase) n from masks",
    (
        "select phase, volume_mm3, lag(volume_mm3) over (order by phase, patient), ntile(2) over (order by "
        "patient) from masks"
    ),
    "select * from masks qualify rank() over (partition by phase order by patient) = 1",
    "pivot masks on phase using count(*) group by patient",
    "pivot (from radiomics_long) on feature in ('original_firstorder_Mean') using avg(value) group by patient",
    "unpivot (select patient, volume_mm3, lesion_voxels from masks) on volume_mm3, lesion_voxels into name k value v",
    "from two_features unpivot include nulls (v for k in (original_firstorder_Mean)) limit 3",
    "select unnest([1, 2, 3]) as a, unnest({'x': 1, 'y': 2})",
    "select patient, unnest(map_entries(grey_levels)) from (select patient, map {'a': 1} as grey_levels from masks)",
    "select grey_levels, grey_levels.original, zero_fraction['original'] from two_features_v1",
    "select list_transform([1, 2, 3], lambda x: x * 2), list_filter([1, 2], lambda x: x > 1), [y + 1 for y in [1, 2]]",
    "select list_reduce([1, 2, 3], lambda x, y: x + y), list_sort([3, 1]), list_aggregate([1, 2], 'median')",
    (
        "select regexp_extract(patient, 'p(\\d)', 1), regexp_replace(patient, 'p', 'q'), patient ~ 'p.', "
        "patient like 'p%' from masks"
    ),
    "select '{\"a\": [1, 2]}'::json->'a'->>0, json_extract('{\"a\": 1}', '$.a'), to_json({'a': 1})",
    'from json_each(\'{"a": 1, "b": 2}\')',
    (
        "with m as (from masks), n as (select patient, count(*) c from m group by all) select * from n join "
        "m using (patient)"
    ),
    "with recursive t(n) as (select 1 union all select n + 1 from t where n < 100) select sum(n) from t",
    "select median(volume_mm3), quantile_cont(volume_mm3, [0.25, 0.75]), stddev(volume_mm3), mode(phase) from masks",
    "select percentile_cont(0.5) within group (order by volume_mm3) from masks",
    "select patient, count(*) filter (where phase = 'AP'), string_agg(phase, ',' order by phase) from masks group by 1",
    "select phase, patient, count(*) from masks group by rollup (phase, patient) order by all",
    "select phase, grouping(phase) from masks group by grouping sets ((phase), ())",
    "select distinct on (patient) patient, phase from masks order by patient, phase desc nulls last",
    "select columns('vol.*') from masks limit 1",
    "select * exclude (source) replace (volume_mm3 / 1000 as volume_mm3) from masks",
    "from masks m left join labels l using (patient) where l.label is distinct from 1",
    "from masks semi join labels using (patient)",
    "from masks m asof join (select patient p, 1 as reading from labels) l on m.reading >= l.reading limit 2",
    "from masks, lateral (select patient || '!' as shout) limit 1",
    "from masks positional join labels limit 1",
    "from masks tablesample reservoir(3 rows) repeatable (7)",
    (
        "select case when volume_mm3 > 1 then 'big' else 'small' end, coalesce(null, 1), if(true, 1, 2), "
        "nullif(1, 1) from masks"
    ),
    (
        "select date_trunc('month', acquired_on::date), acquired_on::date + interval 1 month, "
        "age(acquired_on::date) from exams"
    ),
    (
        "select extract(year from date '2020-02-03'), date '2020-02-03' - date '2020-01-01', strftime(date "
        "'2020-02-03', '%d.%m.%Y')"
    ),
    "select timestamp '2020-01-01 12:00' at time zone 'Europe/Berlin', now() > timestamptz '2020-01-01'",
    "select corr(a, b), regr_slope(a, b), covar_pop(a, b) from (values (1, 2), (2, 3), (3, 5)) t(a, b)",
    "select array_cosine_similarity([1, 2]::float[2], [2, 1]::float[2]), list_distance([1.0, 2], [2.0, 1])",
    "select format('{}-{:.2f}', 'a', 1.5), printf('%05d', 3), 'a' || 'b', upper('x').lower(), md5('x'), sha256('x')",
    "select cast('1' as int), try_cast('x' as int), 1::hugeint, 'a'::enum('a', 'b'), [1]::int[1]",
    "select exists(from masks), 1 = any([1, 2]), patient in (select patient from labels) from masks",
    "from masks select count(*) where phase = 'AP'",
    "(select 1 as a) union all by name (select 2 as a) except select 2 intersect select 2",
    "select random() < 1, uuid() is not null, hash('x'), setseed(0.5)",
    "from histogram(masks, volume_mm3)",
    "describe masks",
    "describe select 1 as a",
    "show tables",
    "show all tables",
    "summarize masks",
    "select column_name, data_type from information_schema.columns where table_name = 'masks'",
    "select view_name from duckdb_views() where not internal",
    "explain select count(*) from two_features",
    "explain analyze select count(*) from masks",
    "select failed.reason from failures failed",
    "from catalogue.masks limit 1",
    "from memory.main.masks limit 1",
    'select "wavelet-LLH_glcm_Idm" from two_features_primary',
]


def test_ordinary_statements_are_answered(process):
    """Windows, pivots, JSON, lists, lambdas, patterns, samples, recursion and DuckDB's own lists work as ever."""
    assert len(ORDINARY) > 50
    for query in ORDINARY:
        code, text = process(query)
        assert code == 0, (query, text)
        assert len(text) > 5, query


def test_both_ways_to_read_segments_give_the_same_rows(shared_store, tmp_path):
    """Every view has the same columns and rows for a user's SQL as for the program's own."""
    snapshot = Snapshot(shared_store)
    kept = kept_rows(snapshot, EVERYTHING)
    with snapshot_connection(snapshot) as own, shut_connection(kept, SqlLimits(), tmp_path) as shut:
        views = own.sql("select view_name from duckdb_views() where not internal").fetchall()
        assert len(views) > 40
        for (view,) in views:
            asked = f'from "{view}" order by all'
            assert (shut.sql(asked).types, shut.sql(asked).fetchall()) == (
                own.sql(asked).types,
                own.sql(asked).fetchall(),
            )


@pytest.mark.parametrize(
    "query",
    [
        "copy (select 1 a) to '{segment}' (format parquet)",
        "copy (select 1 a) to '{new}' (format csv)",
        "from read_text('{bait}/secret.txt')",
        "from '{segment}'",
        "from glob('{segments}/*')",
        "attach '{new}' as other",
        "export database '{new}'",
        "install httpfs",
        "set enable_external_access = true",
        "from query('with x as (copy (select 1) to ''{new}'') from x')",
    ],
)
def test_duckdb_itself_has_no_file(shared_store, bait, where, tmp_path, query):
    """Even what the lists of parts and functions let through finds no file, on any system: DuckDB has none."""
    before = contents(shared_store.root, bait)
    with (
        shut_connection(kept_rows(Snapshot(shared_store), EVERYTHING), SqlLimits(), tmp_path) as connection,
        pytest.raises((duckdb.PermissionException, duckdb.InvalidInputException, duckdb.BinderException)),
    ):
        connection.execute(statement(query, where)).fetchall()
    assert contents(shared_store.root, bait) == before


def harm(segment: Path, outside: Path) -> list[str]:
    """Return what each way to write and to read outside ends in, in a DuckDB that may do everything."""
    with duckdb.connect() as connection:
        ends = []
        for query in (
            f"copy (select 1 a) to '{segment.as_posix().replace(chr(39), chr(39) * 2)}' (format parquet)",
            f"copy (select 1 a) to '{outside}/new.csv'",
            f"from read_text('{outside}/secret.txt')",
        ):
            try:
                connection.execute(query).fetchall()
            except duckdb.Error as error:
                ends.append(type(error).__name__)
            else:
                ends.append("done")
    return ends


@pytest.mark.skipif(not landlock_version(), reason="this kernel has no Landlock")
def test_the_process_itself_has_no_right_to_write(shared_store, bait, tmp_path):
    """Even a DuckDB that were shut off from nothing could write to no segment and read nothing outside."""
    kept = kept_rows(Snapshot(shared_store), EVERYTHING)
    segment = kept.segments[0].files[0]
    before = contents(shared_store.root, bait)
    with LimitedProcess(sandbox_rights(shared_store, SqlLimits(), tmp_path), by_fork=True) as process:
        assert process.call(harm, segment, bait) == ["IOException"] * 3
    assert contents(shared_store.root, bait) == before


@pytest.mark.parametrize(
    ("limit", "query", "said"),
    [
        (
            {"RADZOO_SQL_SECONDS": "1"},
            "with recursive t as (select 1 n union all select n + 1 from t) select max(n) from t",
            "takes longer than 1 s",
        ),
        (
            {"RADZOO_SQL_SECONDS": "1"},
            "with recursive t as (select 1 n union all select n + 1 from t) from t",
            "takes longer than 1 s",
        ),
        ({"RADZOO_SQL_MEMORY_GB": "0.5"}, "select range(4000000000)", "needs more than 0.5 GB of memory"),
        ({"RADZOO_SQL_MEMORY_GB": "0.5"}, "select repeat('x', 3000000000)", "needs more than 0.5 GB of memory"),
        ({"RADZOO_SQL_ROWS": "1000"}, "from range(1001)", "more than 1,000 rows"),
        (
            {"RADZOO_SQL_MEMORY_GB": "0.1", "RADZOO_SQL_SPILL_GB": "0.01"},
            "select count(*) from (select * from range(12000000) t(i) order by hash(i))",
            "needs more than 0.01 GB on disk",
        ),
    ],
)
def test_a_question_over_its_limit_ends_and_names_the_setting(sql, monkeypatch, limit, query, said):
    """Time, memory, rows and spilling end with one line, the setting's name, and exit code 2."""
    for name, value in limit.items():
        monkeypatch.setenv(name, value)
    code, _, err = sql(query, "--format", "csv")
    assert (code, err.startswith("error: ")) == (2, True)
    assert said in err
    assert f"set {list(limit)[-1]} to more" in err


@pytest.mark.parametrize("text", ["x", "-1", "0", "nan", "inf", "1e99", "1,5"])
def test_a_limit_that_is_none_is_refused(text):
    """What is no number above zero is named with its variable."""
    for name in ("RADZOO_SQL_SECONDS", "RADZOO_SQL_MEMORY_GB", "RADZOO_SQL_ROWS", "RADZOO_SQL_SPILL_GB"):
        with pytest.raises(UsageError, match=name):
            sql_limits({name: text})


def test_limits_come_from_the_environment():
    """A variable replaces its default; an empty one does not."""
    assert sql_limits({"RADZOO_SQL_ROWS": "7", "RADZOO_SQL_SECONDS": " 1.5 "}) == SqlLimits(rows=7, seconds=1.5)
    assert sql_limits({"RADZOO_SQL_ROWS": ""}) == SqlLimits()


def test_an_interrupt_ends_the_question(shared_store):
    """Ctrl-C ends a question that never ends, at once and without leaving its process or folder."""
    command = [sys.executable, "-c", "from flows.cli.main import main; main()", "--store", str(shared_store.root)]
    endless = "with recursive t as (select 1 n union all select n + 1 from t) select max(n) from t"
    with subprocess.Popen([*command, "sql", endless], stderr=subprocess.PIPE, start_new_session=True) as running:
        while not any((shared_store.root / "spill").glob("question-*")):
            assert running.poll() is None
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, err = running.communicate(timeout=60)
    assert (running.returncode, b"interrupted" in err, b"Traceback" in err) == (130, True, False)
    assert not any((shared_store.root / "spill").glob("*"))


def test_every_function_of_duckdb_is_allowed_or_left_out_on_purpose():
    """A name on the list that DuckDB does not have is a slip of the pen."""
    with duckdb.connect() as connection:
        there = {name.lower() for (name,) in connection.sql("select function_name from duckdb_functions()").fetchall()}
    values, tables = allowed_functions()
    assert values | tables <= there


def test_no_allowed_function_carries_out_text_or_opens_files():
    """The names of those that do are on neither list."""
    values, tables = allowed_functions()
    opening = (
        "read_",
        "parquet",
        "sniff",
        "glob",
        "query",
        "execute",
        "serialize",
        "scan",
        "secret",
        "setting",
        "log_",
    )
    assert not [name for name in values | tables if any(part in name for part in opening) and name != "approx_query"]


def test_a_secret_of_the_bait_can_be_found(bait):
    """The suite looks for a word that is there: a DuckDB that is not shut off finds it."""
    assert SECRET in str(duckdb.sql(f"from read_text('{bait}/secret.txt')").fetchall())
    assert reading_statement("select 1").type == duckdb.StatementType.SELECT
