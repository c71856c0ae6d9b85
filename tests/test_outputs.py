"""Whole outputs: a script that floods, read in ranges, followed live, brought elsewhere, and what a kill leaves."""

import pathlib
import subprocess
import urllib.error
import urllib.request

import pytest

import harness
from harness import until

MIB = 1 << 20
BIG = 200 * MIB
# 64 bytes a line, numbered.
FLOOD = "seq -f 'line %058.0f' {lines}"


@pytest.fixture
def own(directories):
    """A server with a folder for a bucket, and an agent inside."""
    directory = directories.make("outputs")
    bucket = directory / "bucket"
    bucket.mkdir()
    server = harness.Server(directory, agent=True, config=f"[buckets]\nnight = '{bucket}'\n").start()
    server.bucket = bucket
    yield server
    server.stop()
    assert "panicked" not in server.log.read_text(errors="replace")


def send(server, script, **more):
    instance = server.wait_for_instance()
    command = server.client("ssm").send_command(
        InstanceIds=[instance], DocumentName="AWS-RunShellScript", Parameters={"commands": [script]}, **more
    )["Command"]
    return instance, command["CommandId"]


def get(server, command, instance, query="", **headers):
    """Status, headers and body. On this host an account's number is a key."""
    path = f"{server.url}/api/v1/commands/{command}/invocations/{instance}/output{query}"
    request = urllib.request.Request(path, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read()


def ended(server, command, instance, seconds=120):
    ssm = server.client("ssm")

    def question():
        invocation = ssm.get_command_invocation(CommandId=command, InstanceId=instance)
        return invocation if invocation["Status"] not in ("Pending", "InProgress", "Delayed", "Cancelling") else None

    return until(question, seconds, f"{command} did not end")


def complete(server, command, instance, seconds=180):
    def question():
        headers = get(server, command, instance, "?max=0")[1]
        return int(headers["x-dandori-total"]) if headers["x-dandori-complete"] == "true" else None

    return until(question, seconds, "the output did not come")


def rss(process):
    status = pathlib.Path(f"/proc/{process.child.pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def followed(server, *which):
    arguments = [harness.BINARY, "command", "output", *which, "--follow", "--endpoint-url", server.url]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, env=harness.environment())


def test_ranges_of_an_output(own):
    instance, command = send(own, "echo hello; echo wrong >&2")
    ended(own, command, instance)
    assert complete(own, command, instance) == 6
    status, headers, body = get(own, command, instance)
    assert (status, body, headers["content-type"]) == (200, b"hello\n", "text/plain; charset=utf-8")
    assert headers["x-content-type-options"] == "nosniff" and headers["content-disposition"].startswith("attachment")
    status, headers, body = get(own, command, instance, Range="bytes=1-3")
    assert (status, body, headers["content-range"]) == (206, b"ell", "bytes 1-3/6")
    assert get(own, command, instance, Range="bytes=-2")[2] == b"o\n"
    status, headers, _ = get(own, command, instance, Range="bytes=6-")
    assert (status, headers["content-range"]) == (416, "bytes */6")
    assert get(own, command, instance, "?from=-3&max=2")[2] == b"lo"
    assert get(own, command, instance, "?stream=stderr&step=0")[2] == b"wrong\n"
    assert get(own, command, instance, "?step=nowhere")[0] == 422
    assert get(own, command, "mi-00000000000000009")[0] == 404
    shown = own.dandori("command", "output", command)
    assert shown.stdout == "hello\n", shown
    shown = own.dandori("command", "output", command, instance, "--stderr", "--follow")
    assert shown.stdout == "wrong\n", shown


def test_a_flood_is_kept_and_followed_in_little_memory(own):
    lines = BIG // 64
    instance, command = send(own, FLOOD.format(lines=lines))
    seen = last = 0
    with followed(own, command) as follow:
        while chunk := follow.stdout.read(MIB):
            seen += len(chunk)
            last = chunk[-64:]
        assert follow.wait(60) == 0
    assert (seen, last) == (BIG, f"line {lines:058}\n".encode())
    assert ended(own, command, instance)["Status"] == "Success"
    assert complete(own, command, instance) == BIG
    assert get(own, command, instance, "?from=-64")[2] == f"line {lines:058}\n".encode()
    # The agent is in this process as well.
    assert rss(own.process) < 200 * MIB, rss(own.process) // MIB


def test_an_output_survives_kills_and_is_brought_to_a_bucket_and_a_log_group(own):
    lines = 32 * MIB // 64
    script = f"{FLOOD.format(lines=lines)}; sleep 2; echo end"
    instance, command = send(
        own, script, OutputS3BucketName="night", OutputS3KeyPrefix="logs",
        CloudWatchOutputConfig={"CloudWatchOutputEnabled": True, "CloudWatchLogGroupName": "outputs"},
    )
    for _ in range(3):
        until(lambda: int(get(own, command, instance, "?max=0")[1].get("x-dandori-total", 0)) > MIB, 60, "nothing came")
        own.kill()
        own.start()
    assert ended(own, command, instance)["Status"] == "Success"
    total = complete(own, command, instance)
    body = get(own, command, instance)[2]
    assert total == len(body) == 32 * MIB + 4
    assert body.endswith(f"line {lines:058}\nend\n".encode())
    assert all(int(line[5:]) == number for number, line in enumerate(body.splitlines()[:-1], 1))
    place = own.bucket / "logs" / command / instance / "awsrunShellScript" / "0.awsrunShellScript" / "stdout"
    until(place.exists, 60, "no object came")
    assert place.read_bytes() == body
    logs = own.client("logs")
    stream = f"{command}/{instance}/aws-runShellScript/stdout"

    def logged():
        events, token = [], {}
        while True:
            page = logs.get_log_events(logGroupName="outputs", logStreamName=stream, startFromHead=True, **token)
            if not page["events"]:
                return events
            events += [event["message"] for event in page["events"]]
            token = {"nextToken": page["nextForwardToken"]}

    until(lambda: logs.describe_log_groups()["logGroups"], 60, "no group was made")
    until(lambda: len(logged()) >= lines + 1, 120, "not all lines were logged", pause=2)
    assert logged() == body.decode().splitlines()


def test_lines_of_an_output_are_shown_before_it_ends(own):
    instance, command = send(own, "echo first; sleep 8; echo last")
    with followed(own, command, instance) as follow:
        assert follow.stdout.readline() == b"first\n"
        status = own.client("ssm").get_command_invocation(CommandId=command, InstanceId=instance)["Status"]
        assert status == "InProgress"
        assert follow.stdout.read() == b"last\n"
        assert follow.wait(30) == 0
