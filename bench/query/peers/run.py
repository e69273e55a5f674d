"""Asks a database the questions of the benchmark: run.py duckdb|clickhouse ROUNDS FOLDER

FOLDER has the tables as CSV and questions.json. Prints one JSON line: the version, seconds to load
the tables into memory, memory of the process, and of each question what was found (rows whose last
column is not 0, the sum of it), its first milliseconds and the percentiles of all.
"""

import json
import os
import resource
import sys
import time

TABLES = {
    "sessions": "id int, day int, person int, channel text, source text, medium text, campaign text,"
    " country text, device text, browser text, os text, entry_page text, exit_page text,"
    " bounce int, duration bigint, converted int, is_new int",
    "orders": "day int, value bigint, channel text, city text",
    "lines": "day int, item text, quantity int, worth bigint",
    "events": "ms bigint, second bigint, minute bigint, hour bigint, day int, name text, page text,"
    " person int, session int, session_day int, place int, term text, category text",
    "payments": "day int, latency int",
}
KINDS = {"int": "Int32", "bigint": "Int64", "text": "LowCardinality(String)"}


def duckdb_run(folder):
    import duckdb

    connection = duckdb.connect()
    for name, columns in TABLES.items():
        connection.execute(f"create table {name} ({columns})")
        connection.execute(f"copy {name} from '{folder}/{name}.csv' (header true)")
    return duckdb.__version__, lambda text: connection.execute(text).fetchall()


def clickhouse_run(folder):
    import chdb
    from chdb.session import Session

    session = Session()

    def run(text):
        answer = session.query(text, "JSONCompact")
        text = answer.bytes().decode() if answer is not None else ""
        return json.loads(text)["data"] if text.strip() else []

    run("create database shop engine = Atomic")
    run("use shop")
    for name, columns in TABLES.items():
        pairs = [column.split() for column in columns.split(",")]
        typed = ", ".join(f"{column} {KINDS[kind]}" for column, kind in pairs)
        order = "ms" if name == "events" else "day"
        run(f"create table {name} ({typed}) engine = MergeTree order by {order}")
        run(f"insert into {name} select * from file('{folder}/{name}.csv', CSVWithNames)")
    quantile = ("quantile(latency, 0.95)", "quantile(0.95)(latency)")
    return chdb.engine_version, lambda text: run(text.replace(*quantile))


def main():
    name, rounds, folder = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    begun = time.monotonic()
    version, run = {"duckdb": duckdb_run, "clickhouse": clickhouse_run}[name](folder)
    load_seconds = time.monotonic() - begun
    with open(os.path.join(folder, "questions.json"), encoding="utf-8") as file:
        questions = json.load(file)
    found = []
    for question in questions:
        times = []
        for _ in range(rounds):
            begun = time.monotonic()
            rows = run(question["sql"])
            times.append(1e3 * (time.monotonic() - begun))
        numbers = [float(row[-1]) for row in rows if float(row[-1]) != 0]
        first = times[0]
        times.sort()
        p99 = times[-(-len(times) * 99 // 100) - 1]
        found.append(
            {
                "found": [len(numbers), sum(numbers)],
                "first_ms": first,
                "p50": times[(len(times) - 1) // 2],
                "p99": p99,
            }
        )
    peak = 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(
        json.dumps(
            {
                "version": str(version),
                "load_seconds": load_seconds,
                "bytes": peak,
                "questions": found,
            }
        )
    )


main()
