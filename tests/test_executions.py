"""Executions through boto3: starting, describing, listing, histories and stopping."""

import json
import time

import pytest

from harness import ended, history, machine, names, refused

PASS = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
WAIT = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 3600, "End": True}}}
INPUT_BYTES_MAX = 262_144


def test_an_execution_from_start_to_end(sfn, account):
    arn = machine(sfn, PASS, "m")
    started = sfn.start_execution(stateMachineArn=arn, name="one", input='{"a": 1}')
    assert started["executionArn"] == f"arn:aws:states:us-east-1:{account}:execution:m:one"
    described = ended(sfn, started["executionArn"])
    assert described["status"] == "SUCCEEDED"
    assert (described["input"], described["output"]) == ('{"a": 1}', '{"a":1}')
    assert described["startDate"] == started["startDate"] <= described["stopDate"]
    assert (described["redriveCount"], described["redriveStatus"]) == (0, "NOT_REDRIVABLE")
    assert names(history(sfn, started["executionArn"])) == ["ExecutionStarted", "PassStateEntered", "PassStateExited", "ExecutionSucceeded"]


def test_no_input_is_an_empty_object_and_any_json_is_an_input(sfn):
    arn = machine(sfn, PASS)
    assert ended(sfn, sfn.start_execution(stateMachineArn=arn)["executionArn"])["output"] == "{}"
    for text in ["null", "0", '"日本"', "[1,2]", "true"]:
        assert ended(sfn, sfn.start_execution(stateMachineArn=arn, input=text)["executionArn"])["output"] == text


def test_starting_is_idempotent_while_it_runs(sfn):
    arn = machine(sfn, WAIT)
    first = sfn.start_execution(stateMachineArn=arn, name="once", input='{"a":1}')
    again = sfn.start_execution(stateMachineArn=arn, name="once", input='{"a":1}')
    assert (again["executionArn"], again["startDate"]) == (first["executionArn"], first["startDate"])
    already = ("ExecutionAlreadyExists", f"Execution Already Exists: '{first['executionArn']}'")
    assert refused(sfn.start_execution, stateMachineArn=arn, name="once", input='{"a":2}') == already
    sfn.stop_execution(executionArn=first["executionArn"])
    assert refused(sfn.start_execution, stateMachineArn=arn, name="once", input='{"a":1}') == already
    assert len(sfn.list_executions(stateMachineArn=arn)["executions"]) == 1


