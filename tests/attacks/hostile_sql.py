"""SQL that tries to write, to read outside, or to end in a traceback; and many drawn variations of it.

``python -m tests.attacks.hostile_sql --count 500 --seed 1`` makes a store and a folder of bait, asks each statement
with ``radzoo sql``, prints counts by outcome, and exits 1 where one wrote, read outside or ended in a fault.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import duckdb

__all__ = ["HOSTILE", "SECRET", "SHARE", "contents", "lay_bait", "outcome", "places", "statement"]

SECRET = "a-word-that-stands-in-bait-alone"  # noqa: S105
"""What no answer may hold: it stands in the files of the bait, and in nothing else."""

_WRITES = [
    "copy (select 1 a) to '{segment}' (format parquet)",
    "copy (select 1 a) to '{new}'",
    "copy (select 1 a) to '{segments}' (format parquet, partition_by (a), overwrite_or_ignore)",
    "copy catalogue.masks to '{segment}'",
    "copy catalogue.masks from '{bait}/secret.csv'",
    "copy from database memory to other",
    "export database '{new}'",
    "import database '{bait}'",
    "attach '{new}' as other",
    "attach '{bait}/secret.duckdb' as other (read_only)",
    "attach ':memory:' as other",
    "detach memory",
    "use catalogue",
    "create table t as from masks",
    "create temp table t as select 1",
    "create view v as select 1",
    "create or replace view masks as select 1",
    "create macro f(x) as x",
    "create temp macro f() as table copy_to",
    "create function f() as table from read_text('{bait}/secret.txt')",
    "create secret s (type s3, key_id 'x', secret 'y')",
    "create persistent secret s (type s3, key_id 'x', secret 'y')",
    "create sequence s",
    "create schema s",
    "create type t as enum ('a')",
    "create index i on catalogue.masks (patient)",
    "drop view masks",
    "drop table catalogue.masks",
    "alter view masks rename to m",
    "alter table catalogue.masks add column x int",
    "comment on table catalogue.masks is 'x'",
    "insert into catalogue.masks select * from catalogue.masks",
    "insert into catalogue.masks from catalogue.masks returning *",
    "update catalogue.masks set patient = 'x'",
    "delete from catalogue.masks",
    "truncate catalogue.masks",
    "merge into catalogue.masks m using catalogue.masks n on false when not matched then insert *",
    "set memory_limit = '1TB'",
    "set temp_directory = '{bait}'",
    "set enable_external_access = true",
    "set allowed_directories = ['/']",
    "set search_path = 'catalogue'",
    "set variable x = 1",
    "set local threads = 1",
    "reset lock_configuration",
    "pragma enable_profiling = 'json'",
    "pragma profiling_output = '{new}'",
    "pragma database_list",
    "pragma import_database('{bait}')",
    "pragma copy_database('memory', 'other')",
    "pragma json_execute_serialized_sql('{write_tree}')",
    "pragma force_checkpoint",
    "call force_checkpoint()",
    "call enable_logging(storage = 'file', storage_config = {{'path': '{new}'}})",
    "install httpfs",
    "force install httpfs from 'http://127.0.0.1:9'",
    "load httpfs",
    "load '{bait}/secret.txt'",
    "update extensions",
    "checkpoint",
    "vacuum",
    "vacuum analyze",
    "analyze",
    "begin",
    "commit",
    "rollback",
    "prepare p as copy (select 1) to '{new}'",
    "execute p",
    "execute immediate 'select 1'",
    "deallocate p",
    "call pragma_version()",
    "kill 1",
]

_HIDDEN_WRITES = [
    "with x as ({write}) from x",
    "with x as materialized ({write}) select 1",
    "with recursive x as ({write}) from x",
    "select * from ({write})",
    "select ({write})",
    "select exists({write})",
    "from ({write}) union all select 1",
    "explain analyze {write}",
    "explain (analyze, format json) {write}",
    "explain analyze with x as ({write}) from x",
    "/* c */ explain -- c\n analyze {write}",
    "from query('{quoted}')",
    "from query('with x as ({quoted}) from x')",
    "from query($$with x as ({write}) from x$$)",
    "from query(concat('with x as (', '{quoted}', ') from x'))",
    "from system.main.query('with x as ({quoted}) from x')",
    "from \"QUERY\"('with x as ({quoted}) from x')",
    "from query_table('{segment}')",
    "from json_execute_serialized_sql('{write_tree}')",
    "from JSON_EXECUTE_SERIALIZED_SQL('{write_tree}')",
    "from system.main.json_execute_serialized_sql('{write_tree}')",
    "from json_execute_serialized_sql(json_serialize_sql('with x as ({quoted}) from x'))",
    "from query('from json_execute_serialized_sql(json_serialize_sql(''with x as ({twice_quoted}) from x''))')",
    "select json_serialize_plan('with x as ({quoted}) from x')",
    "select json_deserialize_sql(json_serialize_sql('with x as ({quoted}) from x'))",
    "pivot (with x as ({write}) from x) on a",
    "pivot (from query('with x as ({quoted}) from x')) on a",
    "pivot masks on (select ({write}))",
    "pivot (pivot (with x as ({write}) from x) on a) on a",
    "unpivot (with x as ({write}) from x) on a",
    "describe with x as ({write}) from x",
    "summarize with x as ({write}) from x",
    "from (describe with x as ({write}) from x)",
    "select 1; {write}",
    "{write}; select 1",
    "select 1 where 1 in (with x as ({write}) from x)",
    "select 1 limit (with x as ({write}) from x)",
    "from masks, lateral (with x as ({write}) from x)",
    "select list_transform([1], lambda v: (with x as ({write}) from x))",
    "values ((with x as ({write}) from x))",
    "select 1 order by (with x as ({write}) from x)",
    "select sum((with x as ({write}) from x)) over ()",
    "select case when true then (with x as ({write}) from x) end",
    "create table z as with x as ({write}) from x",
]

_READS = [
    *(
        f"from {function}('{{bait}}/secret.{suffix}')"
        for function, suffix in [
            ("read_text", "txt"),
            ("read_blob", "txt"),
            ("read_csv", "csv"),
            ("read_csv_auto", "csv"),
            ("sniff_csv", "csv"),
            ("read_json", "json"),
            ("read_json_auto", "json"),
            ("read_ndjson", "json"),
            ("read_json_objects", "json"),
            ("read_parquet", "parquet"),
            ("parquet_scan", "parquet"),
            ("parquet_metadata", "parquet"),
            ("parquet_schema", "parquet"),
            ("parquet_file_metadata", "parquet"),
            ("parquet_full_metadata", "parquet"),
            ("parquet_kv_metadata", "parquet"),
            ("read_single_csv_file", "csv"),
            ("read_duckdb", "duckdb"),
        ]
    ),
    "from parquet_bloom_probe('{bait}/secret.parquet', 'word', 'x')",
    "from '{bait}/secret.csv'",
    "from '{bait}/secret.parquet'",
    "from '{bait}/secret.json'",
    "from '{bait}/secret.txt'",
    'from "{bait}/secret.csv"',
    "from '{bait}/*.csv'",
    "from '{segment}'",
    "from '{segments}/*/*.parquet'",
    "from read_parquet('{segment}')",
    "from read_blob('{segment}')",
    "from parquet_metadata('{segment}')",
    "from glob('{segments}/*')",
    "from glob('{bait}/*')",
    "from glob('/*')",
    "from glob('~/*')",
    "from read_text('/etc/passwd')",
    "from read_text('/proc/self/environ')",
    "from read_text('/proc/self/fd/0')",
    "from read_blob('{root}/catalogue.sqlite')",
    "from sqlite_scan('{root}/catalogue.sqlite', 'masks')",
    "from read_text('{segments}/../catalogue.sqlite')",
    "from 'http://127.0.0.1:9/x.parquet'",
    "from 's3://bucket/x.parquet'",
    "from read_csv('https://127.0.0.1:9/x.csv')",
    "describe '{bait}/secret.csv'",
    "describe from read_csv('{bait}/secret.csv')",
    "summarize '{bait}/secret.csv'",
    "show '{bait}/secret.csv'",
    "explain from read_csv('{bait}/secret.csv')",
    "explain analyze from read_text('{bait}/secret.txt')",
    "pivot read_csv('{bait}/secret.csv') on word",
    "pivot '{bait}/secret.csv' on word",
    "from query('from read_text(''{bait}/secret.txt'')')",
    "from query('from ''{bait}/secret.csv''')",
    "from query_table('{bait}/secret.csv')",
    "from query_table(['{bait}/secret.csv'])",
    "from histogram('{bait}/secret.csv', word)",
    "from histogram_values('{bait}/secret.csv', word)",
    "from json_execute_serialized_sql(json_serialize_sql('from read_text(''{bait}/secret.txt'')'))",
    "select json_serialize_plan('from read_csv(''{bait}/secret.csv'')')",
    "select (select content from read_text('{bait}/secret.txt'))",
    "from masks where patient in (select content from read_text('{bait}/secret.txt'))",
    "with x as (from read_text('{bait}/secret.txt')) from x",
    "from (values ('{bait}/secret.txt')) t(f), read_text(f)",
    "select getenv('HOME')",
    "select current_setting('temp_directory')",
    "select current_setting('secret_directory')",
    "select getvariable('radzoo_store')",
    "from duckdb_settings()",
    "from pg_settings",
    "from pg_catalog.pg_settings",
    "from duckdb_secrets()",
    "from which_secret('s3://x', 's3')",
    "from duckdb_logs()",
    "from duckdb_logs",
    "from duckdb_variables()",
    "from duckdb_external_file_cache()",
    "from duckdb_temporary_files()",
    "from duckdb_extensions()",
    "from duckdb_prepared_statements()",
    "show secret_directory",
    "show temp_directory",
    "from python_arrow_scan(1)",
    "from arrow_scan(1, 2, 3)",
    "from pandas_scan(1)",
    "from seq_scan()",
    "from python_map_function(1)",
    "from kept",
    "from connection",
    "from relations",
    "from sys",
    "select write_log('x')",
    "select nextval('s')",
    "select sleep_ms(1)",
    "from enable_logging()",
    "from enable_logging(storage := 'file', storage_config := {{'path': '{new}'}})",
    "from enable_profiling()",
    "from truncate_duckdb_logs()",
    "from checkpoint()",
    "from force_checkpoint()",
    "from register_external_resource('x')",
    "from read_text($file)",
    "select load_aws_credentials()",
    "from st_read('{bait}/secret.csv')",
    "from read_xlsx('{bait}/secret.csv')",
    "from postgres_scan('host=127.0.0.1', 'a', 'b')",
    "select http_get('http://127.0.0.1:9')",
    "select pg_read_file('{bait}/secret.txt')",
    "select lo_export(1, '{new}')",
]

_BROKEN = [
    "\x00",
    "select '\x00'",
    "select '\ud800'",
    'select "\udcff"',
    "select '" + "x" * 70_000,
    "select " + "(" * 3000 + "1" + ")" * 3000,
    "select " + "-" * 3000 + "1",
    "select " + "not " * 3000 + "true",
    "select " + "+".join(["1"] * 3000),
    "select " + "[" * 500 + "]" * 500,
    "with a as (from a) from a",
    "explain",
    "explain analyze",
    "explain (",
    "explain (format",
    "explain explain select 1",
    "explain (analyze) (format json) select 1",
    "pivot",
    "pivot masks on",
    "pivot masks on phase in (",
    "pivot pivot pivot",
    ";;;",
    "/*",
    "'",
    '"',
    "$$",
    "select $1",
    "select ?",
    "select $who",
    "select * from test_vector_types(null::int)",
    "select error('{bait}')",
    "select 1::geometry",
    "select 'x'::variant::int",
    "select map([1,1],[2,3])",
    "select chr(55296)",
    "select '\"\\ud800\"'::json->>'$'",
    "select unhex('ff')::varchar",
    "select decode(unhex('eda080'))",
    "select regexp_extract('a', '(((((((((a)))))))))*', 99)",
    "select regexp_matches('a', '" + "(a*)*" * 200 + "')",
    "select format('{{:9999d}}', 1)",
    "select printf('%s')",
    "select strftime(now(), '%')",
    "select array_value(1)::int[99999999]",
    'select 1 as "{new}"',
    "select columns('[')",
    "select unnest(unnest([1]))",
    "from range(0, 10, 0)",
    "from masks limit -1",
    "select 9223372036854775807 + 1",
]

_WRITE = _WRITES[0]


def _hidden() -> list[str]:
    quoted = _WRITE.replace("'", "''")
    parts = {"write": _WRITE, "quoted": quoted, "twice_quoted": quoted.replace("'", "''")}
    return [_filled(each, parts) for each in _HIDDEN_WRITES]


def _filled(template: str, parts: Mapping[str, str]) -> str:
    # Not `format`: braces stand for what is filled in later, and for themselves.
    for name, text in parts.items():
        template = template.replace(f"{{{name}}}", text)
    return template


HOSTILE = [*_WRITES, *_hidden(), *_READS, *_BROKEN]
"""Templates: `places` has what stands for the names in braces."""

SHARE = [*_WRITES[::3], *_hidden(), *_READS[::2], *_BROKEN[::2]]
"""What the test suite has time for: each way to hide a write, and a part of the rest."""


def lay_bait(folder: Path) -> None:
    """Lay files that no statement may read or change into a folder."""
    folder.mkdir()
    (folder / "secret.txt").write_text(SECRET)
    (folder / "secret.csv").write_text(f"word,n\n{SECRET},1\n")
    (folder / "secret.json").write_text(json.dumps({"word": SECRET}))
    with duckdb.connect(str(folder / "secret.duckdb")) as connection:
        connection.execute("create table t as select $word as word", {"word": SECRET})
        connection.table("t").write_parquet(str(folder / "secret.parquet"))


def places(root: Path, bait: Path) -> dict[str, str]:
    """Return what stands for each name in a template."""
    segment = next((root / "segments").glob("*/*.parquet"))
    found = {
        "root": str(root),
        "segments": str(root / "segments"),
        "segment": str(segment),
        "bait": str(bait),
        "new": str(bait / "new"),
    }
    quoted = {name: path.replace("'", "''") for name, path in found.items()}
    with duckdb.connect() as connection:
        write = f"with x as ({_filled(_WRITE, quoted)}) from x"
        ((tree,),) = connection.execute("select json_serialize_sql($q)", {"q": write}).fetchall()
    return quoted | {"write_tree": tree.replace("'", "''"), "{": "{", "}": "}"}


def statement(template: str, where: Mapping[str, str]) -> str:
    """Return a template with its places filled in."""
    return _filled(template, where).replace("{{", "{").replace("}}", "}")


def contents(*folders: Path) -> dict[str, str]:
    """Return the hash of every file below folders, and their folders, but for the catalogue's lock files."""
    found = {}
    for file in (file for folder in folders for file in sorted(folder.rglob("*"))):
        if file.name.endswith(("-shm", "-wal")) or file.name == "spill":
            continue
        found[str(file)] = hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else ""
    return found


