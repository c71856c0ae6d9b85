"""The server's own log: its form and its level, from the file or as typed."""

import json
import subprocess

from harness import BINARY, Server, environment


def lines(server):
    server.start()
    server.wait_for_instance()
    server.stop()
    return server.log.read_text().splitlines()


def test_the_file_says_form_and_level(directories):
    found = lines(Server(directories.make("log"), agent=True, config='[log]\nform = "json"\nlevel = "info"\n'))
    told = [json.loads(line) for line in found]
    assert told and {line["level"] for line in told} <= {"INFO", "WARN", "ERROR"}


def test_what_is_typed_wins_and_a_wrong_level_is_refused(directories):
    assert lines(Server(directories.make("log"), agent=True, config='[log]\nlevel = "info"\n', env=environment(DANDORI_LOG="error"))) == []
    ran = subprocess.run([BINARY, "server", "--log-format", "json", "--log-level", "info=nonsense=1"], capture_output=True, text=True, env=environment(), timeout=20)
    assert ran.returncode == 1 and "use the log level 'info=nonsense=1'" in ran.stderr
