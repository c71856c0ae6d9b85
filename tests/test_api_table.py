"""Every operation of Step Functions, row by row: what its success answers, each of its errors, its pages, and asking twice.

The rows are held against the model that AWS publishes: no operation without a row, no error that is neither provoked nor
said not to occur, no member of a request whose constraint is not broken once."""

import base64
import concurrent.futures
import contextlib
import dataclasses
import functools
import itertools
import json
import socket
import time
import typing

import pytest

import harness
import model
from harness import ended, refused, until

ROLE = "arn:aws:iam::000000000000:role/tests"
PASS = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}})
FAIL = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Fail", "Error": "E", "Cause": "why"}}})
WAIT = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": 600, "End": True}}})
KEY = {"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "key"}

NONSENSE = ("nonsense", "Invalid Arn: 'Invalid ARN prefix: nonsense'")
GARBAGE = "Invalid Token: 'Invalid token'"
LABELLED = "This operation does not support labeled state machine ARNs."
REFERENCE = "Request references a resource that does not exist."
GONE = "Task Timed Out: 'Provided task does not exist anymore'"
UNSUPPORTED = "This operation is not supported by this type of state machine"
MANY_TAGS = [{"key": str(number), "value": ""} for number in range(51)]

# Errors that the model has and that do not occur, with the reason.
NO_KMS = "There is no KMS: a key is kept and told, and nothing asks for it."
ONE_AT_A_TIME = "What changes a state machine is done one after another, so no change meets a half-done one."
GONE_ALREADY = "What is not there is deleted already (recorded on AWS)."


class World:
    """An account with one of everything, made when it is first asked for."""

    def __init__(self, server):
        self.server, self.account = server, harness.account()
        self.sfn = server.client("stepfunctions", self.account, read_timeout=80, inject_host_prefix=False)
        self.stranger = server.client("stepfunctions", harness.account(), inject_host_prefix=False)
        self.numbers = itertools.count()

    def name(self):
        return f"n{next(self.numbers)}"

    def arn(self, kind, name):
        return f"arn:aws:states:{harness.REGION}:{self.account}:{kind}:{name}"

    def create(self, definition=PASS, **more):
        return self.sfn.create_state_machine(**{"name": self.name(), "definition": definition, "roleArn": ROLE, **more})["stateMachineArn"]

    @functools.cached_property
    def machine(self):
        """With versions 1 and 2 and an alias of the first."""
        arn = self.create(publish=True, name="machine")
        self.sfn.update_state_machine(stateMachineArn=arn, definition=FAIL, publish=True)
        self.sfn.create_state_machine_alias(name="PROD", routingConfiguration=route(arn + ":1"))
        return arn

    @functools.cached_property
    def express(self):
        return self.create(name="express", type="EXPRESS")

    @functools.cached_property
    def waits(self):
        return self.create(WAIT, name="waits")

    @functools.cached_property
    def activity(self):
        return self.sfn.create_activity(name="activity")["activityArn"]

    @functools.cached_property
    def works(self):
        """Has the activity do something."""
        return self.create(json.dumps({"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": self.activity, "End": True}}}), name="works")

    @functools.cached_property
    def succeeded(self):
        arn = self.sfn.start_execution(stateMachineArn=self.machine + ":PROD", name="succeeded", traceHeader="trace")["executionArn"]
        assert ended(self.sfn, arn)["status"] == "SUCCEEDED"
        return arn

    @functools.cached_property
    def maps(self):
        """Has run three Maps in distributed mode."""
        states = {label: {**each(label, {"Type": "Pass", "End": True}), "Next": after} for label, after in (("a", "b"), ("b", "c"), ("c", "d"))}
        definition = json.dumps({"StartAt": "a", "QueryLanguage": "JSONata", "States": {**states, "d": {"Type": "Succeed"}}})
        arn = self.sfn.start_execution(stateMachineArn=self.create(definition, name="maps"))["executionArn"]
        assert ended(self.sfn, arn)["status"] == "SUCCEEDED"
        return arn

    @functools.cached_property
    def map_run(self):
        return self.sfn.list_map_runs(executionArn=self.maps)["mapRuns"][0]["mapRunArn"]

    def running(self):
        return self.sfn.start_execution(stateMachineArn=self.waits)["executionArn"]

    def failed(self):
        arn = self.sfn.start_execution(stateMachineArn=self.machine + ":2")["executionArn"]
        assert ended(self.sfn, arn)["status"] == "FAILED"
        return arn

    def token(self):
        self.sfn.start_execution(stateMachineArn=self.works)
        return self.sfn.get_activity_task(activityArn=self.activity)["taskToken"]

    def spent(self):
        token = self.token()
        self.sfn.send_task_success(taskToken=token, output="1")
        return token

    def lost(self):
        """The token of a task whose execution is not there any more."""
        secret_and_task = b"\0" * 24
        return base64.urlsafe_b64encode(secret_and_task + self.arn("execution", "gone:gone").encode()).decode().rstrip("=")


def route(*versions):
    return [{"stateMachineVersionArn": version, "weight": 100 // len(versions)} for version in versions]


def logging(level, *arns):
    return {"level": level, "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": arn}} for arn in arns]}


def each(label, state):
    """A Map in distributed mode: `state` for one item."""
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "in-" + label, "States": {"in-" + label: state}}
    return {"Type": "Map", "Label": label, "Items": [1], "ItemProcessor": processor}


@dataclasses.dataclass
class Pages:
    """A list of three things or more."""

    key: str
    asks: typing.Callable = lambda w: {}
    # The same list asked for otherwise: a page's token is not for it.
    other: typing.Callable | None = None


@dataclasses.dataclass
class Row:
    # The members of the answer to `asks`: all of them.
    gives: str
    asks: typing.Callable
    # For each error what brings it about, and its words.
    errors: dict = dataclasses.field(default_factory=dict)
    # Asked twice, it answers the same.
    twice: bool = True
    pages: Pages | None = None
    absent: dict = dataclasses.field(default_factory=dict)


