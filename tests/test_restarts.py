"""What a server finds again after it was ended or killed."""

import json
import subprocess
import time

import pytest

import harness
from harness import BINARY, ended, environment, history, machine, names, until

PASS = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}


@pytest.fixture
def own(directories):
    server = harness.Server(directories.make("restarts"), agent=True).start()
    yield server
    server.kill()


def restart(server, how):
    server.stop() if how == "ended" else server.kill()
    server.start()


@pytest.mark.parametrize("how", ["ended", "killed"])
def test_everything_is_there_again(own, how):
    sfn = own.client("stepfunctions")
    arn = machine(sfn, PASS, "夜間")
    sfn.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "1"}])
    executions = [sfn.start_execution(stateMachineArn=arn, name=f"e{number}", input=f"[{number}]")["executionArn"] for number in range(5)]
    before = [(ended(sfn, one), history(sfn, one)) for one in executions]
    listed = sfn.list_executions(stateMachineArn=arn)["executions"]
    page = sfn.list_executions(stateMachineArn=arn, maxResults=2)
    instance = own.wait_for_instance()
    restart(own, how)

    def same(one):
        return {key: value for key, value in one.items() if key != "ResponseMetadata"}

    for one, (described, events) in zip(executions, before):
        assert same(sfn.describe_execution(executionArn=one)) == same(described)
        assert history(sfn, one) == events
    assert sfn.list_executions(stateMachineArn=arn)["executions"] == listed
    assert sfn.list_executions(stateMachineArn=arn, maxResults=2, nextToken=page["nextToken"])["executions"] == listed[2:4]
    assert sfn.list_tags_for_resource(resourceArn=arn)["tags"] == [{"key": "a", "value": "1"}]
    assert own.wait_for_instance() == instance


@pytest.mark.parametrize("how", ["ended", "killed"])
def test_a_script_outlives_its_server(own, how, tmp_path):
    """The server and the agent inside it end; the script does not notice, and its result is there afterwards."""
    sfn, instance, ledger = own.client("stepfunctions"), own.wait_for_instance(), tmp_path / "ledger"
    script = f"echo begin >> {ledger}; sleep 3; echo end >> {ledger}; echo 結果"
    task = {"Type": "Task", "Resource": "arn:aws:states:::ssm:sendCommand.sync", "End": True,
            "Parameters": {"DocumentName": "AWS-RunShellScript", "InstanceIds": [instance], "Parameters": {"commands": [script]}}}
    arn = sfn.start_execution(stateMachineArn=machine(sfn, {"StartAt": "T", "States": {"T": task}}))["executionArn"]
    until(ledger.exists, 20, "it did not begin")
    restart(own, how)
    described = ended(sfn, arn, 40)
    assert described["status"] == "SUCCEEDED", described
    assert json.loads(described["output"])["CommandInvocations"][0]["StandardOutputContent"] == "結果\n"
    assert ledger.read_text() == "begin\nend\n"


def test_what_fell_due_while_nobody_was_there_happens_once(own):
    sfn = own.client("stepfunctions")
    definition = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1, "End": True}}}
    arn = sfn.start_execution(stateMachineArn=machine(sfn, definition))["executionArn"]
    limited = {"StartAt": "W", "TimeoutSeconds": 1, "States": {"W": {"Type": "Wait", "Seconds": 60, "End": True}}}
    timed = sfn.start_execution(stateMachineArn=machine(sfn, limited, "limited"))["executionArn"]
    own.kill()
    time.sleep(2)
    own.start()
    assert ended(sfn, arn, 5)["status"] == "SUCCEEDED" and ended(sfn, timed, 5)["status"] == "TIMED_OUT"
    assert names(history(sfn, arn)) == ["ExecutionStarted", "WaitStateEntered", "WaitStateExited", "ExecutionSucceeded"]


def test_an_agent_that_is_away_is_shown_as_such(own, directories):
    directory = directories.make("agents")
    away = harness.agent(own, directory / "away", "mi-aaaaaaaaaaaaaaaaa")
    own.wait_for_instance(instance_id="mi-aaaaaaaaaaaaaaaaa")
    away.stop()

    def ping():
        listed = own.client("ssm").describe_instance_information()["InstanceInformationList"]
        return {one["InstanceId"]: one["PingStatus"] for one in listed}["mi-aaaaaaaaaaaaaaaaa"]

    until(lambda: ping() == "ConnectionLost", 15, "it is still shown as online")
    own.stop()
    own.start()
    assert ping() == "ConnectionLost"


def test_a_store_in_memory_forgets(tmp_path):
    ran = subprocess.run([BINARY, "server", "--listen", "127.0.0.1:0", "--store", "dance"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                         env=environment(), cwd=tmp_path, timeout=20)
    assert ran.returncode == 1 and "sqlite and memory are known" in ran.stderr
    config = tmp_path / "server"
    server = harness.Server(config, config='store = "memory"').start()
    sfn = server.client("stepfunctions")
    machine(sfn, PASS)
    server.stop()
    server.start()
    assert sfn.list_state_machines()["stateMachines"] == []
    server.stop()
    assert not (server.data / "store").exists()


def test_a_step_that_paused_goes_on_after_a_kill(own):
    """A loop of large payloads is many steps; a server that is killed between two of them goes on with the next."""
    sfn = own.client("stepfunctions")
    count = {"Type": "Pass", "Parameters": {"n.$": "States.MathAdd($.n, 1)", "pad.$": "$.pad"}, "Assign": {"seen.$": "$.n"}, "Next": "Enough"}
    enough = {"Type": "Choice", "Choices": [{"Variable": "$seen", "NumericGreaterThanEquals": 400, "Next": "Done"}], "Default": "Count"}
    states = {"Count": count, "Enough": enough, "Done": {"Type": "Pass", "Parameters": {"seen.$": "$seen"}, "End": True}}
    arn = machine(sfn, {"StartAt": "Count", "States": states})
    # Each state's output is large, so that a step has few of them.
    text = json.dumps({"n": 0, "pad": "x" * 50_000})
    execution = sfn.start_execution(stateMachineArn=arn, input=text)["executionArn"]
    assert sfn.describe_execution(executionArn=execution)["status"] == "RUNNING", "it was over before it was killed"
    restart(own, "killed")
    described = ended(sfn, execution, 120)
    assert (described["status"], described.get("output")) == ("SUCCEEDED", '{"seen":400}')
    events = history(sfn, execution, includeExecutionData=False, maxResults=1000)
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
