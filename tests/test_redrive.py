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


def test_a_map_run_goes_on_with_what_failed(sfn, activity):
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "Before", "States": {
        "Before": {"Type": "Pass", "Next": "Kind"},
        "Kind": {"Type": "Choice", "Choices": [{"Variable": "$.hard", "BooleanEquals": True, "Next": "Work"}], "Default": "Easy"},
        "Easy": {"Type": "Pass", "End": True}, "Work": task(activity, End=True)}}
    arn = machine(sfn, {"StartAt": "Each", "States": {"Each": {
        "Type": "Map", "Label": "each", "MaxConcurrency": 10, "ToleratedFailureCount": 4, "ItemProcessor": processor, "End": True}}})
    items = [{"n": n, "hard": n % 10 == 9} for n in range(50)]
    execution = sfn.start_execution(stateMachineArn=arn, input=json.dumps(items))["executionArn"]
    for _ in range(5):
        work(sfn, activity, fails="Boom")
    assert ended(sfn, execution)["error"] == "States.ExceedToleratedFailureThreshold"
    run = sfn.list_map_runs(executionArn=execution)["mapRuns"][0]["mapRunArn"]
    until(lambda: sfn.describe_map_run(mapRunArn=run)["status"] == "FAILED", 10)
    described = sfn.describe_map_run(mapRunArn=run)
    assert described["redriveCount"] == 0 and described["executionCounts"]["failed"] == 5
    child = sfn.list_executions(mapRunArn=run, statusFilter="FAILED")["executions"][0]["executionArn"]
    assert sfn.describe_execution(executionArn=child)["redriveStatus"] == "REDRIVABLE_BY_MAP_RUN"
    assert refused(sfn.redrive_execution, executionArn=child)[0] == "ExecutionNotRedrivable"

    sfn.redrive_execution(executionArn=execution)
    for _ in range(5):
        given = sfn.get_activity_task(activityArn=activity)
        sfn.send_task_success(taskToken=given["taskToken"], output=given["input"])
    described = ended(sfn, execution)
    assert (described["status"], json.loads(described["output"]), described["redriveCount"]) == ("SUCCEEDED", items, 1)
    assert names(history(sfn, execution)) == [
        "ExecutionStarted", "MapStateEntered", "MapStateStarted", "MapRunStarted", "MapRunFailed", "MapStateFailed", "ExecutionFailed",
        "ExecutionRedriven", "MapRunRedriven", "MapRunSucceeded", "MapStateSucceeded", "MapStateExited", "ExecutionSucceeded"]
    redriven = next(event for event in history(sfn, execution) if event["type"] == "MapRunRedriven")
    assert redriven["mapRunRedrivenEventDetails"] == {"mapRunArn": run, "redriveCount": 1}
    until(lambda: sfn.describe_map_run(mapRunArn=run)["status"] == "SUCCEEDED", 10)
    described = sfn.describe_map_run(mapRunArn=run)
    assert described["redriveCount"] == 1 and described["redriveDate"] <= described["stopDate"]
    for counts in (described["itemCounts"], described["executionCounts"]):
        assert (counts["succeeded"], counts["total"], counts["failed"], counts["pendingRedrive"]) == (50, 50, 0, 0)
    again = sfn.list_executions(mapRunArn=run, redriveFilter="REDRIVEN")["executions"]
    assert len(again) == 5 and all(child["redriveCount"] == 1 for child in again)
    steps = names(history(sfn, child))
    assert steps.count("PassStateEntered") == 1 and steps.count("ActivityScheduled") == 2


def test_children_over_the_concurrency_wait_to_be_redriven(sfn, activity):
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "Work", "States": {"Work": task(activity, End=True)}}
    arn = machine(sfn, {"StartAt": "Each", "States": {"Each": {
        "Type": "Map", "Label": "each", "MaxConcurrency": 2, "ToleratedFailureCount": 3, "ItemProcessor": processor, "End": True}}})
    execution = sfn.start_execution(stateMachineArn=arn, input="[0,1,2,3]")["executionArn"]
    sfn_run = lambda: sfn.list_map_runs(executionArn=execution)["mapRuns"][0]["mapRunArn"]
    for _ in range(3):
        work(sfn, activity, fails="Boom")
    until(lambda: sfn.describe_map_run(mapRunArn=sfn_run())["executionCounts"]["failed"] == 3, 10)
    sfn.stop_execution(executionArn=execution)
    run = sfn_run()
    until(lambda: sfn.describe_map_run(mapRunArn=run)["status"] == "ABORTED", 10)

    sfn.redrive_execution(executionArn=execution)
    until(lambda: sfn.describe_map_run(mapRunArn=run)["executionCounts"]["running"] == 2, 10)
    counts = sfn.describe_map_run(mapRunArn=run)["executionCounts"]
    assert (counts["pendingRedrive"], counts["failed"], counts["aborted"], counts["total"]) == (2, 0, 0, 4)
    waiting = lambda: sfn.list_executions(mapRunArn=run, statusFilter="PENDING_REDRIVE")["executions"]
    until(lambda: len(sfn.list_executions(mapRunArn=run, statusFilter="RUNNING")["executions"]) == 2, 10)
    assert [child["status"] for child in waiting()] == ["PENDING_REDRIVE"] * 2
    assert sfn.list_executions(mapRunArn=run, statusFilter="FAILED")["executions"] == []
    child = sfn.describe_execution(executionArn=waiting()[0]["executionArn"])
    assert (child["status"], child["redriveStatus"]) == ("PENDING_REDRIVE", "REDRIVABLE_BY_MAP_RUN")
    for _ in range(4):
        work(sfn, activity)
    assert ended(sfn, execution)["status"] == "SUCCEEDED" and waiting() == []