def about(member, value=NONSENSE[0], words=NONSENSE[1], **more):
    """What brings an error about with one member, and its words, in which {} is the value."""

    def asks(w):
        given = value(w) if callable(value) else value
        others = {key: other(w) if callable(other) else other for key, other in more.items()}
        return {**others, member: given}, words.format(given) if isinstance(given, str) else words

    return asks


def beyond(member, **more):
    """An ARN that is longer than an ARN may be."""
    return about(member, "a" * 2001, "1 validation error detected: Value '{}' at '" + member + "' failed to satisfy constraint: "
                 "Member must have length less than or equal to " + str(2000 if member == "stateMachineVersionArn" else 256), **more)


def garbage(**more):
    return about("nextToken", "garbage", GARBAGE, **more)


def no_machine(part="-2", **more):
    return about("stateMachineArn", lambda w: w.machine + part, "State Machine Does Not Exist: '{}'", **more)


def no_execution():
    return about("executionArn", lambda w: w.arn("execution", "machine:gone"), "Execution Does Not Exist: '{}'")


def creating(member, value, words, **more):
    """Of a new state machine."""
    return about(member, value, words, **{"name": lambda w: w.name(), "definition": PASS, "roleArn": ROLE, **more})


TABLE = {
    "CreateActivity": Row(
        "activityArn creationDate",
        lambda w: {"name": w.name()},
        {
            "ActivityAlreadyExists": lambda w: ({"name": "activity", "encryptionConfiguration": KEY}, f"Activity Already Exists: '{w.activity}'"),
            "InvalidName": about("name", "a b", "Invalid Name: '{}'"),
            "TooManyTags": about("tags", MANY_TAGS, "You've exceeded the number of tags allowed for a resource.", name="tagged"),
            "InvalidEncryptionConfiguration": about(
                "encryptionConfiguration", {"type": KEY["type"]},
                "Invalid Encryption Configuration: kmsKeyId must be specified when type is CUSTOMER_MANAGED_KMS_KEY.", name="e"),
        },
    ),
    "CreateStateMachine": Row(
        "stateMachineArn creationDate stateMachineVersionArn",
        lambda w: {"name": w.name(), "definition": PASS, "roleArn": ROLE, "publish": True, "versionDescription": "first"},
        {
            "InvalidArn": creating("roleArn", "r", "Invalid Role Arn: '{}'"),
            "InvalidDefinition": creating("definition", "{}", "Invalid State Machine Definition: "
                                          "'SCHEMA_VALIDATION_FAILED: These fields are required: [States, StartAt] at /'"),
            "InvalidName": creating("name", "a b", "Invalid Name: '{}'"),
            "InvalidLoggingConfiguration": creating("loggingConfiguration", {"level": "ALL"},
                                                    "Invalid Logging Configuration: Must specify exactly one Log Destination."),
            "InvalidTracingConfiguration": creating("tracingConfiguration", {}, "Invalid Tracing Configuration: enabled must be set to true or false."),
            "StateMachineAlreadyExists": lambda w: ({"name": "waits", "definition": PASS, "roleArn": ROLE}, f"State Machine Already Exists: '{w.waits}'"),
            "TooManyTags": creating("tags", MANY_TAGS, "You've exceeded the number of tags allowed for a resource."),
            "ValidationException": creating("versionDescription", "first", "Version description can only be set when publish is true"),
            "InvalidEncryptionConfiguration": creating("encryptionConfiguration", {"type": "AWS_OWNED_KEY", "kmsKeyId": "key"},
                                                       "Invalid Encryption Configuration: kmsKeyId must not be specified when type is AWS_OWNED_KEY."),
        },
        absent={"StateMachineTypeNotSupported": "Both types are supported; that there is no third one the constraint of the member tells.",
                "ConflictException": ONE_AT_A_TIME},
    ),
    "CreateStateMachineAlias": Row(
        "stateMachineAliasArn creationDate",
        lambda w: {"name": w.name(), "routingConfiguration": route(w.machine + ":1")},
        {
            "InvalidArn": about("routingConfiguration", route(NONSENSE[0]), NONSENSE[1], name="a"),
            "ValidationException": about("routingConfiguration", lambda w: [{**route(w.machine + ":1")[0], "weight": 99}],
                                         "Sum of routing configuration weights must equal 100. Received: [99]", name="a"),
            "ResourceNotFound": about("routingConfiguration", lambda w: route(w.machine + ":9"), REFERENCE, name="a"),
            "ConflictException": about("routingConfiguration", lambda w: route(w.machine + ":2"), "Failed to create alias because an alias with the same "
                                       "name and a different routing configuration already exists.", name="PROD"),
        },
        absent={"InvalidName": "The member's pattern leaves no name to it (recorded on AWS)."},
    ),
    "DeleteActivity": Row("", lambda w: {"activityArn": w.sfn.create_activity(name=w.name())["activityArn"]}, {"InvalidArn": about("activityArn")}),
    "DeleteStateMachine": Row(
        "",
        lambda w: {"stateMachineArn": w.create()},
        {"InvalidArn": about("stateMachineArn"), "ValidationException": about("stateMachineArn", lambda w: w.machine + "/each", LABELLED)},
    ),
    "DeleteStateMachineAlias": Row(
        "",
        lambda w: {"stateMachineAliasArn": w.sfn.create_state_machine_alias(name=w.name(), routingConfiguration=route(w.machine + ":1"))["stateMachineAliasArn"]},
        {"InvalidArn": about("stateMachineAliasArn"), "ValidationException": beyond("stateMachineAliasArn")},
        absent={"ResourceNotFound": GONE_ALREADY, "ConflictException": ONE_AT_A_TIME},
    ),
    "DeleteStateMachineVersion": Row(
        "",
        lambda w: {"stateMachineVersionArn": w.create(publish=True) + ":1"},
        {
            "InvalidArn": about("stateMachineVersionArn"),
            "ValidationException": beyond("stateMachineVersionArn"),
            "ConflictException": lambda w: ({"stateMachineVersionArn": taken(w) + ":1"}, "Version to be deleted must not be referenced by an alias. "
                                            "Current list of aliases referencing this version: [PROD]"),
        },
    ),
    "DescribeActivity": Row(
        "activityArn name creationDate encryptionConfiguration",
        lambda w: {"activityArn": w.activity},
        {"InvalidArn": about("activityArn"), "ActivityDoesNotExist": about("activityArn", lambda w: w.activity + "-2", "Activity Does Not Exist: '{}'")},
    ),
    "DescribeExecution": Row(
        "executionArn stateMachineArn stateMachineVersionArn stateMachineAliasArn name status startDate stopDate input inputDetails output outputDetails "
        "traceHeader redriveCount redriveStatus redriveStatusReason",
        lambda w: {"executionArn": w.succeeded},
        {"InvalidArn": about("executionArn"), "ExecutionDoesNotExist": no_execution()},
    ),
    "DescribeMapRun": Row(
        "mapRunArn executionArn status startDate stopDate maxConcurrency toleratedFailurePercentage toleratedFailureCount itemCounts executionCounts "
        "redriveCount",
        lambda w: {"mapRunArn": w.map_run},
        {"InvalidArn": about("mapRunArn"), "ResourceNotFound": about("mapRunArn", lambda w: w.map_run + "0", "Resource not found: '{}'")},
    ),
    "DescribeStateMachine": Row(
        "stateMachineArn name status definition roleArn type creationDate loggingConfiguration tracingConfiguration encryptionConfiguration revisionId",
        lambda w: {"stateMachineArn": w.machine},
        {"InvalidArn": about("stateMachineArn"), "StateMachineDoesNotExist": no_machine()},
    ),
    "DescribeStateMachineAlias": Row(
        "stateMachineAliasArn name routingConfiguration creationDate updateDate",
        lambda w: {"stateMachineAliasArn": w.machine + ":PROD"},
        {
            "ValidationException": beyond("stateMachineAliasArn"),
            "InvalidArn": about("stateMachineAliasArn"),
            "ResourceNotFound": about("stateMachineAliasArn", lambda w: w.machine + ":TEST", REFERENCE),
        },
    ),
    "DescribeStateMachineForExecution": Row(
        "stateMachineArn name definition roleArn updateDate loggingConfiguration tracingConfiguration encryptionConfiguration",
        lambda w: {"executionArn": w.succeeded},
        {"InvalidArn": about("executionArn"), "ExecutionDoesNotExist": no_execution()},
    ),
    "GetActivityTask": Row(
        "taskToken input",
        lambda w: w.sfn.start_execution(stateMachineArn=w.works) and {"activityArn": w.activity, "workerName": "worker"},
        {"InvalidArn": about("activityArn"), "ActivityDoesNotExist": about("activityArn", lambda w: w.activity + "-2", "Activity Does Not Exist: '{}'")},
        twice=False,
    ),
    "GetExecutionHistory": Row(
        "events",
        lambda w: {"executionArn": w.succeeded},
        {
            "InvalidArn": about("executionArn"),
            "ExecutionDoesNotExist": no_execution(),
            "InvalidToken": garbage(executionArn=lambda w: w.succeeded),
        },
        pages=Pages("events", lambda w: {"executionArn": w.succeeded}, lambda w: {"executionArn": w.succeeded, "reverseOrder": True}),
    ),
    "ListActivities": Row(
        "activities", lambda w: w.activity and {}, {"InvalidToken": garbage()},
        pages=Pages("activities", lambda w: [w.sfn.create_activity(name=w.name()) for _ in range(3)] and {})),
    "ListExecutions": Row(
        "executions",
        lambda w: w.succeeded and {"stateMachineArn": w.machine},
        {
            "InvalidArn": about("stateMachineArn"),
            "InvalidToken": garbage(stateMachineArn=lambda w: w.machine),
            "StateMachineDoesNotExist": no_machine(),
            "StateMachineTypeNotSupported": about("stateMachineArn", lambda w: w.express, UNSUPPORTED),
            "ValidationException": lambda w: ({}, "Either stateMachineArn or mapRunArn must be specified"),
            "ResourceNotFound": about("mapRunArn", lambda w: w.arn("mapRun", "maps/a:gone"), "Resource not found: '{}'"),
        },
        pages=Pages("executions", lambda w: [w.failed() for _ in range(3)] and {"stateMachineArn": w.machine, "statusFilter": "FAILED"},
                    lambda w: {"stateMachineArn": w.machine}),
    ),
    "ListMapRuns": Row(
        "mapRuns",
        lambda w: {"executionArn": w.maps},
        {"InvalidArn": about("executionArn"), "ExecutionDoesNotExist": no_execution(), "InvalidToken": garbage(executionArn=lambda w: w.maps)},
        pages=Pages("mapRuns", lambda w: {"executionArn": w.maps}, lambda w: {"executionArn": w.succeeded}),
    ),
    "ListStateMachineAliases": Row(
        "stateMachineAliases",
        lambda w: {"stateMachineArn": w.machine},
        {
            "InvalidArn": about("stateMachineArn"),
            "InvalidToken": garbage(stateMachineArn=lambda w: w.machine),
            "ResourceNotFound": about("stateMachineArn", lambda w: w.machine + ":9", REFERENCE),
            "StateMachineDoesNotExist": no_machine(),
        },
        pages=Pages("stateMachineAliases", lambda w: [w.sfn.create_state_machine_alias(name=w.name(), routingConfiguration=route(w.machine + ":1"))
                                                      for _ in range(3)] and {"stateMachineArn": w.machine}, lambda w: {"stateMachineArn": w.machine + ":1"}),
    ),
    "ListStateMachineVersions": Row(
        "stateMachineVersions",
        lambda w: {"stateMachineArn": w.machine},
        {
            "InvalidArn": about("stateMachineArn"),
            "InvalidToken": garbage(stateMachineArn=lambda w: w.machine),
            "ValidationException": beyond("stateMachineArn"),
        },
        pages=Pages("stateMachineVersions", lambda w: {"stateMachineArn": versions(w, 3)}, lambda w: {"stateMachineArn": w.machine}),
    ),
    "ListStateMachines": Row(
        "stateMachines", lambda w: w.machine and {}, {"InvalidToken": garbage()}, pages=Pages("stateMachines", lambda w: [w.create() for _ in range(3)] and {})),
    "ListTagsForResource": Row(
        "tags",
        lambda w: {"resourceArn": w.activity},
        {"InvalidArn": about("resourceArn"), "ResourceNotFound": about("resourceArn", lambda w: w.machine + ":1", "Resource not found: '{}'")},
    ),
    "PublishStateMachineVersion": Row(
        "creationDate stateMachineVersionArn",
        lambda w: {"stateMachineArn": w.create(), "description": "first"},
        {
            "ValidationException": about("stateMachineArn", lambda w: w.machine + "/each", LABELLED),
            "StateMachineDoesNotExist": no_machine(),
            "ConflictException": lambda w: ({"stateMachineArn": w.waits, "revisionId": "other"},
                                            "Failed to publish the State Machine version for revision other. The current State Machine revision is INITIAL."),
            "InvalidArn": about("stateMachineArn"),
        },
    ),
    "RedriveExecution": Row(
        "redriveDate",
        lambda w: {"executionArn": w.failed(), "clientToken": w.name()},
        {
            "ExecutionDoesNotExist": no_execution(),
            "ExecutionNotRedrivable": about("executionArn", lambda w: w.succeeded, "Execution Not Redrivable: 'Execution is SUCCEEDED and cannot be redriven'"),
            "InvalidArn": about("executionArn"),
            "ValidationException": beyond("executionArn"),
        },
    ),
    "SendTaskFailure": Row(
        "",
        lambda w: {"taskToken": w.token(), "error": "E", "cause": "why"},
        {
            "TaskDoesNotExist": about("taskToken", World.lost, "Task Does Not Exist: 'Provided task does not exist anymore'"),
            "InvalidToken": about("taskToken", "garbage", GARBAGE),
            "TaskTimedOut": about("taskToken", World.spent, GONE),
        },
        twice=False,
    ),
    "SendTaskHeartbeat": Row(
        "",
        lambda w: {"taskToken": w.token()},
        {
            "TaskDoesNotExist": about("taskToken", World.lost, "Task Does Not Exist: 'Provided task does not exist anymore'"),
            "InvalidToken": about("taskToken", "garbage", GARBAGE),
            "TaskTimedOut": about("taskToken", World.spent, GONE),
        },
    ),
    "SendTaskSuccess": Row(
        "",
        lambda w: {"taskToken": w.token(), "output": "1"},
        {
            "TaskDoesNotExist": about("taskToken", World.lost, "Task Does Not Exist: 'Provided task does not exist anymore'", output="1"),
            "InvalidOutput": about("output", "no", "Invalid Output: 'Unrecognized token 'no': was expecting (JSON String, Number, Array, Object or token "
                                   "'null', 'true' or 'false')'", taskToken=World.token),
            "InvalidToken": about("taskToken", "garbage", GARBAGE, output="1"),
            "TaskTimedOut": about("taskToken", World.spent, GONE, output="1"),
        },
        twice=False,
    ),
    "StartExecution": Row(
        "executionArn startDate",
        lambda w: {"stateMachineArn": w.waits, "name": w.name()},
        {
            "ExecutionAlreadyExists": lambda w: ({"stateMachineArn": w.succeeded and w.machine, "name": "succeeded"}, f"Execution Already Exists: '{w.succeeded}'"),
            "InvalidArn": about("stateMachineArn"),
            "InvalidExecutionInput": about("input", "", "Invalid State Machine Execution Input: 'Invalid execution input.'", stateMachineArn=lambda w: w.waits),
            "InvalidName": about("name", "a b", "Invalid Name: '{}'", stateMachineArn=lambda w: w.waits),
            "StateMachineDoesNotExist": no_machine(),
            "ValidationException": about("stateMachineArn", lambda w: w.machine + "/each", LABELLED),
        },
    ),
    "StartSyncExecution": Row(
        "executionArn stateMachineArn name startDate stopDate status input inputDetails output outputDetails traceHeader billingDetails",
        lambda w: {"stateMachineArn": w.express, "traceHeader": "trace"},
        {
            "InvalidArn": about("stateMachineArn"),
            "InvalidExecutionInput": about("input", "", "Invalid State Machine Execution Input: 'Invalid execution input.'", stateMachineArn=lambda w: w.express),
            "InvalidName": about("name", "a b", "Invalid Name: '{}'", stateMachineArn=lambda w: w.express),
            "StateMachineDoesNotExist": no_machine(),
            "StateMachineTypeNotSupported": about("stateMachineArn", lambda w: w.machine, UNSUPPORTED),
        },
        twice=False,
        absent={"StateMachineDeleting": "An Express machine has no executions that are kept, so it goes at once."},
    ),
    "StopExecution": Row(
        "stopDate",
        lambda w: {"executionArn": w.running(), "error": "E", "cause": "why"},
        {"ExecutionDoesNotExist": no_execution(), "InvalidArn": about("executionArn"), "ValidationException": beyond("executionArn")},
    ),
    "TagResource": Row(
        "",
        lambda w: {"resourceArn": w.waits, "tags": [{"key": "team", "value": "night"}]},
        {
            "InvalidArn": about("resourceArn", tags=[]),
            "ResourceNotFound": about("resourceArn", lambda w: w.machine + ":1", "Resource not found: '{}'", tags=[]),
            "TooManyTags": about("tags", MANY_TAGS, "You've exceeded the number of tags allowed for a resource.", resourceArn=lambda w: w.machine),
        },
    ),
    "TestState": Row(
        "output nextState status inspectionData",
        lambda w: {"definition": '{"Type":"Pass","Next":"B"}', "inspectionLevel": "DEBUG"},
        {
            "InvalidArn": about("roleArn", "r", "Invalid Role Arn: '{}'", definition='{"Type":"Pass","End":true}'),
            "InvalidDefinition": about("definition", "{", "Invalid State Machine Definition: 'INVALID_JSON_DESCRIPTION"),
            "InvalidExecutionInput": about("input", "no", "Invalid State Machine Execution Input: '", definition='{"Type":"Pass","End":true}'),
            "ValidationException": about("stateName", "B", "State not found in definition", definition=PASS),
        },
    ),
    "UntagResource": Row(
        "",
        lambda w: {"resourceArn": w.waits, "tagKeys": ["team"]},
        {
            "InvalidArn": about("resourceArn", tagKeys=[]),
            "ResourceNotFound": about("resourceArn", lambda w: w.machine + ":1", "Resource not found: '{}'", tagKeys=[]),
        },
    ),
    "UpdateMapRun": Row(
        "",
        lambda w: {"mapRunArn": mapping(w), "maxConcurrency": 2},
        {
            "ResourceNotFound": about("mapRunArn", lambda w: w.map_run + "0", "Resource not found: '{}'", maxConcurrency=1),
            "InvalidArn": about("mapRunArn", maxConcurrency=1),
            "ValidationException": about("mapRunArn", lambda w: w.map_run, "Map Run is completed and cannot be updated", maxConcurrency=1),
        },
    ),
    "UpdateStateMachine": Row(
        "updateDate revisionId stateMachineVersionArn",
        lambda w: {"stateMachineArn": w.create(), "definition": FAIL, "publish": True, "versionDescription": "second"},
        {
            "InvalidArn": about("stateMachineArn", roleArn=ROLE),
            "InvalidDefinition": about("definition", "{}", "Invalid State Machine Definition: "
                                       "'SCHEMA_VALIDATION_FAILED: These fields are required: [States, StartAt] at /'", stateMachineArn=lambda w: w.waits),
            "InvalidLoggingConfiguration": about("loggingConfiguration", logging("ALL", "arn:aws:logs:us-east-1:000000000000:log-group:none:*"),
                                                 "Invalid Logging Configuration: Log Destination not found.", stateMachineArn=lambda w: w.waits),
            "InvalidTracingConfiguration": about("tracingConfiguration", {}, "Invalid Tracing Configuration: enabled must be set to true or false.",
                                                 stateMachineArn=lambda w: w.waits),
            "MissingRequiredParameter": about("stateMachineArn", lambda w: w.waits, "Either the definition, the role ARN, the LoggingConfiguration, "
                                              "or the TracingConfiguration must be specified"),
            "StateMachineDoesNotExist": no_machine(":1", roleArn=ROLE),
            "ValidationException": about("stateMachineArn", lambda w: w.machine + "/each", LABELLED, roleArn=ROLE),
            "InvalidEncryptionConfiguration": about(
                "encryptionConfiguration", {"type": KEY["type"]},
                "Invalid Encryption Configuration: kmsKeyId must be specified when type is CUSTOMER_MANAGED_KMS_KEY.", stateMachineArn=lambda w: w.waits),
        },
        absent={"ConflictException": ONE_AT_A_TIME},
    ),
    "UpdateStateMachineAlias": Row(
        "updateDate",
        lambda w: {"stateMachineAliasArn": taken(w) + ":PROD", "description": "what runs"},
        {
            "ValidationException": about("stateMachineAliasArn", lambda w: w.machine + ":PROD", "Either"),
            "InvalidArn": about("stateMachineAliasArn", description="d"),
            "ResourceNotFound": about("stateMachineAliasArn", lambda w: w.machine + ":TEST", REFERENCE, description="d"),
        },
        absent={"ConflictException": ONE_AT_A_TIME},
    ),
    "ValidateStateMachineDefinition": Row(
        "result diagnostics truncated",
        lambda w: {"definition": PASS},
        {"ValidationException": about("maxResults", 101, "1 validation error detected: Value '101' at 'maxResults' failed to satisfy constraint: "
                                      "Member must have value less than or equal to 100", definition=PASS)},
    ),
}


