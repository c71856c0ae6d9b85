"""Express state machines: waited for and not, and what they do not have."""

import json
import threading
import time

import pytest

from harness import account, ended, history, machine, names, refused, until

ROLE = "arn:aws:iam::000000000000:role/tests"
PASS = {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}


@pytest.fixture
def sfn(server):
    # An address has no subdomains.
    return server.client("stepfunctions", account=account(), inject_host_prefix=False)


def express(sfn, definition, name="express", **more):
    return sfn.create_state_machine(name=name, definition=json.dumps(definition), roleArn=ROLE, type="EXPRESS", **more)["stateMachineArn"]


def test_waiting_for_an_express_execution(sfn):
    arn = express(sfn, PASS)
    assert sfn.describe_state_machine(stateMachineArn=arn)["type"] == "EXPRESS"
    answer = sfn.start_sync_execution(stateMachineArn=arn, name="night", input=' {"x": 1}', traceHeader="t")
    assert answer["executionArn"].startswith(arn.replace(":stateMachine:", ":express:") + ":night:")
    told = {key: answer[key] for key in ("stateMachineArn", "name", "status", "input", "output", "traceHeader", "inputDetails", "outputDetails")}
    assert told == {"stateMachineArn": arn, "name": "night", "status": "SUCCEEDED", "input": ' {"x": 1}', "output": '{"x":1}', "traceHeader": "t",
                    "inputDetails": {"included": True}, "outputDetails": {"included": True}}
    assert answer["startDate"] <= answer["stopDate"]
    assert answer["billingDetails"] == {"billedMemoryUsedInMB": 64, "billedDurationInMilliseconds": 100}
    short = sfn.start_sync_execution(stateMachineArn=arn, includedData="METADATA_ONLY")
    assert not {"input", "output", "inputDetails", "outputDetails"} & set(short)


def test_a_failure_is_an_answer(sfn):
    fails = express(sfn, {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "why"}}}, "fails")
    answer = sfn.start_sync_execution(stateMachineArn=fails)
    assert (answer["status"], answer["error"], answer["cause"], answer["outputDetails"]) == ("FAILED", "E", "why", {"included": True})
    assert "output" not in answer
    late = express(sfn, {"StartAt": "W", "TimeoutSeconds": 1, "States": {"W": {"Type": "Wait", "Seconds": 60, "End": True}}}, "late")
    answer = sfn.start_sync_execution(stateMachineArn=late)
    assert (answer["status"], answer["error"]) == ("TIMED_OUT", "States.Timeout")
    assert answer["billingDetails"]["billedDurationInMilliseconds"] >= 1000


def test_waits_branches_and_retries_run_in_memory(sfn):
    missing = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sfn:describeStateMachine", "Parameters": {"StateMachineArn": "arn:aws:states:us-east-1:000000000000:stateMachine:none"},
               "Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 1}], "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "C"}], "End": True}
    definition = {"StartAt": "All", "States": {"All": {"Type": "Parallel", "End": True, "Branches": [
        {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1, "Next": "T"}, "T": {"Type": "Pass", "Result": "waited", "End": True}}},
        {"StartAt": "M", "States": {"M": missing, "C": {"Type": "Pass", "Parameters": {"caught.$": "$.Error"}, "End": True}}}]}}}
    answer = sfn.start_sync_execution(stateMachineArn=express(sfn, definition))
    assert json.loads(answer["output"]) == ["waited", {"caught": "Sfn.StateMachineDoesNotExistException"}]


def test_the_context_object_tells_no_redrives(sfn):
    definition = {"StartAt": "P", "States": {"P": {"Type": "Pass", "Parameters": {"e.$": "$$.Execution"}, "End": True}}}
    answer = sfn.start_sync_execution(stateMachineArn=express(sfn, definition), input="7")
    execution = json.loads(answer["output"])["e"]
    assert set(execution) == {"Id", "Input", "Name", "RoleArn", "StartTime"} and execution["Id"] == answer["executionArn"]


