"""CloudWatch Logs with the real clients: groups, streams, and log events put, read back and searched."""

import json
import time

import botocore.exceptions
import pytest


@pytest.fixture
def logs(server, account):
    return server.client("logs", account)


def now():
    return int(time.time() * 1000)


def put(logs, group, stream, lines):
    events = [{"timestamp": at, "message": message} for at, message in lines]
    return logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=events)


def made(logs, group, *streams):
    logs.create_log_group(logGroupName=group)
    for stream in streams:
        logs.create_log_stream(logGroupName=group, logStreamName=stream)
    return group


def messages(answer):
    return [event["message"] for event in answer["events"]]


def refused(code, text, call, **arguments):
    with pytest.raises(botocore.exceptions.ClientError) as refusal:
        call(**arguments)
    error = refusal.value.response["Error"]
    assert error["Code"] == code and text in error["Message"], error


def test_groups_come_and_go(logs, account):
    for name in ["/aws/a", "/aws/b", "c"]:
        logs.create_log_group(logGroupName=name, tags={"team": "web"})
    refused("ResourceAlreadyExistsException", "The specified log group already exists", logs.create_log_group, logGroupName="c")
    refused("InvalidParameterException", "logGroupName", logs.create_log_group, logGroupName="no spaces")
    listed = logs.describe_log_groups(logGroupNamePrefix="/aws/")["logGroups"]
    assert [group["logGroupName"] for group in listed] == ["/aws/a", "/aws/b"]
    arn = f"arn:aws:logs:us-east-1:{account}:log-group:/aws/a"
    assert (listed[0]["arn"], listed[0]["logGroupArn"], listed[0]["storedBytes"]) == (f"{arn}:*", arn, 0)
    assert [group["logGroupName"] for group in logs.describe_log_groups(logGroupNamePattern="AWS/B")["logGroups"]] == ["/aws/b"]
    pages = logs.get_paginator("describe_log_groups").paginate(PaginationConfig={"PageSize": 2})
    assert [[group["logGroupName"] for group in page["logGroups"]] for page in pages] == [["/aws/a", "/aws/b"], ["c"]]
    logs.tag_resource(resourceArn=arn, tags={"k": "v"})
    logs.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert logs.list_tags_for_resource(resourceArn=arn)["tags"] == {"k": "v"}
    logs.delete_log_group(logGroupName="/aws/a")
    refused("ResourceNotFoundException", "The specified log group does not exist.", logs.delete_log_group, logGroupName="/aws/a")
    assert [group["logGroupName"] for group in logs.describe_log_groups()["logGroups"]] == ["/aws/b", "c"]


def test_streams_by_name_and_by_time(logs):
    group = made(logs, "g", "b", "a", "ab")
    at = now()
    put(logs, group, "b", [(at - 5, "x")])
    put(logs, group, "a", [(at - 9, "x"), (at - 3, "y")])
    describe = lambda **more: [stream["logStreamName"] for stream in logs.describe_log_streams(logGroupName=group, **more)["logStreams"]]
    assert describe() == ["a", "ab", "b"]
    assert describe(logStreamNamePrefix="a", descending=True) == ["ab", "a"]
    assert describe(orderBy="LastEventTime", descending=True) == ["a", "b", "ab"]
    (stream,) = logs.describe_log_streams(logGroupName=group, limit=1)["logStreams"]
    assert (stream["firstEventTimestamp"], stream["lastEventTimestamp"]) == (at - 9, at - 3)
    refused("InvalidParameterException", "Cannot order by LastEventTime", logs.describe_log_streams, logGroupName=group, orderBy="LastEventTime", logStreamNamePrefix="a")
    logs.delete_log_stream(logGroupName=group, logStreamName="a")
    assert describe() == ["ab", "b"] and describe(orderBy="LastEventTime") == ["ab", "b"]
    assert messages(logs.filter_log_events(logGroupName=group)) == ["x"]
    refused("ResourceNotFoundException", "The specified log stream does not exist.", put, logs=logs, group=group, stream="a", lines=[(at, "x")])


