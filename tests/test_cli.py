"""The command line that people type: shapes of output, exit codes, widths of Japanese. No terminal unless a test makes one."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import time
import unicodedata

import pytest

from harness import BINARY, ended, environment, machine, until

PASS = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
FAIL = {"StartAt": "A", "States": {"A": {"Type": "Fail", "Error": "Night.Failed", "Cause": "原因"}}}
WAIT = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": True}}}
SHORT = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1, "End": True}}}


@pytest.fixture
def dandori(server, account):
    return lambda *arguments, **more: server.dandori(*arguments, account=account, **more)


def width(text):
    """Columns on a terminal."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def rows(ran):
    assert ran.returncode == 0, ran.stderr
    return [line.split("\t") for line in ran.stdout.splitlines()]


def start(sfn, definition, named, **more):
    return sfn.start_execution(stateMachineArn=machine(sfn, definition, named), **more)["executionArn"]


def test_a_pipe_gets_tabs_and_iso_times(dandori, sfn):
    ended(sfn, start(sfn, PASS, "夜間バックアップ", name="一回目"))
    head, row = rows(dandori("execution", "list"))
    assert head == ["status", "definition", "name", "started", "seconds"]
    assert row[:3] == ["succeeded", "夜間バックアップ", "一回目"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", row[3])
    (alone,) = rows(dandori("execution", "list", "--no-headers"))
    assert alone == row


def test_tables_are_aligned_whatever_the_script(dandori, sfn):
    for number, name in enumerate(["a", "夜間バックアップ", "ﾊﾝｶｸ", "mixed混在"]):
        ended(sfn, start(sfn, PASS if number % 2 else FAIL, name, name=f"実行{number}"))
    ran = dandori("execution", "list", "--output", "table", "--color", "never")
    head, *body = ran.stdout.splitlines()
    assert len(body) == 4
    at = width(head[: head.index("NAME")])
    for line in body:
        assert width(line[: line.index("実行")]) == at, ran.stdout
    # The status is a word, whatever else it is.
    assert ["Succeeded" in line for line in body].count(True) == 2 == ["Failed" in line for line in body].count(True)
    japanese = dandori("execution", "list", "--output", "table", "--lang", "ja", "--color", "never").stdout
    assert japanese.count("正常終了") == japanese.count("異常終了") == 2
    assert "\x1b[" not in ran.stdout + japanese


def test_json_is_json(dandori, sfn):
    arn = start(sfn, PASS, "m", name="e", input='{"a":[1,2]}')
    ended(sfn, arn)
    (listed,) = json.loads(dandori("execution", "list", "--output", "json").stdout)
    assert (listed["arn"], listed["definition"], listed["name"], listed["status"]) == (arn, "m", "e", "succeeded")
    shown = json.loads(dandori("execution", "show", "e", "--output", "json").stdout)
    assert (shown["input"], shown["output"]) == ({"a": [1, 2]}, {"a": [1, 2]})
    lines = dandori("execution", "history", "e", "--output", "jsonl").stdout.splitlines()
    events = [json.loads(line) for line in lines]
    assert [event["type"] for event in events] == ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]
    assert [event["id"] for event in events] == [1, 2, 3, 4]


def test_definitions_are_put_listed_and_shown(dandori, tmp_path):
    file = tmp_path / "net.asl.json"
    file.write_text(json.dumps(PASS, indent=2))
    ran = dandori("definition", "put", file, "--name", "夜間")
    assert ran.returncode == 0, ran.stderr
    assert "stateMachine:夜間" in ran.stdout + ran.stderr
    assert dandori("definition", "put", file, "--name", "夜間").returncode == 0
    listed = json.loads(dandori("definition", "list", "--output", "json").stdout)
    assert [one["name"] for one in listed] == ["夜間"]
    assert json.loads(json.loads(dandori("definition", "show", "夜間", "--output", "json").stdout)["definition"]) == PASS
    file.write_text(json.dumps(FAIL))
    assert dandori("definition", "put", file, "--name", "夜間").returncode == 0
    assert json.loads(json.loads(dandori("definition", "show", "夜間", "--output", "json").stdout)["definition"]) == FAIL


def test_starting_and_following(dandori, sfn):
    machine(sfn, SHORT, "short")
    ran = dandori("execution", "start", "short", "--name", "s", "--input", '{"a":1}', "--wait")
    assert ran.returncode == 0, ran.stderr
    ran = dandori("execution", "watch", "s")
    assert ran.returncode == 0 and "succeeded" in ran.stdout + ran.stderr
    machine(sfn, PASS, "passes")
    ran = dandori("execution", "start", "passes", "--watch")
    assert ran.returncode == 0 and "A" in ran.stdout


