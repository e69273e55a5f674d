"""Computes sessions and orders by channel in one batch: run.py duckdb|clickhouse TABLE.csv

Prints one JSON line: seconds to load the table into memory, seconds of each query on the clock and
on the processor, and the rows.
"""

import json
import os
import sys
import time

FOLDER = os.path.dirname(os.path.abspath(__file__))


def read(name):
    with open(os.path.join(FOLDER, name), encoding="utf-8") as file:
        return [part.strip() for part in file.read().split(";") if part.strip()]


def duckdb_run(statements):
    import duckdb

    connection = duckdb.connect()
    return duckdb.__version__, lambda text: connection.execute(text).fetchall()


def clickhouse_run(statements):
    import chdb
    from chdb.session import Session

    session = Session()

    def run(text):
        answer = session.query(text, "JSONCompact")
        text = answer.bytes().decode() if answer is not None else ""
        return json.loads(text)["data"] if text.strip() else []

    return chdb.engine_version, run


def main():
    name, table = sys.argv[1:]
    statements = [text.replace("{table}", table) for text in read(name + ".sql")]
    version, run = {"duckdb": duckdb_run, "clickhouse": clickhouse_run}[name](statements)
    *load, sessions, orders = statements
    clocks = [(time.monotonic(), time.process_time())]
    for statement in load:
        run(statement)
    clocks.append((time.monotonic(), time.process_time()))
    found = []
    for statement in (sessions, orders):
        found.append(rows(run(statement)))
        clocks.append((time.monotonic(), time.process_time()))
    spent = [[b - a for a, b in zip(*pair)] for pair in zip(clocks, clocks[1:])]
    print(
        json.dumps(
            {
                "version": str(version),
                "load_seconds": spent[0][0],
                "sessions_seconds": spent[1][0],
                "sessions_processor_seconds": spent[1][1],
                "orders_seconds": spent[2][0],
                "sessions": found[0],
                "orders": found[1],
            }
        )
    )


def rows(found):
    return sorted([" ".join(map(str, row[:-1])), int(row[-1])] for row in found)


main()
