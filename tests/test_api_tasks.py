"""Activities, task tokens and nested executions, as a client sees them."""

import json
import threading
import time

import pytest

from harness import Server, account, ended, history, machine, names, refused, until

PASS = {"Type": "Pass", "End": True}


def one_task(resource, **more):
    return {"StartAt": "T", "States": {"T": {"Type": "Task", "Resource": resource, "End": True, **more}}}


@pytest.fixture
def sfn(server):
    """A client of an account that nobody else uses; it waits for as long as a worker may."""
    client = server.client("stepfunctions", account=account(), read_timeout=80)
    return client


def start(sfn, definition, name, input="{}"):
    return sfn.start_execution(stateMachineArn=machine(sfn, definition, name), input=input)["executionArn"]


def with_token():
    """Hands its token to a child, and waits."""
    return one_task("arn:aws:states:::aws-sdk:sfn:startExecution.waitForTaskToken",
                    Parameters={"StateMachineArn.$": "$.child", "Input": {"token.$": "$$.Task.Token"}})


def waiting(sfn, name, **more):
    """An execution that waits for its token, and the token."""
    child = machine(sfn, {"StartAt": "P", "States": {"P": PASS}}, f"{name}-child")
    definition = with_token()
    definition["States"]["T"] |= more
    execution = start(sfn, definition, name, json.dumps({"child": child}))
    until(lambda: "TaskSubmitted" in names(history(sfn, execution)), 10)
    scheduled = next(event for event in history(sfn, execution) if event["type"] == "TaskScheduled")
    parameters = json.loads(scheduled["taskScheduledEventDetails"]["parameters"])
    return execution, parameters["Input"]["token"]


# Activities.

def test_an_activity_is_made_once_and_found(sfn):
    made = sfn.create_activity(name="work", tags=[{"key": "team", "value": "night"}])
    again = sfn.create_activity(name="work", tags=[{"key": "other", "value": ""}])
    assert made["activityArn"].endswith(":activity:work")
    assert (made["activityArn"], made["creationDate"]) == (again["activityArn"], again["creationDate"])
    described = sfn.describe_activity(activityArn=made["activityArn"])
    assert (described["name"], described["creationDate"]) == ("work", made["creationDate"])
    assert sfn.list_tags_for_resource(resourceArn=made["activityArn"])["tags"] == [{"key": "team", "value": "night"}]
    sfn.tag_resource(resourceArn=made["activityArn"], tags=[{"key": "team", "value": "day"}, {"key": "a", "value": "b"}])
    sfn.untag_resource(resourceArn=made["activityArn"], tagKeys=["a"])
    assert sfn.list_tags_for_resource(resourceArn=made["activityArn"])["tags"] == [{"key": "team", "value": "day"}]
    sfn.delete_activity(activityArn=made["activityArn"])
    sfn.delete_activity(activityArn=made["activityArn"])
    arn = made["activityArn"]
    assert refused(sfn.describe_activity, activityArn=arn) == ("ActivityDoesNotExist", f"Activity Does Not Exist: '{arn}'")
    assert refused(sfn.get_activity_task, activityArn=arn) == ("ActivityDoesNotExist", f"Activity Does Not Exist: '{arn}'")
    assert refused(sfn.list_tags_for_resource, resourceArn=arn) == ("ResourceNotFound", f"Resource not found: '{arn}'")


def test_activities_are_refused_as_aws_refuses_them(sfn):
    key = {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "k"}
    arn = sfn.create_activity(name="work")["activityArn"]
    assert refused(sfn.create_activity, name="work", encryptionConfiguration=key) == ("ActivityAlreadyExists", f"Activity Already Exists: '{arn}'")
    for name in ["activity name", "activity<name", "activity/name", "activity:name"]:
        assert refused(sfn.create_activity, name=name) == ("InvalidName", f"Invalid Name: '{name}'")
    for call in [sfn.describe_activity, sfn.get_activity_task, sfn.delete_activity]:
        assert refused(call, activityArn="no_an_activity_arn") == ("InvalidArn", "Invalid Arn: 'Invalid ARN prefix: no_an_activity_arn'")
        other = arn.replace(":activity:", ":stateMachine:")
        assert refused(call, activityArn=other) == ("InvalidArn", "Invalid Arn: 'Resource type not valid in this context: stateMachine'")
    many = [{"key": str(n), "value": ""} for n in range(51)]
    assert refused(sfn.create_activity, name="tagged", tags=many) == ("TooManyTags", "You've exceeded the number of tags allowed for a resource.")