def test_filters(dandori, sfn):
    ended(sfn, start(sfn, PASS, "passes"))
    ended(sfn, start(sfn, FAIL, "fails"))
    assert [row[1] for row in rows(dandori("execution", "list", "--status", "failed", "--no-headers"))] == ["fails"]
    assert [row[1] for row in rows(dandori("execution", "list", "--definition", "passes", "--no-headers"))] == ["passes"]
    limited = dandori("execution", "list", "--limit", "1", "--no-headers")
    assert len(rows(limited)) == 1


def test_exit_codes(dandori, server, sfn, tmp_path):
    ended(sfn, start(sfn, FAIL, "fails", name="f"))
    running = start(sfn, WAIT, "waits", name="w")
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"StartAt":"B","States":{"A":{"Type":"Pass","End":true}}}')
    codes = {
        ("execution", "watch", "f"): 1,
        ("execution", "dance"): 2,
        ("execution", "list", "--status", "dancing"): 2,
        ("execution", "show", "none"): 3,
        ("execution", "start", "none"): 3,
        ("execution", "watch", "w", "--timeout", "1"): 8,
        ("definition", "put", str(wrong), "--name", "m"): 10,
        ("execution", "start", "fails", "--input", "{"): 10,
        ("execution", "list", "--endpoint-url", "http://127.0.0.1:1"): 7,
        ("execution", "stop", "w"): 2,
        ("execution", "start", "waits", "--name", "w", "--input", "1"): 6,
        ("--version",): 0,
    }
    found = {words: dandori(*words).returncode for words in codes}
    assert found == codes
    assert dandori("execution", "stop", "w", "--yes", "--cause", "夜間作業").returncode == 0
    assert dandori("execution", "watch", running).returncode == 9


def test_errors_have_a_code_and_a_next_step(dandori):
    ran = dandori("execution", "show", "night-1")
    assert ran.stdout == ""
    assert re.match(r'error\[DN\d{4}\]: there is no execution "night-1"\nhint: ', ran.stderr), ran.stderr
    ran = dandori("execution", "show", "night-1", "--lang", "ja")
    assert ran.stderr.startswith("エラー[DN") and "対処: " in ran.stderr


def on_terminal(arguments, env, seconds, until_text=None, interrupt=False, size=(24, 80)):
    """Runs it on a terminal of its own. Returns what it wrote and its exit code."""
    import fcntl
    import struct
    import termios

    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))
    child = subprocess.Popen([BINARY, *arguments], stdin=follower, stdout=follower, stderr=follower, env={**env, "TERM": "xterm-256color"}, start_new_session=True)
    os.close(follower)
    written, end = b"", time.monotonic() + seconds
    interrupted = False
    while time.monotonic() < end:
        if select.select([leader], [], [], 0.05)[0]:
            try:
                more = os.read(leader, 65536)
            except OSError:
                break
            if not more:
                break
            written += more
        elif child.poll() is not None:
            break
        if interrupt and not interrupted and until_text in written.decode(errors="replace"):
            child.send_signal(signal.SIGINT)
            interrupted = True
    os.close(leader)
    try:
        return written.decode(errors="replace"), child.wait(10)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
        raise AssertionError(f"it did not end: {written[-500:]!r}") from None


def test_watching_on_a_terminal(server, sfn, account):
    arn = start(sfn, {**SHORT, "States": {"W": {**SHORT["States"]["W"], "Seconds": 2}}}, "夜間", name="t")
    text, code = on_terminal(["execution", "watch", arn], environment(account, DANDORI_URL=server.url), 30)
    assert code == 0 and "W" in text and "Succeeded after 2." in text


def test_ctrl_c_detaches_and_the_execution_goes_on(server, sfn, account):
    arn = start(sfn, WAIT, "waits", name="w")
    text, code = on_terminal(["execution", "watch", "w"], environment(account, DANDORI_URL=server.url), 20, until_text="W", interrupt=True)
    assert code in (0, 130), (code, text)
    assert sfn.describe_execution(executionArn=arn)["status"] == "RUNNING"
    assert "dandori execution" in text


def test_commands_and_instances(server, instance, ssm):
    command = ssm.send_command(InstanceIds=[instance], DocumentName="AWS-RunShellScript", Parameters={"commands": ["echo ok"]})["Command"]["CommandId"]
    until(lambda: ssm.list_commands(CommandId=command)["Commands"][0]["Status"] == "Success", 20)
    assert instance in server.dandori("instance", "list").stdout
    assert command in server.dandori("command", "list").stdout
    assert server.dandori("command", "show", command).returncode == 0


