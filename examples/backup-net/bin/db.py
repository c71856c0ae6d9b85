"""The database: rows in HOME/db/data.sqlite, written through a port that the system chooses.

    db.py start HOME | stop HOME

One line asks, one line answers: `PUT TEXT` gives `OK ID` once the row is on disk, `COUNT` gives `OK ROWS`.
"""

import functools
import os
import socketserver
import sqlite3
import sys
import threading

from service import Service, until_terminated

LINE_BYTES_MAX = 65536


class Table:
    """The one connection to the file; one caller at a time."""

    def __init__(self, path):
        self.lock = threading.Lock()
        self.db = sqlite3.connect(path, check_same_thread=False)
        self.db.execute("PRAGMA journal_mode = WAL")
        self.db.execute("PRAGMA synchronous = FULL")
        self.db.execute("CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, text TEXT NOT NULL)")
        self.db.commit()

    def put(self, text):
        with self.lock:
            row = self.db.execute("INSERT INTO orders (text) VALUES (?)", (text,))
            self.db.commit()
            return row.lastrowid

    def count(self):
        with self.lock:
            return self.db.execute("SELECT count(*) FROM orders").fetchone()[0]

    def close(self):
        # The lock is kept: a client that still asks gets no answer, and so no promise.
        self.lock.acquire()
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.db.close()


class Session(socketserver.StreamRequestHandler):
    def handle(self):
        while line := self.rfile.readline(LINE_BYTES_MAX):
            word, _, rest = line.decode("utf-8", "replace").rstrip("\r\n").partition(" ")
            if word == "PUT":
                answer = f"OK {self.server.table.put(rest)}"
            elif word == "COUNT":
                answer = f"OK {self.server.table.count()}"
            else:
                answer = "NO such word"
            self.wfile.write(answer.encode() + b"\n")


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    # A session lasts as long as its client; ending does not wait for it.
    block_on_close = False


def run(directory, ready):
    asked = until_terminated()
    table = Table(os.path.join(directory, "data.sqlite"))
    server = Server(("127.0.0.1", 0), Session)
    server.table = table
    serving = threading.Thread(target=server.serve_forever, args=(0.05,))
    serving.start()
    ready(server.server_address[1])
    asked.wait()
    server.shutdown()
    serving.join()
    table.close()
    server.server_close()


def main():
    verb, home = sys.argv[1:]
    directory = os.path.join(home, "db")
    service = Service("database", directory)
    if verb == "start":
        service.start(functools.partial(run, directory))
    elif verb == "stop":
        service.stop()
    else:
        sys.exit(__doc__)


main()