def test_what_nobody_waits_for_runs_and_is_not_shown(sfn):
    target = machine(sfn, PASS, "target")
    begin = {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution", "Parameters": {"StateMachineArn": target, "Name.$": "$.name"}, "End": True}
    arn = express(sfn, {"StartAt": "B", "States": {"B": begin}})
    first = sfn.start_execution(stateMachineArn=arn, name="same", input='{"name":"a"}')["executionArn"]
    second = sfn.start_execution(stateMachineArn=arn, name="same", input='{"name":"b"}')["executionArn"]
    assert first != second and first.rsplit(":", 1)[0] == second.rsplit(":", 1)[0]
    until(lambda: {one["name"] for one in sfn.list_executions(stateMachineArn=target)["executions"]} == {"a", "b"}, 10)
    invalid = ("InvalidArn", "Invalid Arn: 'Resource type not valid in this context: express'")
    for call in (sfn.describe_execution, sfn.get_execution_history, sfn.stop_execution, sfn.describe_state_machine_for_execution, sfn.redrive_execution):
        assert refused(call, executionArn=first) == invalid
    unsupported = ("StateMachineTypeNotSupported", "This operation is not supported by this type of state machine")
    assert refused(sfn.list_executions, stateMachineArn=arn) == unsupported
    assert refused(sfn.start_sync_execution, stateMachineArn=target) == unsupported


def test_an_express_machine_is_refused_what_it_cannot_have(sfn):
    for resource, words in (("arn:aws:states:::sqs:sendMessage.waitForTaskToken", "'.waitForTaskToken' service integration "),
                            ("arn:aws:states:::states:startExecution.sync", "'.sync' service integration"),
                            ("arn:aws:states:us-east-1:000000000000:activity:a", "Activity ARN")):
        definition = json.dumps({"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": resource, "End": True}}})
        code, message = refused(sfn.create_state_machine, name="no", definition=definition, roleArn=ROLE, type="EXPRESS")
        assert code == "InvalidDefinition" and f"Express state machine does not support {words} at /States/T/Resource" in message


def test_requests_are_refused_as_those_of_others(sfn):
    arn = express(sfn, PASS)
    assert refused(sfn.start_sync_execution, stateMachineArn=arn, input="")[0] == "InvalidExecutionInput"
    assert refused(sfn.start_sync_execution, stateMachineArn=arn, name="a b") == ("InvalidName", "Invalid Name: 'a b'")
    missing = arn.replace(":express", ":none")
    assert refused(sfn.start_sync_execution, stateMachineArn=missing) == ("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{missing}'")


def test_a_task_waits_for_an_express_execution(sfn):
    arn = express(sfn, PASS)
    task = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:sfn:startSyncExecution", "Parameters": {"StateMachineArn": arn, "Input": {"x": 1}}, "End": True}
    execution = sfn.start_execution(stateMachineArn=machine(sfn, {"StartAt": "T", "States": {"T": task}}, "parent"))["executionArn"]
    output = json.loads(ended(sfn, execution)["output"])
    assert (output["Status"], output["Output"], output["BillingDetails"]["BilledMemoryUsedInMB"]) == ("SUCCEEDED", '{"x":1}', 64)
    waits = {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution.sync", "Parameters": {"StateMachineArn": arn}, "End": True}
    execution = sfn.start_execution(stateMachineArn=machine(sfn, {"StartAt": "T", "States": {"T": waits}}, "waits"))["executionArn"]
    assert ended(sfn, execution)["error"] == "StepFunctions.StateMachineTypeNotSupportedException"
    assert "TaskSubmitted" not in names(history(sfn, execution))


def test_who_leaves_does_not_end_it(sfn, server):
    target = machine(sfn, PASS, "target")
    definition = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 2, "Next": "B"},
                                             "B": {"Type": "Task", "Resource": "arn:aws:states:::states:startExecution", "Parameters": {"StateMachineArn": target, "Name": "after"}, "End": True}}}
    arn = express(sfn, definition)
    impatient = server.client("stepfunctions", account=sfn._request_signer._credentials.access_key, read_timeout=1, inject_host_prefix=False)
    with pytest.raises(Exception, match="[Tt]imeout|timed out"):
        impatient.start_sync_execution(stateMachineArn=arn)
    until(lambda: sfn.list_executions(stateMachineArn=target)["executions"], 10)


def test_many_at_a_time(sfn):
    arn = express(sfn, {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1, "End": True}}})
    answers = []
    began = time.monotonic()
    threads = [threading.Thread(target=lambda n=n: answers.append(sfn.start_sync_execution(stateMachineArn=arn, input=str(n))["output"])) for n in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(map(int, answers)) == list(range(40)) and time.monotonic() - began < 10
