"""The database's busiest client: writes a row, waits for the answer, writes the next.

    writer.py start HOME | stop HOME

HOME/writer/acknowledged holds the last row id that the database answered for. A backup that lacks it has lost a
row that somebody was promised.
"""

import functools
import os
import socket
import sys

from service import Service, until_terminated

PAUSE_SECONDS = 0.02
RECONNECT_SECONDS = 0.2


def write_until(asked, home, acknowledged):
    """Writes over one connection until asked to end or the database is gone."""
    with open(os.path.join(home, "db", "port")) as file:
        port = int(file.read())
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        answers = connection.makefile("r")
        number = 0
        while not asked.wait(PAUSE_SECONDS):
            number += 1
            connection.sendall(f"PUT order {number} of writer {os.getpid()}: {'夜' * (number % 50)}\n".encode())
            answer = answers.readline().split()
            if answer[:1] != ["OK"]:
                return
            with open(acknowledged + ".new", "w") as file:
                file.write(answer[1])
            os.rename(acknowledged + ".new", acknowledged)


def run(home, ready):
    asked = until_terminated()
    ready()
    while not asked.is_set():
        try:
            write_until(asked, home, os.path.join(home, "writer", "acknowledged"))
        except (OSError, ValueError):
            pass  # The database is stopped. It will be back.
        asked.wait(RECONNECT_SECONDS)


def main():
    verb, home = sys.argv[1:]
    service = Service("writer", os.path.join(home, "writer"))
    if verb == "start":
        service.start(functools.partial(run, home))
    elif verb == "stop":
        service.stop()
    else:
        sys.exit(__doc__)


main()