def taken(w):
    """A machine whose first version an alias leads to."""
    arn = w.create(publish=True)
    w.sfn.create_state_machine_alias(name="PROD", routingConfiguration=route(arn + ":1"))
    return arn


def versions(w, count):
    arn = w.create()
    for number in range(count):
        w.sfn.update_state_machine(stateMachineArn=arn, roleArn=f"{ROLE}-{number}", publish=True)
    return arn


def mapping(w):
    """A Map run that is not over."""
    waits = {**each("each", {"Type": "Wait", "Seconds": 600, "End": True}), "End": True}
    definition = json.dumps({"StartAt": "M", "QueryLanguage": "JSONata", "States": {"M": waits}})
    arn = w.sfn.start_execution(stateMachineArn=w.create(definition))["executionArn"]
    return until(lambda: w.sfn.list_map_runs(executionArn=arn)["mapRuns"], 10)[0]["mapRunArn"]


@pytest.fixture(scope="module")
def w(server):
    return World(server)


def operation(name):
    return model.SFN.operation_model(name)


def call(client, name, parameters):
    answer = client._make_api_call(name, parameters)
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def check_refusal(client, name, code, parameters, words):
    with pytest.raises(client.exceptions.ClientError) as refusal:
        call(client, name, parameters)
    told = refusal.value.response
    assert (told["Error"]["Code"], told["ResponseMetadata"]["HTTPStatusCode"]) == (code, STATUS.get(code, 400)), told
    assert told["Error"]["Message"].startswith(words), told
    PROVOKED.add((name, code))