@pytest.mark.parametrize("filler", ["a", "あ"])
def test_inputs_end_at_262144_bytes(sfn, filler):
    arn = machine(sfn, PASS)
    room = INPUT_BYTES_MAX - 2
    text = filler * (room // len(filler.encode()))
    text = json.dumps(text + "x" * (room - len(text.encode())), ensure_ascii=False)
    assert len(text.encode()) == INPUT_BYTES_MAX
    described = ended(sfn, sfn.start_execution(stateMachineArn=arn, input=text)["executionArn"])
    assert (described["status"], described["output"] == text) == ("SUCCEEDED", True)
    code, words = refused(sfn.start_execution, stateMachineArn=arn, input=text[:-1] + "x" + '"')
    assert (code, words) == ("ValidationException", "1 validation error detected: Value at 'input' failed to satisfy constraint: "
                             "Member must have length less than or equal to 262144")


def test_an_input_that_is_not_json_is_told_in_jacksons_words(sfn):
    arn = machine(sfn, PASS)
    assert refused(sfn.start_execution, stateMachineArn=arn, input="") == (
        "InvalidExecutionInput", "Invalid State Machine Execution Input: 'Invalid execution input.'")
    for text in ["{", "not", "{'a':1}", '{"a":1} x', "[1,]", '"\x01"', "NaN", "01"]:
        code, words = refused(sfn.start_execution, stateMachineArn=arn, input=text)
        assert code == "InvalidExecutionInput" and words.startswith("Invalid State Machine Execution Input: '"), (text, words)
    assert "Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null', 'true' or 'false')" in refused(
        sfn.start_execution, stateMachineArn=arn, input="not")[1]


def test_names_of_executions_are_checked(sfn):
    arn = machine(sfn, PASS)
    assert refused(sfn.start_execution, stateMachineArn=arn, name="a b") == ("InvalidName", "Invalid Name: 'a b'")
    assert refused(sfn.start_execution, stateMachineArn=arn, name="")[0] == "ValidationException"
    assert sfn.start_execution(stateMachineArn=arn, name="夜間バックアップ")["executionArn"].endswith(":夜間バックアップ")


def test_what_does_not_exist(sfn, account):
    execution = f"arn:aws:states:us-east-1:{account}:execution:m:none"
    for call in (sfn.describe_execution, sfn.get_execution_history, sfn.stop_execution):
        assert refused(call, executionArn=execution) == ("ExecutionDoesNotExist", f"Execution Does Not Exist: '{execution}'")
        assert refused(call, executionArn="x") == ("InvalidArn", "Invalid Arn: 'Invalid ARN prefix: x'")


def test_lists_are_newest_first_filtered_and_in_pages(sfn):
    passes, waits = machine(sfn, PASS, "passes"), machine(sfn, WAIT, "waits")
    for number in range(5):
        ended(sfn, sfn.start_execution(stateMachineArn=passes, name=f"p-{number}")["executionArn"])
        time.sleep(0.002)
    running = sfn.start_execution(stateMachineArn=waits, name="w")["executionArn"]
    first = sfn.list_executions(stateMachineArn=passes, maxResults=2)
    second = sfn.list_executions(stateMachineArn=passes, maxResults=2, nextToken=first["nextToken"])
    third = sfn.list_executions(stateMachineArn=passes, maxResults=2, nextToken=second["nextToken"])
    found = [one["name"] for page in (first, second, third) for one in page["executions"]]
    assert found == ["p-4", "p-3", "p-2", "p-1", "p-0"] and "nextToken" not in third
    assert [one["executionArn"] for one in sfn.list_executions(stateMachineArn=waits, statusFilter="RUNNING")["executions"]] == [running]
    assert sfn.list_executions(stateMachineArn=passes, statusFilter="RUNNING")["executions"] == []
    sfn.stop_execution(executionArn=running)
    aborted = sfn.list_executions(stateMachineArn=waits, statusFilter="ABORTED")["executions"]
    assert [(one["name"], one["status"], "stopDate" in one) for one in aborted] == [("w", "ABORTED", True)]
    # A token asks for the page after another page of the same question, and of no other.
    assert refused(sfn.list_executions, stateMachineArn=waits, nextToken=first["nextToken"])[0] == "InvalidToken"
    assert refused(sfn.list_executions, stateMachineArn=passes, statusFilter="succeeded") == (
        "ValidationException", "1 validation error detected: Value 'succeeded' at 'statusFilter' failed to satisfy constraint: "
        "Member must satisfy enum value set: [SUCCEEDED, TIMED_OUT, PENDING_REDRIVE, ABORTED, FAILED, RUNNING]")


def test_histories_in_pages_and_backwards(sfn):
    states = {f"S{number}": {"Type": "Pass", "Next": f"S{number + 1}"} for number in range(20)}
    states["S20"] = {"Type": "Succeed"}
    arn = sfn.start_execution(stateMachineArn=machine(sfn, {"StartAt": "S0", "States": states}), input="[1]")["executionArn"]
    ended(sfn, arn)
    whole = history(sfn, arn)
    assert [event["id"] for event in whole] == list(range(1, 45))
    assert [event["previousEventId"] for event in whole][:4] == [0, 0, 2, 3]
    assert whole[-1]["executionSucceededEventDetails"]["output"] == "[1]"
    for pages in (1, 7, 44, 1000):
        assert history(sfn, arn, maxResults=pages) == whole
        assert history(sfn, arn, maxResults=pages, reverseOrder=True) == whole[::-1]
    bare = history(sfn, arn, includeExecutionData=False)
    assert "input" not in bare[0]["executionStartedEventDetails"] and "output" not in bare[-1].get("executionSucceededEventDetails", {})
    page = sfn.get_execution_history(executionArn=arn, maxResults=3)
    assert refused(sfn.get_execution_history, executionArn=arn, reverseOrder=True, nextToken=page["nextToken"])[0] == "InvalidToken"
    assert refused(sfn.get_execution_history, executionArn=arn, nextToken="AAAA") == ("InvalidToken", "Invalid Token: 'Invalid token'")


def test_stopping_is_final(sfn):
    arn = sfn.start_execution(stateMachineArn=machine(sfn, WAIT))["executionArn"]
    stopped = sfn.stop_execution(executionArn=arn, error="Operator", cause="夜間作業のため")
    described = sfn.describe_execution(executionArn=arn)
    assert (described["status"], described["error"], described["cause"]) == ("ABORTED", "Operator", "夜間作業のため")
    assert described["stopDate"] == stopped["stopDate"] == sfn.stop_execution(executionArn=arn)["stopDate"]
    events = history(sfn, arn)
    assert names(events) == ["ExecutionStarted", "WaitStateEntered", "ExecutionAborted"]
    assert events[-1]["executionAbortedEventDetails"] == {"error": "Operator", "cause": "夜間作業のため"}


def test_a_wait_is_never_early(sfn):
    definition = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 2, "End": True}}}
    arn = sfn.start_execution(stateMachineArn=machine(sfn, definition))["executionArn"]
    ended(sfn, arn)
    times = {event["type"]: event["timestamp"] for event in history(sfn, arn)}
    waited = (times["WaitStateExited"] - times["WaitStateEntered"]).total_seconds()
    assert 2.0 <= waited < 3.5