def test_a_command_is_run_and_its_output_shown(server, instance):
    ran = server.dandori("command", "run", "--instance", instance, "--", "printf", "%s\\n", "it's", "a b", "$HOME")
    assert (ran.returncode, ran.stdout) == (0, "it's\na b\n$HOME\n"), ran.stderr
    ran = server.dandori("command", "run", "--all", "--", "echo $((40 + 2)); echo bad >&2; exit 3")
    assert (ran.returncode, ran.stdout) == (1, "42\n")
    assert "bad\n" in ran.stderr and f"{instance}: Failed" in ran.stderr
    ran = server.dandori("command", "run", "--tag", "nobody=has", "--", "true")
    assert ran.returncode == 3 and "No instance matches" in ran.stderr
    ran = server.dandori("command", "run", "--name", "nobody", "--", "true")
    assert ran.returncode == 3 and "error[DN" in ran.stderr
    assert server.dandori("command", "run", "--instance", instance, "--max-concurrency", "0", "--", "true").returncode == 10


def test_a_job_gets_its_input_and_environment_and_may_end_with_a_warning(server, instance, tmp_path):
    (tmp_path / "in").write_text("夜\n")
    (tmp_path / "job.sh").write_text('cat; pwd; echo "$A"\n')
    job = ["--instance", instance, "--cwd", "/", "--env", 'A=x="1" y', "--stdin", tmp_path / "in", "--script", tmp_path / "job.sh"]
    ran = server.dandori("command", "run", *job)
    assert (ran.returncode, ran.stdout) == (0, '夜\n/\nx="1" y\n'), ran.stderr
    warned = ["--instance", instance, "--document", "Dandori-RunJob", "-p", "script=exit 4", "-p", "warning=4", "-o", "json"]
    ran = server.dandori("command", "run", *warned)
    assert ran.returncode == 0, ran.stderr
    (invocation,) = json.loads(ran.stdout)["invocations"]
    assert (invocation["verdict"], invocation["exit_code"], invocation["attempt"]) == ("warning", 4, 1)
    assert [(step["name"], step["status"]) for step in invocation["steps"]] == [("runJob", "Success")]
    assert server.dandori("command", "run", *warned, "--warn-exit").returncode == 4


def test_every_attempt_is_shown(server, instance):
    retried = ["-p", "script=echo try; exit 1", "-p", "retryCodes=1", "-p", "retryTimes=1", "-p", "retryIntervalSeconds=1"]
    ran = server.dandori("command", "run", "--instance", instance, "--document", "Dandori-RunJob", *retried)
    assert (ran.returncode, ran.stdout) == (1, "try\ntry\n"), ran.stderr
    (command,) = re.findall(r"Sent (\S+) ", ran.stderr)
    shown = json.loads(server.dandori("command", "show", command, "-o", "json").stdout)
    (invocation,) = shown["invocations"]
    assert [(attempt["number"], attempt["exit_code"], attempt["verdict"]) for attempt in invocation["attempts"]] == [(1, 1, "abnormal")]
    assert invocation["attempt"] == 2


def test_a_command_is_left_and_cancelled(server, instance):
    arguments = ["command", "run", "--instance", instance, "--", "echo begun; sleep 300"]
    text, code = on_terminal(arguments, environment(DANDORI_URL=server.url), 20, until_text="begun", interrupt=True)
    assert code == 130, text
    (command,) = set(re.findall(r"dandori command cancel (\S+)", text))
    refused = server.dandori("command", "cancel", command)
    assert refused.returncode == 2 and "--yes" in refused.stderr
    tried = server.dandori("command", "cancel", command, instance, "--dry-run")
    assert tried.returncode == 0 and "Nothing was changed" in tried.stderr
    assert json.loads(server.dandori("command", "show", command, "-o", "json").stdout)["status"] == "InProgress"
    assert server.dandori("command", "cancel", command, "mi-00000000000000000", "--yes").returncode == 3
    assert server.dandori("command", "cancel", command, "--yes", "--reason", "test").returncode == 0
    until(lambda: json.loads(server.dandori("command", "show", command, "-o", "json").stdout)["status"] == "Cancelled", 20)

    ran = server.dandori("command", "run", "--instance", instance, "--timeout", "2", "--", "sleep 300")
    assert ran.returncode == 8 and "Still running" in ran.stderr
    (command,) = set(re.findall(r"dandori command cancel (\S+)", ran.stderr))
    server.dandori("command", "cancel", command, "--yes")
    ran = server.dandori("command", "run", "--instance", instance, "--no-wait", "-o", "json", "--", "sleep 300")
    cancelled = server.dandori("command", "cancel", json.loads(ran.stdout)["id"], "--yes", "-o", "json")
    assert json.loads(cancelled.stdout)["status"] in ("Cancelling", "Cancelled")