# As CreateStateMachine's page has it.
STATUS = {"ServiceQuotaExceededException": 402}
# What was brought about in this run.
PROVOKED = set()


# What there is, against the model.

def test_every_operation_has_a_row():
    assert set(TABLE) == set(model.SFN.operation_names)


def errors_of(name):
    return {shape.name for shape in operation(name).error_shapes}


def absent(name):
    """Errors that do not occur, with the reason."""
    return {code: NO_KMS for code in errors_of(name) if code.startswith("Kms")} | TABLE[name].absent


@pytest.mark.parametrize("name", TABLE)
def test_every_error_is_brought_about_or_cannot_be(name):
    elsewhere = {code for brought, code in ELSEWHERE if brought == name}
    for one, other in itertools.combinations((set(TABLE[name].errors), elsewhere, set(absent(name))), 2):
        assert not one & other
    assert set(TABLE[name].errors) | elsewhere | set(absent(name)) == errors_of(name)


@pytest.mark.parametrize("name", TABLE)
def test_an_answer_has_the_members_that_it_should(w, name):
    row = TABLE[name]
    parameters = row.asks(w)
    first = call(w.sfn, name, parameters)
    assert set(first) == set(row.gives.split())
    if row.twice:
        assert call(w.sfn, name, parameters) == first


