"""One server with an agent inside for all tests that do not need their own. Directories of failed runs are kept, and named."""

import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import harness  # noqa: E402


class Directories:
    def __init__(self):
        self.made, self.failed = [], False

    def make(self, name="server"):
        directory = pathlib.Path(tempfile.mkdtemp(prefix=f"dandori-{name}-"))
        self.made.append(directory)
        return directory


_directories = Directories()


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    _directories.failed = _directories.failed or report.failed


def pytest_unconfigure(config):
    kept = [directory for directory in _directories.made if directory.exists()]
    if _directories.failed and kept:
        print("\nlogs and data of this run were kept:", *kept, sep="\n  ", file=sys.stderr)
        return
    for directory in kept:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def directories():
    return _directories


@pytest.fixture(scope="session")
def server(directories):
    """Open to this host, with an agent inside for account 000000000000."""
    server = harness.Server(directories.make(), agent=True).start()
    yield server
    server.stop()
    panics = [line for line in server.log.read_text(errors="replace").splitlines() if "panicked" in line]
    assert not panics, f"the server panicked: {panics}"


@pytest.fixture
def account():
    return harness.account()


@pytest.fixture
def sfn(server, account):
    """Step Functions in an account of its own."""
    return server.client("stepfunctions", account)


@pytest.fixture(scope="session")
def instance(server):
    return server.wait_for_instance()


@pytest.fixture(scope="session")
def ssm(server, instance):
    """Run Command, and Step Functions, where the agent is."""
    return server.client("ssm")


@pytest.fixture(scope="session")
def home(server, instance):
    return server.client("stepfunctions")
