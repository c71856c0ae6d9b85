"""RedriveExecution through boto3: what failed goes on from where it stood."""

import json
import uuid

import pytest

from harness import ended, history, machine, names, refused, until


@pytest.fixture
def activity(sfn):
    return sfn.create_activity(name=f"work-{uuid.uuid4().hex[:8]}")["activityArn"]


def task(activity, **fields):
    return {"Type": "Task", "Resource": activity, **fields}


def work(sfn, activity, fails=None, output="{}"):
    token = sfn.get_activity_task(activityArn=activity)["taskToken"]
    if fails:
        sfn.send_task_failure(taskToken=token, error=fails, cause="because")
    else:
        sfn.send_task_success(taskToken=token, output=output)


def test_a_failed_task_is_done_again_and_nothing_before_it(sfn, activity):
    arn = machine(sfn, {"StartAt": "Before", "States": {
        "Before": {"Type": "Pass", "Result": {"n": 1}, "Next": "Work"},
        "Work": task(activity, End=True),
    }})
    execution = sfn.start_execution(stateMachineArn=arn, input='{"a":1}')["executionArn"]
    assert refused(sfn.redrive_execution, executionArn=execution) == (
        "ExecutionNotRedrivable", "Execution Not Redrivable: 'Execution is RUNNING and cannot be redriven'")
    work(sfn, activity, fails="Boom")
    failed = ended(sfn, execution)
    assert (failed["status"], failed["redriveStatus"], failed["redriveCount"]) == ("FAILED", "REDRIVABLE", 0)

    first = sfn.redrive_execution(executionArn=execution, clientToken="once")["redriveDate"]
    assert sfn.redrive_execution(executionArn=execution, clientToken="once")["redriveDate"] == first
    running = sfn.describe_execution(executionArn=execution)
    assert (running["status"], running["redriveCount"], running["redriveDate"]) == ("RUNNING", 1, first)
    assert "stopDate" not in running and "error" not in running
    work(sfn, activity, output='{"done":true}')
    described = ended(sfn, execution)
    assert (described["status"], described["output"], described["redriveCount"]) == ("SUCCEEDED", '{"done":true}', 1)
    assert names(history(sfn, execution)) == [
        "ExecutionStarted", "PassStateEntered", "PassStateExited", "TaskStateEntered", "ActivityScheduled", "ActivityStarted", "ActivityFailed",
        "ExecutionFailed", "ExecutionRedriven", "ActivityScheduled", "ActivityStarted", "ActivitySucceeded", "TaskStateExited", "ExecutionSucceeded"]
    redriven = next(event for event in history(sfn, execution) if event["type"] == "ExecutionRedriven")
    assert redriven["executionRedrivenEventDetails"] == {"redriveCount": 1}
    assert refused(sfn.redrive_execution, executionArn=execution)[0] == "ExecutionNotRedrivable"


def test_only_the_branches_that_failed_go_on(sfn, activity):
    branch = lambda name, state: {"StartAt": name, "States": {name: state}}
    arn = machine(sfn, {"StartAt": "Both", "States": {"Both": {"Type": "Parallel", "End": True, "Branches": [
        branch("Good", {"Type": "Pass", "Result": "good", "End": True}), branch("Bad", task(activity, End=True))]}}})
    execution = sfn.start_execution(stateMachineArn=arn)["executionArn"]
    work(sfn, activity, fails="Boom")
    assert ended(sfn, execution)["status"] == "FAILED"
    sfn.redrive_execution(executionArn=execution)
    work(sfn, activity, output='"better"')
    assert json.loads(ended(sfn, execution)["output"]) == ["good", "better"]
    assert names(history(sfn, execution)).count("PassStateEntered") == 1


def test_what_was_stopped_or_timed_out_goes_on(sfn):
    waits = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1, "End": True}}}
    arn = machine(sfn, waits)
    execution = sfn.start_execution(stateMachineArn=arn)["executionArn"]
    sfn.stop_execution(executionArn=execution, error="Operator", cause="enough")
    assert ended(sfn, execution)["status"] == "ABORTED"
    sfn.redrive_execution(executionArn=execution)
    assert ended(sfn, execution)["status"] == "SUCCEEDED"

    late = machine(sfn, {**waits, "TimeoutSeconds": 1, "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": True}}}, "late")
    execution = sfn.start_execution(stateMachineArn=late)["executionArn"]
    assert ended(sfn, execution)["status"] == "TIMED_OUT"
    sfn.redrive_execution(executionArn=execution)
    assert sfn.describe_execution(executionArn=execution)["status"] == "RUNNING"
    until(lambda: sfn.describe_execution(executionArn=execution)["status"] == "TIMED_OUT", 10)


def test_lists_tell_what_was_redriven(sfn):
    arn = machine(sfn, {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E"}}}, "fails")
    executions = [sfn.start_execution(stateMachineArn=arn, name=f"n{n}")["executionArn"] for n in range(5)]
    for execution in executions:
        ended(sfn, execution)
    for execution in executions[1:3]:
        sfn.redrive_execution(executionArn=execution)
        until(lambda: sfn.describe_execution(executionArn=execution)["status"] == "FAILED", 10)
    listed = lambda **more: sorted(item["name"] for item in sfn.list_executions(stateMachineArn=arn, **more)["executions"])
    assert listed(redriveFilter="REDRIVEN") == ["n1", "n2"]
    assert listed(redriveFilter="NOT_REDRIVEN") == ["n0", "n3", "n4"]
    assert len(listed()) == 5
    pages = sfn.get_paginator("list_executions").paginate(stateMachineArn=arn, redriveFilter="NOT_REDRIVEN", PaginationConfig={"PageSize": 1})
    assert sorted(item["name"] for page in pages for item in page["executions"]) == ["n0", "n3", "n4"]


def test_what_is_not_there_cannot_be_redriven(sfn, account):
    arn = f"arn:aws:states:us-east-1:{account}:execution:none:x"
    assert refused(sfn.redrive_execution, executionArn=arn) == ("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
    assert refused(sfn.redrive_execution, executionArn="nonsense")[0] == "InvalidArn"
    assert refused(sfn.redrive_execution, executionArn=arn, clientToken="with space")[0] == "ValidationException"