@pytest.mark.parametrize("name, code", [(name, code) for name, row in TABLE.items() for code in row.errors])
def test_an_error_is_aws_s(w, name, code):
    check_refusal(w.sfn, name, code, *TABLE[name].errors[code](w))


# Pages.

PAGED = [name for name, row in TABLE.items() if row.pages]


def test_every_list_has_pages():
    assert {name for name in TABLE if operation(name).input_shape and "nextToken" in operation(name).input_shape.members} == set(PAGED)


@pytest.mark.parametrize("name", PAGED)
def test_pages_of_one_give_what_one_page_gives(w, name):
    pages = TABLE[name].pages
    parameters = pages.asks(w)
    whole = call(w.sfn, name, parameters)
    assert len(whole[pages.key]) >= 3 and "nextToken" not in whole
    assert call(w.sfn, name, {**parameters, "maxResults": 0}) == whole
    found, tokens = [], []
    while True:
        page = call(w.sfn, name, {**parameters, "maxResults": 1, **({"nextToken": tokens[-1]} if tokens else {})})
        assert len(page[pages.key]) == 1
        found += page[pages.key]
        if "nextToken" not in page:
            break
        tokens.append(page["nextToken"])
    assert found == whole[pages.key]
    # A page is there again for whoever asks again.
    assert call(w.sfn, name, {**parameters, "maxResults": 1, "nextToken": tokens[0]})[pages.key] == found[1:2]
    other = tokens[0][:-1] + ("0" if tokens[0][-1] != "0" else "1")
    for token in ("garbage", other, tokens[0][:-2], "00" * 32, "あ"):
        check_refusal(w.sfn, name, "InvalidToken", {**parameters, "nextToken": token}, GARBAGE)
    if pages.other:
        check_refusal(w.sfn, name, "InvalidToken", {**pages.other(w), "nextToken": tokens[0]}, GARBAGE)
    else:
        check_refusal(w.stranger, name, "InvalidToken", {**parameters, "nextToken": tokens[0]}, GARBAGE)


