"""A cloud's tables as one consistent snapshot to read: the SQLite file itself, or a copy in memory of what a PostgreSQL
database holds."""
import csv
import fcntl
import io
import sqlite3
import subprocess
import time


def open_tables(database):
    """A connection whose snapshot stays until it is closed."""
    if database.startswith("postgres"):
        connection = copy_postgres(database)
    else:
        connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=20, isolation_level=None)
    connection.row_factory = sqlite3.Row
    connection.execute("BEGIN")
    return connection


def psql(url, script):
    result = subprocess.run(["psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", url, "-f", "-"], input=script, capture_output=True, text=True,
                            timeout=120, check=False)
    if result.returncode:
        raise RuntimeError(result.stderr)
    return result.stdout


def write_tables(database, script):
    """Runs statements in one transaction, beside the cloud."""
    if database.startswith("postgres"):
        psql(database, f"BEGIN;\n{script}\nCOMMIT;\n")
        return
    connection = sqlite3.connect(database, timeout=20, isolation_level=None)
    try:
        connection.executescript(f"BEGIN IMMEDIATE;\n{script}\nCOMMIT;\n")
    finally:
        connection.close()


def is_lockable(database, table, name):
    """Whether nobody keeps others from writing that row, for longer than a moment."""
    try:
        if database.startswith("postgres"):
            psql(database, f"SET lock_timeout = '500ms'; SELECT 1 FROM {table} WHERE name = '{name}' FOR UPDATE;")
            return True
    except RuntimeError:
        return False
    end = time.monotonic() + 0.5
    with open(database + ".lock", "r+b") as file:  # db/write_lock.c: the turnstile's byte, and that of the lock
        while True:
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB, 2)
                return True
            except OSError:
                if time.monotonic() > end:
                    return False
                time.sleep(0.001)


MARK = "=== next table ==="
NULL = "\\N of a column"


def copy_postgres(url):
    columns = {}
    for line in psql(url, "COPY (SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' "
                          "ORDER BY 1, ordinal_position) TO STDOUT WITH CSV;").splitlines():
        table, column, kind = next(csv.reader([line]))
        columns.setdefault(table, []).append((column, "INTEGER" if kind == "bigint" else "TEXT"))
    script = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;\n"
    for table in columns:
        script += f"COPY (SELECT * FROM {table}) TO STDOUT WITH (FORMAT csv, NULL '{NULL}');\n\\echo '{MARK}'\n"
    copy = sqlite3.connect(":memory:", isolation_level=None)
    texts = psql(url, script + "COMMIT;\n").split(MARK + "\n")
    for (table, names), text in zip(columns.items(), texts):
        copy.execute(f"CREATE TABLE {table} ({', '.join(f'{name} {kind}' for name, kind in names)})")
        rows = ([None if value == NULL else value for value in row] for row in csv.reader(io.StringIO(text)))
        copy.executemany(f"INSERT INTO {table} VALUES ({', '.join('?' * len(names))})", rows)
    return copy
