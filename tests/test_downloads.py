"""aws:downloadContent and AWS-RunRemoteScript, from a bucket and from the host, through a real agent."""

import json

import pytest

import harness
from harness import until

S3 = "https://s3.us-east-1.amazonaws.com"


@pytest.fixture(scope="module")
def place(directories):
    """A server with a bucket that is a folder, and an agent."""
    directory = directories.make("downloads")
    (directory / "scripts" / "jobs" / "lib").mkdir(parents=True)
    (directory / "scripts" / "jobs" / "main.sh").write_text('#!/bin/sh\n. ./lib/words.sh\necho "$GREETING, $1"\nexit 3\n')
    (directory / "scripts" / "jobs" / "lib" / "words.sh").write_text("GREETING=hello\n")
    server = harness.Server(directory / "server", agent=True, config=f'[buckets]\nscripts = "{directory / "scripts"}"\n').start()
    yield server, server.wait_for_instance(), directory
    server.stop()


def run(place, document, **parameters):
    server, instance, _ = place
    ssm = server.client("ssm")
    given = {name: [value] for name, value in parameters.items()}
    command = ssm.send_command(InstanceIds=[instance], DocumentName=document, Parameters=given)["Command"]["CommandId"]

    def ended():
        (one,) = ssm.list_command_invocations(CommandId=command, Details=True)["CommandInvocations"]
        return one if one["Status"] not in ("Pending", "InProgress", "Delayed") else None

    one = until(ended, 30, f"{command} did not end")
    return one["StatusDetails"], {plugin["Name"]: (plugin["Status"], plugin["ResponseCode"], plugin["Output"]) for plugin in one["CommandPlugins"]}


@pytest.mark.parametrize("source", ["S3", "LocalPath"])
def test_a_script_from_elsewhere_runs_with_what_lies_beside_it(place, source):
    path = f"{S3}/scripts/jobs/" if source == "S3" else str(place[2] / "scripts" / "jobs")
    status, plugins = run(place, "AWS-RunRemoteScript", sourceType=source, sourceInfo=json.dumps({"path": path}), commandLine="sh main.sh 'you; there'")
    assert plugins["downloadContent"][:2] == ("Success", 0), plugins
    assert (status, plugins["runScript"]) == ("Failed", ("Failed", 3, "hello, you; there\n"))


def test_one_file_is_run_directly(place):
    info = json.dumps({"path": f"{S3}/scripts/jobs/lib/words.sh"})
    status, plugins = run(place, "AWS-RunRemoteScript", sourceType="S3", sourceInfo=info, commandLine="sh -c 'cat words.sh'")
    assert (status, plugins["runScript"][2]) == ("Success", "GREETING=hello\n"), plugins


@pytest.mark.parametrize("path", [f"{S3}/scripts/none.sh", f"{S3}/no-such-bucket/x.sh", f"{S3}/scripts/../../etc/passwd"])
def test_what_is_not_there_is_said(place, path):
    status, plugins = run(place, "AWS-RunRemoteScript", sourceType="S3", sourceInfo=json.dumps({"path": path}), commandLine="x.sh")
    assert status == "Failed" and plugins["downloadContent"][0] == "Failed", plugins