# Constraints.

# The shortest definition is checked like others, and found to be none.
UNCONSTRAINED = {("ValidateStateMachineDefinition", "definition", "Member must have length greater than or equal to 1")}


def told(w, name, body):
    """The status, the code and the words of a request written by hand."""
    status, _, body = harness.request(w.server, json.dumps(body), f"AWSStepFunctions.{name}", account=w.account)
    answer = json.loads(body)
    return status, answer.get("__type"), answer.get("message", "")


def constrained(name):
    return model.members(operation(name).input_shape)


@pytest.mark.parametrize("name", TABLE)
def test_a_member_beyond_its_constraint_is_refused_in_aws_s_words(w, name):
    for request, path, shape, _ in constrained(name):
        for value, constraint in model.breaches(shape):
            if (name, path, constraint) in UNCONSTRAINED:
                continue
            status, code, words = told(w, name, request(value))
            assert (status, code) == (400, "ValidationException"), (path, str(value)[:80], code, words)
            # A text that is too short is none that a pattern lets pass: that is told, too.
            assert words.startswith(f"{1 + (value == '' and bool(shape.metadata.get('pattern')))} validation error"), (path, words)
            assert f" at '{path}' failed to satisfy constraint: {constraint}" in words, (path, words)
            if shape.metadata.get("enum"):
                assert set(words.split(constraint)[1].rstrip("]").split(", ")) == set(shape.metadata["enum"]), words
            if shape.type_name != "list":
                assert (f"Value at '{path}'" in words) == bool(shape.metadata.get("sensitive")), (path, words[:80])


@pytest.mark.parametrize("name", TABLE)
def test_a_member_that_is_needed_is_missed(w, name):
    for request, path, _, needed in constrained(name):
        if needed:
            status, code, words = told(w, name, request(None))
            constraint = f"Value null at '{path}' failed to satisfy constraint: Member must not be null"
            assert (status, code, words) == (400, "ValidationException", f"1 validation error detected: {constraint}")


