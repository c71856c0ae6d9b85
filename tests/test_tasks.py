"""State machines whose tasks run scripts: what a task gives, and how each failure is told."""

import json

from harness import ended, history, machine, names, until


def task(resource="arn:aws:states:::ssm:sendCommand.sync", commands=("true",), **more):
    parameters = {"DocumentName": "AWS-RunShellScript", "InstanceIds.$": "States.Array($.instance)", "Parameters": {"commands": list(commands)}}
    parameters["Parameters"] |= more.pop("script", {})
    return {"Type": "Task", "Resource": resource, "Parameters": parameters, "End": True, **more}


def run(home, instance, state, name, **more):
    arn = machine(home, {"StartAt": "T", "States": {"T": state, **more}}, name)
    execution = home.start_execution(stateMachineArn=arn, input=json.dumps({"instance": instance}))["executionArn"]
    return ended(home, execution), history(home, execution)


def test_a_task_that_waits_gives_each_output(home, instance):
    described, events = run(home, instance, task(commands=["echo 完了"]), "waits")
    output = json.loads(described["output"])
    (invocation,) = output["CommandInvocations"]
    assert (output["Command"]["Status"], invocation["Status"], invocation["ResponseCode"], invocation["StandardOutputContent"]) == ("Success", "Success", 0, "完了\n")
    assert names(events) == ["ExecutionStarted", "TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded", "TaskStateExited", "ExecutionSucceeded"]


def test_a_task_that_does_not_wait_gives_the_command(home, instance):
    described, events = run(home, instance, task("arn:aws:states:::aws-sdk:ssm:sendCommand"), "sends")
    assert json.loads(described["output"])["Command"]["InstanceIds"] == [instance]
    assert "TaskSubmitted" not in names(events)


def test_an_exit_code_is_a_failure_with_a_name(home, instance):
    described, events = run(home, instance, task(commands=["echo out; echo err >&2; exit 3"]), "exits")
    assert (described["status"], described["error"]) == ("FAILED", "Agent.ExitCode")
    assert "3" in described["cause"] and "err" in described["cause"]
    assert names(events)[-2:] == ["TaskFailed", "ExecutionFailed"]


def test_every_way_to_fail_has_its_name(home, instance, tmp_path):
    cases = {
        "Agent.Killed": task(commands=["kill -9 $$"]),
        "Agent.TimedOut": task(commands=["sleep 60"], script={"executionTimeout": ["1"]}),
        "Agent.WorkingDirectoryMissing": task(script={"workingDirectory": [str(tmp_path / "none")]}),
        "States.Timeout": task(commands=["sleep 60"], TimeoutSeconds=1),
    }
    for error, state in cases.items():
        described, _ = run(home, instance, state, error.replace(".", "-"))
        assert (described["status"], described["error"]) == ("FAILED", error), described


def test_an_instance_that_is_not_there_fails_as_in_awss_sdk(home, instance):
    described, _ = run(home, "mi-0123456789abcdef0", task("arn:aws:states:::aws-sdk:ssm:sendCommand"), "nowhere")
    assert described["error"] == "Ssm.InvalidInstanceIdException"
    assert described["cause"].startswith("Instances [[mi-0123456789abcdef0]] not in a valid state for account 000000000000 (Service: Ssm, Status Code: 400, Request ID: ")


def test_retries_and_catches(home, instance, tmp_path):
    attempts = tmp_path / "attempts"
    state = task(commands=[f"echo x >> {attempts}", f"[ $(wc -l < {attempts}) -ge 3 ]"])
    state["Retry"] = [{"ErrorEquals": ["Agent.ExitCode"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 5}]
    described, events = run(home, instance, state, "retries")
    assert described["status"] == "SUCCEEDED" and attempts.read_text() == "x\n" * 3
    assert names(events).count("TaskFailed") == 2
    caught = task(commands=["exit 9"], Catch=[{"ErrorEquals": ["States.ALL"], "ResultPath": "$.failure", "Next": "C"}])
    described, _ = run(home, instance, caught, "catches", C={"Type": "Pass", "End": True})
    failure = json.loads(described["output"])["failure"]
    assert failure["Error"] == "Agent.ExitCode"


def test_stopping_an_execution_ends_its_script(home, ssm, instance, tmp_path):
    mark = tmp_path / "started"
    arn = machine(home, {"StartAt": "T", "States": {"T": task(commands=[f"touch {mark}; sleep 60"])}}, "stops")
    execution = home.start_execution(stateMachineArn=arn, input=json.dumps({"instance": instance}))["executionArn"]
    until(mark.exists, 20)
    home.stop_execution(executionArn=execution)
    (newest,) = ssm.list_commands(MaxResults=1)["Commands"]
    until(lambda: ssm.list_commands(CommandId=newest["CommandId"])["Commands"][0]["Status"] == "Cancelled", 20, "the command was not cancelled")