def test_activities_are_listed_by_name_in_pages(sfn, server):
    for name in ["c", "a", "b"]:
        sfn.create_activity(name=name)
    first = sfn.list_activities(maxResults=2)
    rest = sfn.list_activities(maxResults=2, nextToken=first["nextToken"])
    assert [item["name"] for item in first["activities"] + rest["activities"]] == ["a", "b", "c"]
    assert "nextToken" not in rest
    assert refused(sfn.list_activities, nextToken="garbage") == ("InvalidToken", "Invalid Token: 'Invalid token'")
    assert server.client("stepfunctions", account=account()).list_activities()["activities"] == []


def test_a_worker_does_an_activitys_task(sfn):
    arn = sfn.create_activity(name="work")["activityArn"]
    execution = start(sfn, one_task(arn, TimeoutSeconds=60, HeartbeatSeconds=10), "net", '{"x":1}')
    task = sfn.get_activity_task(activityArn=arn, workerName="w-1")
    assert json.loads(task["input"]) == {"x": 1}
    sfn.send_task_heartbeat(taskToken=task["taskToken"])
    sfn.send_task_success(taskToken=task["taskToken"], output='{"done":true}')
    assert json.loads(ended(sfn, execution)["output"]) == {"done": True}
    events = history(sfn, execution)
    assert names(events) == ["ExecutionStarted", "TaskStateEntered", "ActivityScheduled", "ActivityStarted", "ActivitySucceeded", "TaskStateExited", "ExecutionSucceeded"]
    assert events[2]["activityScheduledEventDetails"] == {"resource": arn, "input": '{"x":1}', "inputDetails": {"truncated": False}, "timeoutInSeconds": 60, "heartbeatInSeconds": 10}
    assert events[3]["activityStartedEventDetails"] == {"workerName": "w-1"}
    assert refused(sfn.send_task_success, taskToken=task["taskToken"], output="1") == ("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")


def test_workers_that_wait_are_given_tasks_as_they_come(sfn):
    arn = sfn.create_activity(name="work")["activityArn"]
    given = []

    def work():
        task = sfn.get_activity_task(activityArn=arn)
        given.append(json.loads(task["input"])["n"])
        sfn.send_task_success(taskToken=task["taskToken"], output=task["input"])

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    net = machine(sfn, one_task(arn), "net")
    executions = [sfn.start_execution(stateMachineArn=net, input=json.dumps({"n": n}))["executionArn"] for n in range(8)]
    for worker in workers:
        worker.join(30)
    assert sorted(given) == list(range(8))
    assert all(ended(sfn, execution)["status"] == "SUCCEEDED" for execution in executions)


def test_an_activitys_task_fails_and_times_out(sfn):
    arn = sfn.create_activity(name="work")["activityArn"]
    fails = start(sfn, one_task(arn), "fails")
    task = sfn.get_activity_task(activityArn=arn)
    sfn.send_task_failure(taskToken=task["taskToken"], error="Broken", cause="on purpose")
    described = ended(sfn, fails)
    assert (described["status"], described["error"], described["cause"]) == ("FAILED", "Broken", "on purpose")
    late = start(sfn, one_task(arn, HeartbeatSeconds=1, TimeoutSeconds=60), "late")
    sfn.get_activity_task(activityArn=arn)
    assert ended(sfn, late)["error"] == "States.Timeout"
    assert names(history(sfn, late))[-3:] == ["ActivityStarted", "ActivityTimedOut", "ExecutionFailed"]