def test_a_machines_timeout_ends_it(sfn):
    arn = sfn.start_execution(stateMachineArn=machine(sfn, {**WAIT, "TimeoutSeconds": 1}))["executionArn"]
    described = ended(sfn, arn)
    assert described["status"] == "TIMED_OUT" and "error" not in described
    assert names(history(sfn, arn))[-1] == "ExecutionTimedOut"


def test_running_executions_keep_the_definition_they_began_with(sfn):
    definition = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1, "Next": "E"}, "E": {"Type": "Pass", "Result": "old", "End": True}}}
    machine_arn = machine(sfn, definition)
    before = sfn.start_execution(stateMachineArn=machine_arn)["executionArn"]
    definition["States"]["E"]["Result"] = "new"
    sfn.update_state_machine(stateMachineArn=machine_arn, definition=json.dumps(definition))
    after = sfn.start_execution(stateMachineArn=machine_arn)["executionArn"]
    assert (ended(sfn, before)["output"], ended(sfn, after)["output"]) == ('"old"', '"new"')
    assert json.loads(sfn.describe_state_machine_for_execution(executionArn=before)["definition"])["States"]["E"]["Result"] == "old"


def test_a_failure_has_its_error_and_cause(sfn):
    definition = {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "Night.Failed", "Cause": "原因"}}}
    arn = sfn.start_execution(stateMachineArn=machine(sfn, definition))["executionArn"]
    described = ended(sfn, arn)
    assert (described["status"], described["error"], described["cause"]) == ("FAILED", "Night.Failed", "原因")
    assert (described["redriveStatus"], "redriveStatusReason" in described) == ("REDRIVABLE", False)


def test_many_iterations_and_branches(sfn):
    def branch(name):
        return {"StartAt": name, "States": {name: {"Type": "Pass", "End": True}}}

    definition = {
        "StartAt": "M",
        "States": {
            "M": {"Type": "Map", "ItemProcessor": {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}, "Next": "B"},
            "B": {"Type": "Parallel", "Branches": [branch("L"), branch("R")], "End": True},
        },
    }
    items = list(range(1000))
    arn = sfn.start_execution(stateMachineArn=machine(sfn, definition), input=json.dumps(items))["executionArn"]
    assert json.loads(ended(sfn, arn)["output"]) == [items, items]
    events = history(sfn, arn, maxResults=1000)
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert names(events).count("MapIterationSucceeded") == 1000