def outcome(code: int, text: str) -> str:
    """Return what became of a statement: answered, refused, or what is bad about it."""
    if SECRET in text:
        return "bad: reads the bait"
    if "Traceback" in text or "fault of radzoo" in text or "has no answer" in text:
        return "bad: a fault"
    return {0: "answered", 2: "refused", 3: "refused", 4: "refused"}.get(code, f"bad: exit code {code}")


def drawn(draw: random.Random) -> str:
    """Return a hostile template in another dress: its case, blanks and comments changed, or wrapped as a subquery."""
    template = draw.choice(HOSTILE[: -len(_BROKEN)])
    dress = draw.randrange(7)
    if dress == 0:
        return f"with q as ({template}) from q"
    if dress == 1:
        return f"select * from ({template}) q limit 3"
    if dress == 2:
        return f"explain analyze {template}"
    if dress == 3:
        return "".join(f"{letter}/**/" if letter == " " and draw.random() < 0.3 else letter for letter in template)
    if dress == 4:
        return f"from query($q${template}$q$)"
    if dress == 5:
        return f"pivot ({template}) on a"
    at = draw.randrange(len(template))
    return template[:at] + draw.choice("'\"();$é\x00{") + template[at + draw.randrange(2) :]


def main() -> int:
    """Ask drawn statements and print what became of them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    draw = random.Random(arguments.seed)  # noqa: S311  (the draws shall be repeatable)
    with tempfile.TemporaryDirectory() as folder:
        root, bait = Path(folder) / "store", Path(folder) / "bait"
        # An ingest of a table writes its study file where it is called.
        os.chdir(folder)
        _make_store(Path(folder), root)
        lay_bait(bait)
        os.chdir(bait)
        where = places(root, bait)
        counts = Counter(_asked(root, bait, statement(each, where)) for each in _chosen(draw, arguments.count))
    for what, count in sorted(counts.items()):
        print(f"{count:6d} {what}")
    return int(any(what.startswith("bad") for what in counts))


def _chosen(draw: random.Random, count: int) -> Iterator[str]:
    yield from HOSTILE[:count]
    for _ in range(count - len(HOSTILE)):
        yield drawn(draw)


def _asked(root: Path, bait: Path, query: str) -> str:
    before = contents(root, bait)
    code, text = _run("--store", str(root), "sql", "--", query)
    what = "bad: something is written" if contents(root, bait) != before else outcome(code, text)
    if what.startswith("bad"):
        print(f"{what}: {query!r}\n{text[:500]}", file=sys.stderr)
    return what


def _run(*arguments: str) -> tuple[int, str]:
    from flows.cli.main import exit_code

    text = io.StringIO()
    with contextlib.redirect_stdout(text), contextlib.redirect_stderr(text):
        code = exit_code(arguments)
    return code, text.getvalue()


def _make_store(folder: Path, root: Path) -> None:
    table = folder / "table.csv"
    lines = [f"p{number},{number / 7},{number % 3},{number % 2}" for number in range(12)]
    table.write_text("\n".join(["id,a,b,y", *lines]) + "\n")
    code, text = _run(
        *("--store", str(root), "ingest", "--features", str(table), "--patient", "id"),
        *("--outcome", "y", "--positive", "1"),
    )
    if code:
        raise SystemExit(f"the store could not be made:\n{text}")
    # SQLite puts the ingest's log into the catalogue when the next reader ends.
    _run("--store", str(root), "sql", "select 1")


if __name__ == "__main__":
    sys.exit(main())