def test_a_task_of_a_deleted_activity_fails(sfn):
    arn = sfn.create_activity(name="work")["activityArn"]
    net = machine(sfn, one_task(arn), "net")
    sfn.delete_activity(activityArn=arn)
    execution = sfn.start_execution(stateMachineArn=net)["executionArn"]
    described = ended(sfn, execution)
    assert described["error"] == "States.Runtime"
    assert described["cause"] == f"An error occurred while executing the state 'T' (entered at the event id #2). The activity {arn} does not exist."
    assert names(history(sfn, execution)) == ["ExecutionStarted", "TaskStateEntered", "ExecutionFailed"]


def test_a_worker_that_hangs_up_loses_no_task(sfn, server):
    arn = sfn.create_activity(name="work")["activityArn"]
    impatient = server.client("stepfunctions", account=sfn._request_signer._credentials.access_key, read_timeout=1)
    with pytest.raises(Exception, match="[Tt]imeout|timed out"):
        impatient.get_activity_task(activityArn=arn)
    execution = start(sfn, one_task(arn), "net")
    task = sfn.get_activity_task(activityArn=arn)
    sfn.send_task_success(taskToken=task["taskToken"], output="1")
    assert ended(sfn, execution)["output"] == "1"


def test_a_stopped_executions_task_is_not_handed_out(sfn):
    arn = sfn.create_activity(name="work")["activityArn"]
    stopped = start(sfn, one_task(arn), "net", '"first"')
    sfn.stop_execution(executionArn=stopped)
    sfn.start_execution(stateMachineArn=machine(sfn, one_task(arn), "net"), input='"second"')
    assert sfn.get_activity_task(activityArn=arn)["input"] == '"second"'


# Tokens.