@pytest.mark.parametrize("name", TABLE)
def test_a_member_of_another_type_is_not_read(w, name):
    for request, path, shape, _ in constrained(name):
        for value in ("x", 1, True, {}, []):
            if shape.type_name in ("integer", "long", "float") and value == 1 or isinstance(value, model.TYPES[shape.type_name]):
                continue
            status, code, words = told(w, name, request(value))
            assert (status, code) == (400, "SerializationException"), (path, value, code, words)


# Why a request is no good, for programs.

@pytest.mark.parametrize("reason, name, parameters", [
    ("API_DOES_NOT_SUPPORT_LABELED_ARNS", "StartExecution", lambda w: {"stateMachineArn": w.machine + "/each"}),
    ("MISSING_REQUIRED_PARAMETER", "UpdateStateMachineAlias", lambda w: {"stateMachineAliasArn": w.machine + ":PROD"}),
    ("CANNOT_UPDATE_COMPLETED_MAP_RUN", "UpdateMapRun", lambda w: {"mapRunArn": w.map_run, "maxConcurrency": 1}),
    ("INVALID_ROUTING_CONFIGURATION", "CreateStateMachineAlias", lambda w: {"name": "a", "routingConfiguration": route(w.machine)}),
])
def test_a_validation_has_its_reason(w, reason, name, parameters):
    assert reason in model.SFN.shape_for("ValidationExceptionReason").metadata["enum"]
    with pytest.raises(w.sfn.exceptions.ValidationException) as refusal:
        call(w.sfn, name, parameters(w))
    assert refusal.value.response["reason"] == reason


# Errors that need more than a request.

ELSEWHERE = {}


def brings(*pairs):
    """Names the errors that a test brings about, as `Operation.Error`, and sees to it that it does."""

    def around(test):
        named = {tuple(pair.split(".")) for pair in pairs}
        ELSEWHERE.update(dict.fromkeys(named, test.__name__))

        @functools.wraps(test)
        def run(*arguments, **more):
            test(*arguments, **more)
            assert named <= PROVOKED, named - PROVOKED

        return run

    return around


@brings("StartExecution.StateMachineDeleting", "CreateStateMachine.StateMachineDeleting", "UpdateStateMachine.StateMachineDeleting",
        "PublishStateMachineVersion.StateMachineDeleting", "CreateStateMachineAlias.StateMachineDeleting", "UpdateStateMachineAlias.StateMachineDeleting",
        "ListStateMachineAliases.StateMachineDeleting")
def test_nothing_is_done_with_a_machine_that_is_going(w):
    """It goes when what runs has been aborted: there is much of it, so that this takes a while."""
    arn = taken(w)
    w.sfn.update_state_machine(stateMachineArn=arn, definition=WAIT)
    with concurrent.futures.ThreadPoolExecutor(16) as many:
        list(many.map(lambda _: w.sfn.start_execution(stateMachineArn=arn), range(400)))
    w.sfn.delete_state_machine(stateMachineArn=arn)
    for name, parameters in {
        "StartExecution": {"stateMachineArn": arn},
        "CreateStateMachine": {"name": arn.rsplit(":", 1)[1], "definition": PASS, "roleArn": ROLE},
        "UpdateStateMachine": {"stateMachineArn": arn, "definition": PASS},
        "PublishStateMachineVersion": {"stateMachineArn": arn},
        "CreateStateMachineAlias": {"name": "TEST", "routingConfiguration": route(arn + ":1")},
        "UpdateStateMachineAlias": {"stateMachineAliasArn": arn + ":PROD", "description": "d"},
        "ListStateMachineAliases": {"stateMachineArn": arn},
    }.items():
        check_refusal(w.sfn, name, "StateMachineDeleting", parameters, f"State Machine Deleting: '{arn}'")
    assert w.sfn.describe_state_machine(stateMachineArn=arn)["status"] == "DELETING"
    w.sfn.delete_state_machine(stateMachineArn=arn)
    until(lambda: arn not in [one["stateMachineArn"] for one in w.sfn.list_state_machines()["stateMachines"]], 20, "the machine does not go")


@brings("CreateStateMachine.StateMachineLimitExceeded", "StartExecution.ExecutionLimitExceeded", "RedriveExecution.ExecutionLimitExceeded",
        "CreateActivity.ActivityLimitExceeded")
def test_there_is_no_more_than_configured(directories):
    server = harness.Server(directories.make(), config="[limits]\nstate_machines = 2\nopen_executions = 1\nactivities = 1\n").start()
    try:
        w = World(server)
        failed, _ = w.failed(), w.running()
        check_refusal(w.sfn, "CreateStateMachine", "StateMachineLimitExceeded", {"name": "more", "definition": PASS, "roleArn": ROLE},
                      "The maximum number of state machines has been reached.")
        for name, parameters in (("StartExecution", {"stateMachineArn": w.waits}), ("RedriveExecution", {"executionArn": failed})):
            check_refusal(w.sfn, name, "ExecutionLimitExceeded", parameters, "The maximum number of running executions has been reached.")
        check_refusal(w.sfn, "CreateActivity", "ActivityLimitExceeded", {"name": w.activity and "more"}, "The maximum number of activities has been reached.")
        assert w.sfn.create_activity(name="activity")["activityArn"] == w.activity
        w.sfn.delete_activity(activityArn=w.activity)
        w.sfn.create_activity(name="more")
    finally:
        server.stop()


@brings("CreateStateMachineAlias.ServiceQuotaExceededException", "PublishStateMachineVersion.ServiceQuotaExceededException",
        "UpdateStateMachine.ServiceQuotaExceededException")
