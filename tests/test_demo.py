"""`dandori demo` as a newcomer and as a pipeline run it. It leaves nothing behind, however it ends."""

import signal
import subprocess
import time

import pytest

from harness import BINARY, environment


def traces(directory):
    """Processes that work below a directory."""
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if str(directory) in line and "ps -eo" not in line]


@pytest.fixture
def scratch(tmp_path):
    """Where the demo makes its home."""
    return environment(TMPDIR=str(tmp_path)), tmp_path


def test_it_ends_by_itself_where_nobody_looks(scratch):
    env, directory = scratch
    ran = subprocess.run([BINARY, "demo", "--color", "never"], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for word in ["Stop web server", "Stop DB server", "Back up web", "Back up DB", "Start DB server", "Start web server", "--endpoint-url"]:
        assert word in ran.stdout, ran.stdout
    assert traces(directory) == [] and list(directory.iterdir()) == []


@pytest.mark.parametrize("after", [0.3, 2.0])
def test_interrupted_it_leaves_nothing_running(scratch, after):
    env, directory = scratch
    child = subprocess.Popen([BINARY, "demo"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
    time.sleep(after)
    child.send_signal(signal.SIGINT)
    assert child.wait(60) in (0, 130)
    time.sleep(0.5)
    assert traces(directory) == [] and list(directory.iterdir()) == []