def test_whoever_has_the_token_tells_the_outcome(sfn):
    execution, token = waiting(sfn, "succeeds")
    sfn.send_task_heartbeat(taskToken=token)
    sfn.send_task_success(taskToken=token, output=' { "ok" : 1 } ')
    assert json.loads(ended(sfn, execution)["output"]) == {"ok": 1}
    assert names(history(sfn, execution)) == ["ExecutionStarted", "TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded", "TaskStateExited", "ExecutionSucceeded"]
    assert refused(sfn.send_task_failure, taskToken=token) == ("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
    execution, token = waiting(sfn, "fails")
    sfn.send_task_failure(taskToken=token)
    described = ended(sfn, execution)
    assert described["status"] == "FAILED" and "error" not in described and "cause" not in described


def test_a_token_is_refused_as_aws_refuses_it(sfn, server):
    execution, token = waiting(sfn, "net")
    for garbage in ["NoSuchTaskToken", "あ", token[:20], "A" + token[1:] if token[0] != "A" else "B" + token[1:]]:
        assert refused(sfn.send_task_success, taskToken=garbage, output="1") == ("InvalidToken", "Invalid Token: 'Invalid token'")
    stranger = server.client("stepfunctions", account=account())
    assert refused(stranger.send_task_success, taskToken=token, output="1") == ("InvalidToken", "Invalid Token: 'Invalid token'")
    assert refused(sfn.send_task_success, taskToken=token, output="not JSON")[0] == "InvalidOutput"
    sfn.stop_execution(executionArn=execution)
    assert refused(sfn.send_task_success, taskToken=token, output="1") == ("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")


def test_a_missed_heartbeat_ends_the_task_and_each_retry_has_its_own_token(sfn):
    execution, token = waiting(sfn, "late", HeartbeatSeconds=1, Retry=[{"ErrorEquals": ["States.HeartbeatTimeout"], "IntervalSeconds": 1, "MaxAttempts": 1}])
    until(lambda: names(history(sfn, execution)).count("TaskSubmitted") == 2, 20)
    scheduled = [event["taskScheduledEventDetails"]["parameters"] for event in history(sfn, execution) if event["type"] == "TaskScheduled"]
    tokens = [json.loads(parameters)["Input"]["token"] for parameters in scheduled]
    assert tokens[0] == token != tokens[1]
    assert refused(sfn.send_task_success, taskToken=token, output="1") == ("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
    sfn.send_task_success(taskToken=tokens[1], output="2")
    assert ended(sfn, execution)["output"] == "2"


def test_a_task_can_answer_another(sfn):
    child = machine(sfn, one_task("arn:aws:states:::aws-sdk:sfn:sendTaskSuccess", Parameters={"TaskToken.$": "$.token", "Output": {"from": "child"}}), "child")
    execution = start(sfn, with_token(), "parent", json.dumps({"child": child}))
    assert json.loads(ended(sfn, execution)["output"]) == {"from": "child"}
    assert names(history(sfn, execution))[2:6] == ["TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded"]
    nobody = start(sfn, one_task("arn:aws:states:::aws-sdk:sfn:sendTaskFailure", Parameters={"TaskToken": "NoSuchTaskToken"}), "nobody")
    described = ended(sfn, nobody)
    assert described["error"] == "Sfn.InvalidTokenException" and described["cause"].startswith("Invalid Token: 'Invalid token' (Service: Sfn, Status Code: 400, Request ID: ")


def test_what_waits_for_people_survives_a_kill(tmp_path):
    server = Server(tmp_path).start()
    try:
        sfn = server.client("stepfunctions")
        arn = sfn.create_activity(name="work")["activityArn"]
        net = machine(sfn, one_task(arn), "net")
        first, second = (sfn.start_execution(stateMachineArn=net, input=json.dumps(n))["executionArn"] for n in (1, 2))
        taken = sfn.get_activity_task(activityArn=arn)
        waits, token = waiting(sfn, "token")
        server.kill()
        server.start()
        sfn = server.client("stepfunctions")
        other = sfn.get_activity_task(activityArn=arn)
        assert {taken["input"], other["input"]} == {"1", "2"}, "a task that was started is not handed out again"
        for task in (taken, other):
            sfn.send_task_success(taskToken=task["taskToken"], output=task["input"])
        sfn.send_task_success(taskToken=token, output="3")
        assert [ended(sfn, execution)["output"] for execution in (first, second, waits)] == ["1", "2", "3"]
        # A worker that waits does not hold the server's end up.
        waiter = threading.Thread(target=lambda: sfn.get_activity_task(activityArn=arn))
        waiter.start()
        time.sleep(0.5)
        began = time.monotonic()
        server.stop()
        assert time.monotonic() - began < 8
        waiter.join(10)
    finally:
        server.process.kill()


# State machines that run others.

def nested(suffix="", **parameters):
    return one_task(f"arn:aws:states:::states:startExecution{suffix}", Parameters={"StateMachineArn.$": "$.child", **parameters})


def run_nested(sfn, name, child, suffix, **parameters):
    arn = machine(sfn, child, f"{name}-child")
    execution = start(sfn, nested(suffix, **parameters), name, json.dumps({"child": arn}))
    return ended(sfn, execution), history(sfn, execution)


def test_starting_another_gives_its_arn(sfn):
    described, events = run_nested(sfn, "starts", {"StartAt": "P", "States": {"P": PASS}}, "", Name="child-1", Input={"a": 1})
    output = json.loads(described["output"])
    assert output["ExecutionArn"].endswith(":execution:starts-child:child-1") and isinstance(output["StartDate"], int)
    assert output["SdkHttpMetadata"]["HttpStatusCode"] == 200 and output["SdkResponseMetadata"]["RequestId"]
    assert names(events)[2:5] == ["TaskScheduled", "TaskStarted", "TaskSucceeded"]
    assert ended(sfn, output["ExecutionArn"])["input"] == '{"a":1}'


def test_waiting_for_another_gives_what_describes_it(sfn):
    for suffix, text in ((".sync", True), (".sync:2", False)):
        name = "waits" + suffix.replace(":", "").replace(".", "-")
        described, events = run_nested(sfn, name, {"StartAt": "P", "States": {"P": PASS}}, suffix, Input={"a": 1})
        output = json.loads(described["output"])
        assert output["Status"] == "SUCCEEDED" and output["InputDetails"] == output["OutputDetails"] == {"Included": True}
        assert output["Input"] == output["Output"] == ('{"a":1}' if text else {"a": 1})
        assert names(events) == ["ExecutionStarted", "TaskStateEntered", "TaskScheduled", "TaskStarted", "TaskSubmitted", "TaskSucceeded", "TaskStateExited", "ExecutionSucceeded"]


def test_anothers_failure_is_told_whole(sfn):
    child = {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "why"}}}
    described, events = run_nested(sfn, "fails", child, ".sync", Name="child")
    cause = json.loads(described["cause"])
    assert described["error"] == "States.TaskFailed"
    assert (cause["Status"], cause["Error"], cause["Cause"], cause["Input"]) == ("FAILED", "E", "why", "{}")
    assert names(events)[-3:] == ["TaskSubmitted", "TaskFailed", "ExecutionFailed"]
    late = {"StartAt": "W", "TimeoutSeconds": 1, "States": {"W": {"Type": "Wait", "Seconds": 60, "End": True}}}
    described, _ = run_nested(sfn, "late", late, ".sync:2")
    assert json.loads(described["cause"])["Status"] == "TIMED_OUT"