def test_a_machine_has_so_many_versions_and_aliases(w):
    arn = versions(w, 1000)
    w.sfn.update_state_machine(stateMachineArn=arn, definition=FAIL)
    check_refusal(w.sfn, "PublishStateMachineVersion", "ServiceQuotaExceededException", {"stateMachineArn": arn},
                  "The maximum number of versions of a state machine is 1000.")
    check_refusal(w.sfn, "UpdateStateMachine", "ServiceQuotaExceededException", {"stateMachineArn": arn, "definition": WAIT, "publish": True},
                  "The maximum number of versions of a state machine is 1000.")
    for number in range(100):
        w.sfn.create_state_machine_alias(name=f"a{number}", routingConfiguration=route(arn + ":1"))
    check_refusal(w.sfn, "CreateStateMachineAlias", "ServiceQuotaExceededException", {"name": "b", "routingConfiguration": route(arn + ":1")},
                  "The maximum number of aliases of a state machine is 100.")


@brings("GetActivityTask.ActivityWorkerLimitExceeded")
def test_an_activity_has_a_thousand_workers_that_wait(w):
    arn = w.sfn.create_activity(name="crowded")["activityArn"]
    body = json.dumps({"activityArn": arn}).encode()
    head = (f"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: AWSStepFunctions.GetActivityTask\r\nContent-Type: application/x-amz-json-1.0\r\n"
            f"Authorization: AWS4-HMAC-SHA256 Credential={w.account}/20260101/{harness.REGION}/states/aws4_request, SignedHeaders=host, Signature=0\r\n"
            f"Content-Length: {len(body)}\r\n\r\n").encode()
    with contextlib.ExitStack() as workers:
        for _ in range(1000):
            worker = workers.enter_context(socket.create_connection(("127.0.0.1", w.server.port)))
            worker.sendall(head + body)
        impatient = w.server.client("stepfunctions", w.account, read_timeout=2)
        refusal = until(lambda: worker_limit(impatient, arn), 20, "a thousand workers wait, and one more")
    assert refusal == ("ActivityWorkerLimitExceeded", "The maximum number of workers concurrently polling for activity tasks has been reached.")
    PROVOKED.add(("GetActivityTask", refusal[0]))


def worker_limit(client, arn):
    """The refusal, or None while fewer wait."""
    try:
        return refused(client.get_activity_task, activityArn=arn)
    except client.exceptions.ClientError:
        raise
    except Exception:
        return None


# Asking twice, where the answer alone does not tell.

def test_what_is_created_twice_is_there_once(w):
    tags = [{"key": "team", "value": "night"}]
    activity = w.sfn.create_activity(name="once", tags=tags)
    assert w.sfn.create_activity(name="once", tags=[])["creationDate"] == activity["creationDate"]
    machine = w.sfn.create_state_machine(name="once", definition=PASS, roleArn=ROLE, tags=tags)
    again = w.sfn.create_state_machine(name="once", definition=PASS, roleArn=ROLE + "-2")
    assert again["creationDate"] == machine["creationDate"]
    shown = w.sfn.describe_state_machine(stateMachineArn=machine["stateMachineArn"])
    assert (shown["roleArn"], shown["creationDate"]) == (ROLE, machine["creationDate"])
    for arn in (activity["activityArn"], machine["stateMachineArn"]):
        assert w.sfn.list_tags_for_resource(resourceArn=arn)["tags"] == tags
    # Byte for byte: other white space is another definition.
    with pytest.raises(w.sfn.exceptions.StateMachineAlreadyExists):
        w.sfn.create_state_machine(name="once", definition=PASS + " ", roleArn=ROLE)


def test_an_execution_is_started_once_while_it_runs(w):
    first = call(w.sfn, "StartExecution", {"stateMachineArn": w.waits, "name": "once", "input": '{"a":1}'})
    assert call(w.sfn, "StartExecution", {"stateMachineArn": w.waits, "name": "once", "input": '{"a":1}'}) == first
    exists = f"Execution Already Exists: '{first['executionArn']}'"
    check_refusal(w.sfn, "StartExecution", "ExecutionAlreadyExists", {"stateMachineArn": w.waits, "name": "once", "input": '{"a":2}'}, exists)
    stopped = call(w.sfn, "StopExecution", {"executionArn": first["executionArn"]})
    assert call(w.sfn, "StopExecution", {"executionArn": first["executionArn"], "error": "E"}) == stopped
    assert "error" not in w.sfn.describe_execution(executionArn=first["executionArn"])
    check_refusal(w.sfn, "StartExecution", "ExecutionAlreadyExists", {"stateMachineArn": w.waits, "name": "once", "input": '{"a":1}'}, exists)
    express = [w.sfn.start_execution(stateMachineArn=w.express, name="once")["executionArn"] for _ in range(2)]
    assert express[0] != express[1]


# The AWS CLI.

def test_the_aws_cli_reads_and_writes(w):
    """One operation of each kind: the CLI checks what it sends against the same model."""
    cli = lambda *arguments: w.server.aws("stepfunctions", *arguments, account=w.account)
    made = cli("create-state-machine", "--name", "cli", "--definition", PASS, "--role-arn", ROLE, "--publish", "--tags", "key=team,value=night")
    arn = made["stateMachineArn"]
    started = cli("start-execution", "--state-machine-arn", made["stateMachineVersionArn"], "--name", "one")
    ended(w.sfn, started["executionArn"])
    assert cli("describe-execution", "--execution-arn", started["executionArn"])["stateMachineVersionArn"] == arn + ":1"
    assert [event["type"] for event in cli("get-execution-history", "--execution-arn", started["executionArn"])["events"]][-1] == "ExecutionSucceeded"
    assert len(cli("list-executions", "--state-machine-arn", arn, "--page-size", "1")["executions"]) == 1
    assert cli("start-sync-execution", "--state-machine-arn", w.express)["status"] == "SUCCEEDED"
    refused = w.server.aws("stepfunctions", "describe-state-machine", "--state-machine-arn", arn + "-2", account=w.account, check=False)
    assert "(StateMachineDoesNotExist) when calling the DescribeStateMachine operation: State Machine Does Not Exist" in refused.stderr
    assert cli("delete-state-machine", "--state-machine-arn", arn) is None