def test_what_a_batch_may_not_be(logs):
    group, at = made(logs, "g", "s"), now()
    wrong = "InvalidParameterException"
    refused(wrong, "chronological", put, logs=logs, group=group, stream="s", lines=[(at, "b"), (at - 1, "a")])
    refused(wrong, "24 hours", put, logs=logs, group=group, stream="s", lines=[(at - 86_400_001, "a"), (at, "b")])
    refused(wrong, "Upload too large", put, logs=logs, group=group, stream="s", lines=[(at, "x" * 600_000)] * 2)
    hour = 3_600_000
    rejected = put(logs, group, "s", [(at, "now"), (at + 3 * hour, "later")])
    assert rejected["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 1} and rejected["nextSequenceToken"]
    assert put(logs, group, "s", [(at - 15 * 24 * hour, "old")])["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}
    logs.put_retention_policy(logGroupName=group, retentionInDays=1)
    assert put(logs, group, "s", [(at - 25 * hour, "gone")])["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}
    assert messages(logs.filter_log_events(logGroupName=group)) == ["now"]


def test_retention_hides_and_shows(logs):
    group, at = made(logs, "g", "s"), now()
    put(logs, group, "s", [(at - 3 * 86_400_000, "old")])
    put(logs, group, "s", [(at, "new")])
    logs.put_retention_policy(logGroupName=group, retentionInDays=1)
    assert logs.describe_log_groups()["logGroups"][0]["retentionInDays"] == 1
    assert messages(logs.get_log_events(logGroupName=group, logStreamName="s", startFromHead=True)) == ["new"]
    refused("InvalidParameterException", "retentionInDays", logs.put_retention_policy, logGroupName=group, retentionInDays=2)
    logs.delete_retention_policy(logGroupName=group)
    assert messages(logs.get_log_events(logGroupName=group, logStreamName="s")) == ["old", "new"]


def test_a_stream_is_read_both_ways(logs):
    group, at = made(logs, "g", "s"), now() - 100
    get = lambda **more: logs.get_log_events(logGroupName=group, logStreamName="s", **more)
    empty = get(startFromHead=True)
    assert empty["events"] == []
    put(logs, group, "s", [(at + n, f"m{n}") for n in range(10)])
    assert messages(get(nextToken=empty["nextForwardToken"])) == [f"m{n}" for n in range(10)]
    head = get(startFromHead=True, limit=4)
    assert messages(head) == ["m0", "m1", "m2", "m3"]
    rest = get(nextToken=head["nextForwardToken"], startFromHead=True)
    assert messages(rest) == [f"m{n}" for n in range(4, 10)]
    end = get(nextToken=rest["nextForwardToken"], startFromHead=True)
    assert end["events"] == [] and end["nextForwardToken"] == rest["nextForwardToken"]
    tail = get(limit=3)
    assert messages(tail) == ["m7", "m8", "m9"]
    assert messages(get(nextToken=tail["nextBackwardToken"], limit=3)) == ["m4", "m5", "m6"]
    begin = get(nextToken=head["nextBackwardToken"])
    assert begin["events"] == [] and begin["nextBackwardToken"] == head["nextBackwardToken"]
    assert messages(get(startTime=at + 2, endTime=at + 5)) == ["m2", "m3", "m4"]
    refused("InvalidParameterException", "nextToken", get, nextToken="x")


def test_late_batches_are_read_in_their_place(logs):
    group, at = made(logs, "g", "s"), now() - 1_000_000
    for first in [500_000, 0, 499_990, 70_000]:
        put(logs, group, "s", [(at + first + n, f"{first + n:06}") for n in range(0, 40, 20)])
    forward, backward = [], []
    token = {"startFromHead": True}
    while page := logs.get_log_events(logGroupName=group, logStreamName="s", limit=3, **token):
        if not page["events"]:
            break
        forward += messages(page)
        token = {"nextToken": page["nextForwardToken"], "startFromHead": True}
    token = {}
    while page := logs.get_log_events(logGroupName=group, logStreamName="s", limit=3, **token):
        if not page["events"]:
            break
        backward = messages(page) + backward
        token = {"nextToken": page["nextBackwardToken"]}
    assert forward == backward == sorted(forward) and len(forward) == 8


def test_a_page_ends_with_its_bytes(logs):
    group, at = made(logs, "g", "s"), now()
    for n in range(3):
        put(logs, group, "s", [(at + n, "x" * 900_000)])
    pages = list(logs.get_paginator("filter_log_events").paginate(logGroupName=group))
    assert [len(page["events"]) for page in pages] == [1, 1, 1]


def test_searching_a_group(logs):
    group, at = made(logs, "g", "web/1", "web/2", "db"), now() - 1000
    put(logs, group, "web/1", [(at, "GET /a 200"), (at + 20, "GET /b 500 ERROR")])
    put(logs, group, "web/2", [(at + 10, "GET /c 200"), (at + 30, json.dumps({"type": "ExecutionFailed", "code": 7}))])
    put(logs, group, "db", [(at + 15, "ERROR lost connection")])
    found = lambda pattern="", **more: messages(logs.filter_log_events(logGroupName=group, filterPattern=pattern, **more))
    assert [message[:6] for message in found()] == ["GET /a", "GET /c", "ERROR ", "GET /b", '{"type']
    assert found("ERROR") == ["ERROR lost connection", "GET /b 500 ERROR"]
    assert found('ERROR -"lost connection"') == ["GET /b 500 ERROR"]
    assert found("{ $.code > 6 && $.type = \"*Failed\" }") == ['{"type": "ExecutionFailed", "code": 7}']
    assert found("ERROR", logStreamNames=["db"]) == found("ERROR", logStreamNamePrefix="d") == ["ERROR lost connection"]
    assert found(startTime=at + 10, endTime=at + 15) == ["GET /c 200", "ERROR lost connection"]
    pages = list(logs.get_paginator("filter_log_events").paginate(logGroupName=group, PaginationConfig={"PageSize": 2}))
    assert [len(page["events"]) for page in pages] == [2, 2, 1]
    assert len({event["eventId"] for page in pages for event in page["events"]}) == 5
    refused("InvalidParameterException", "Invalid character", found, pattern="a-b")
    refused("ResourceNotFoundException", "log stream", found, logStreamNames=["none"])


def test_the_cli_tails_and_filters(server, logs, account):
    group = made(logs, "/app/cli", "s")
    put(logs, group, "s", [(now(), "hello tail")])
    found = server.aws("logs", "filter-log-events", "--log-group-name", group, "--filter-pattern", "hello", account=account)
    assert [event["message"] for event in found["events"]] == ["hello tail"]
    # What `aws logs tail` asks.
    arn = f"arn:aws:logs:us-east-1:{account}:log-group:{group}"
    tailed = server.aws("logs", "filter-log-events", "--log-group-identifier", arn, "--interleaved", "--start-time", str(now() - 600_000), account=account)
    assert [event["message"] for event in tailed["events"]] == ["hello tail"]
    assert server.aws("logs", "get-log-events", "--log-group-name", group, "--log-stream-name", "s", account=account)["events"]


def test_what_was_logged_is_there_after_a_kill(directories):
    import harness

    server = harness.Server(directories.make("logs")).start()
    try:
        logs, at = server.client("logs"), now()
        group = made(logs, "g", "s")
        for batch in range(30):
            put(logs, group, "s", [(at + batch, f"{batch:03} " + "x" * 5000)])
        server.kill()
        server.start()
        logs = server.client("logs")
        put(logs, group, "s", [(at + 99, "after")])
        read = messages(logs.get_log_events(logGroupName=group, logStreamName="s", startFromHead=True))
        assert [message.split()[0] for message in read] == [f"{n:03}" for n in range(30)] + ["after"]
    finally:
        server.stop()


PASS = {"StartAt": "S", "States": {"S": {"Type": "Pass", "Result": {"Arg1": "argument1"}, "End": True}}}
FAIL = {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "SomeFailure", "Cause": "why"}}}


def logging(account, group, level="ALL", data=True):
    destination = {"cloudWatchLogsLogGroup": {"logGroupArn": f"arn:aws:logs:us-east-1:{account}:log-group:{group}:*"}}
    return {"level": level, "includeExecutionData": data, "destinations": [destination]}


def logged_machine(sfn, account, name, definition, **more):
    return sfn.create_state_machine(name=name, definition=json.dumps(definition), roleArn="arn:aws:iam::000000000000:role/tests",
                                    loggingConfiguration=logging(account, "/sfn", **more))["stateMachineArn"]


def execution_events(logs, arn, least):
    """What was logged of one execution, once there is enough of it."""
    import harness

    def question():
        found = [(event["logStreamName"], json.loads(event["message"])) for event in logs.filter_log_events(logGroupName="/sfn")["events"]]
        found = [one for one in found if one[1]["execution_arn"] == arn]
        return found if len(found) >= least else None

    return harness.until(question, 10, "the events were not logged")


def test_an_execution_is_logged(sfn, logs, account):
    logs.create_log_group(logGroupName="/sfn")
    machine = logged_machine(sfn, account, "net", PASS)
    arn = sfn.start_execution(stateMachineArn=machine, input='{"a": 1}')["executionArn"]
    found = execution_events(logs, arn, 4)
    assert all(stream.startswith("states/net/") for stream, _ in found)
    for _, event in found:
        assert event.pop("event_timestamp").isdigit()
    cut = {"truncated": False}
    expected = [
        {"id": "1", "type": "ExecutionStarted", "details": {"input": '{"a": 1}', "inputDetails": cut, "roleArn": "arn:aws:iam::000000000000:role/tests"}, "previous_event_id": "0"},
        {"id": "2", "type": "PassStateEntered", "details": {"input": '{"a":1}', "inputDetails": cut, "name": "S"}, "previous_event_id": "0"},
        {"id": "3", "type": "PassStateExited", "details": {"name": "S", "output": '{"Arg1":"argument1"}', "outputDetails": cut}, "previous_event_id": "2"},
        {"id": "4", "type": "ExecutionSucceeded", "details": {"output": '{"Arg1":"argument1"}', "outputDetails": cut}, "previous_event_id": "3"},
    ]
    # The state's input is told as the history tells it.
    history = sfn.get_execution_history(executionArn=arn)["events"]
    expected[1]["details"]["input"] = history[1]["stateEnteredEventDetails"]["input"]
    assert [event for _, event in found] == [{**event, "execution_arn": arn, "redrive_count": "0"} for event in expected]


def test_levels_and_data_of_execution_logs(sfn, logs, account):
    logs.create_log_group(logGroupName="/sfn")
    types = {}
    for level in ["ERROR", "FATAL"]:
        machine = logged_machine(sfn, account, f"fails-{level}", FAIL, level=level, data=False)
        arn = sfn.start_execution(stateMachineArn=machine)["executionArn"]
        found = execution_events(logs, arn, {"ERROR": 2, "FATAL": 1}[level])
        types[level] = [(event["type"], event["details"]) for _, event in found]
    failed = ("ExecutionFailed", {"error": "SomeFailure", "cause": "why"})
    assert types == {"ERROR": [("FailStateEntered", {"name": "F"}), failed], "FATAL": [failed]}


def test_a_machine_needs_a_destination_that_is_there(sfn, logs, account):
    import harness

    wanted = {"name": "net", "definition": json.dumps(PASS), "roleArn": "arn:aws:iam::000000000000:role/tests"}
    missing = ("InvalidLoggingConfiguration", "Invalid Logging Configuration: Log Destination not found.")
    assert harness.refused(sfn.create_state_machine, **wanted, loggingConfiguration=logging(account, "/none")) == missing
    logs.create_log_group(logGroupName="/sfn")
    assert harness.refused(sfn.create_state_machine, **wanted, loggingConfiguration=logging("999999999999", "/sfn")) == missing
    machine = logged_machine(sfn, account, "net", PASS)
    assert harness.refused(sfn.update_state_machine, stateMachineArn=machine, loggingConfiguration=logging(account, "/none")) == missing
    # A group that goes away takes no execution with it.
    logs.delete_log_group(logGroupName="/sfn")
    arn = sfn.start_execution(stateMachineArn=machine)["executionArn"]
    assert harness.ended(sfn, arn)["status"] == "SUCCEEDED"