def test_what_cannot_be_started_fails_in_the_sdks_words(sfn):
    definition = nested(".sync")
    arn = machine(sfn, {"StartAt": "P", "States": {"P": PASS}}, "gone")
    sfn.delete_state_machine(stateMachineArn=arn)
    until(lambda: refused(sfn.describe_state_machine, stateMachineArn=arn) if not alive(sfn, arn) else None, 10)
    described = ended(sfn, start(sfn, definition, "nowhere", json.dumps({"child": arn})))
    assert described["error"] == "StepFunctions.StateMachineDoesNotExistException"
    assert described["cause"].startswith(f"State Machine Does Not Exist: '{arn}' (Service: AWSStepFunctions; Status Code: 400; Error Code: StateMachineDoesNotExist; Request ID: ")
    assert described["cause"].endswith("; Proxy: null)")
    wrong = start(sfn, nested("", name="x"), "wrong", json.dumps({"child": arn}))
    assert 'The field "name" is not supported by Step Functions' in ended(sfn, wrong)["cause"]


def alive(sfn, arn):
    try:
        sfn.describe_state_machine(stateMachineArn=arn)
        return True
    except sfn.exceptions.StateMachineDoesNotExist:
        return False


def test_stopping_the_parent_stops_the_child(sfn):
    child = machine(sfn, {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 60, "End": True}}}, "child")
    for name, more in (("stopped", {}), ("late", {"TimeoutSeconds": 1})):
        definition = nested(".sync", Name=f"child-{name}")
        definition["States"]["T"] |= more
        parent = start(sfn, definition, name, json.dumps({"child": child}))
        arn = child.replace(":stateMachine:", ":execution:") + f":child-{name}"
        until(lambda: "TaskSubmitted" in names(history(sfn, parent)), 10)
        if not more:
            sfn.stop_execution(executionArn=parent)
        assert ended(sfn, arn)["status"] == "ABORTED"
        assert ended(sfn, parent)["status"] == ("FAILED" if more else "ABORTED")


def test_nested_executions_survive_a_kill(tmp_path):
    server = Server(tmp_path).start()
    try:
        sfn = server.client("stepfunctions")
        child = machine(sfn, {"StartAt": "W", "States": {"W": {"Type": "Wait", "SecondsPath": "$.s", "End": True}}}, "child")
        parent = machine(sfn, nested(".sync:2", **{"Name.$": "$.name", "Input": {"s.$": "$.s"}}), "parent")
        executions = []
        for n in range(20):
            given = json.dumps({"child": child, "name": f"c{n}", "s": n % 3})
            executions.append(sfn.start_execution(stateMachineArn=parent, input=given, name=f"p{n}")["executionArn"])
            if n % 5 == 4:
                server.kill()
                time.sleep(0.2 * (n % 3))
                server.start()
                sfn = server.client("stepfunctions")
        described = [ended(sfn, execution) for execution in executions]
        assert {one["status"] for one in described} == {"SUCCEEDED"}, described
        for execution in executions:
            assert names(history(sfn, execution)).count("TaskSubmitted") == 1
    finally:
        server.process.kill()
