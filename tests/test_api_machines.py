"""State machines, their versions and aliases through boto3, operation by operation: what succeeds, each refusal in AWS's
code and words, pages, and asking twice."""

import json
import time

import pytest

import harness
from harness import ended, history, machine, refused, until

ROLE = "arn:aws:iam::000000000000:role/tests"
PASS = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
LABELLED = ("ValidationException", "This operation does not support labeled state machine ARNs.")
NOT_THERE = ("ResourceNotFound", "Request references a resource that does not exist.")
EMPTY = ("InvalidToken", "Invalid Token: 'Invalid token'")


def result(value):
    """A definition that gives `value`."""
    return json.dumps({"StartAt": "A", "States": {"A": {"Type": "Pass", "Result": value, "End": True}}})


def waiting(seconds=600):
    return json.dumps({"StartAt": "A", "States": {"A": {"Type": "Wait", "Seconds": seconds, "End": True}}})


def missing(arn):
    return "StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'"


def invalid(arn):
    return "InvalidArn", f"Invalid Arn: '{arn}'"


def details(call, **parameters):
    """The whole answer with which a call was refused."""
    try:
        call(**parameters)
    except call.__self__.exceptions.ClientError as error:
        return error.response
    raise AssertionError("was not refused")


def routes(*pairs):
    return [{"stateMachineVersionArn": arn, "weight": weight} for arn, weight in pairs]


@pytest.fixture
def net(sfn):
    """A machine with versions 1 and 2, which give 1 and 2; itself it gives 3."""
    arn = sfn.create_state_machine(name="net", definition=result(1), roleArn=ROLE, publish=True)["stateMachineArn"]
    sfn.update_state_machine(stateMachineArn=arn, definition=result(2), publish=True)
    sfn.update_state_machine(stateMachineArn=arn, definition=result(3))
    return arn


def created(sfn, **more):
    return sfn.create_state_machine(**{"name": "m", "definition": result(1), "roleArn": ROLE, **more})


# CreateStateMachine


def test_create_publishes_a_first_version(sfn):
    first = created(sfn, publish=True, versionDescription="first")
    assert first["stateMachineVersionArn"] == first["stateMachineArn"] + ":1"
    again = created(sfn, publish=True, versionDescription="first", roleArn=ROLE + "-2", tags=[{"key": "a", "value": "1"}])
    assert {key: again[key] for key in first if key != "ResponseMetadata"} == {key: first[key] for key in first if key != "ResponseMetadata"}
    assert sfn.list_tags_for_resource(resourceArn=first["stateMachineArn"])["tags"] == []
    for other in ({}, {"publish": True}, {"publish": True, "versionDescription": "second"}):
        assert refused_create(sfn, **other) == (
            "StateMachineAlreadyExists", f"State Machine Already Exists: '{first['stateMachineArn']}'")


def refused_create(sfn, **more):
    return refused(sfn.create_state_machine, **{"name": "m", "definition": result(1), "roleArn": ROLE, **more})


def test_create_is_the_same_only_with_the_same_settings(sfn):
    arn = created(sfn, tracingConfiguration={"enabled": True})["stateMachineArn"]
    exists = ("StateMachineAlreadyExists", f"State Machine Already Exists: '{arn}'")
    assert created(sfn, tracingConfiguration={"enabled": True})["stateMachineArn"] == arn
    assert refused_create(sfn) == exists
    assert refused_create(sfn, tracingConfiguration={"enabled": True}, loggingConfiguration={"level": "OFF"}) == exists
    assert refused_create(sfn, tracingConfiguration={"enabled": True}, encryptionConfiguration={"type": "AWS_OWNED_KEY"}) == exists
    assert refused_create(sfn, tracingConfiguration={"enabled": True}, definition=result(2)) == exists


def test_create_wants_a_role(sfn):
    for role in ("r", "arn:aws:iam::aws:policy/AWSBatchFullAccess", "arn:aws:iam::000000000000:role/", "arn:aws:s3:::role/r"):
        assert refused_create(sfn, roleArn=role) == ("InvalidArn", f"Invalid Role Arn: '{role}'")
    assert created(sfn, roleArn="arn:aws-cn:iam::000000000000:role/service-role/r")


def test_create_describes_a_version_only_if_there_is_one(sfn):
    words = ("ValidationException", "Version description can only be set when publish is true")
    assert refused_create(sfn, versionDescription="first") == words
    assert refused_create(sfn, versionDescription="first", publish=False) == words
    assert refused_create(sfn, versionDescription="d" * 257, publish=True) == (
        "ValidationException", "1 validation error detected: Value at 'versionDescription' failed to satisfy constraint: "
        "Member must have length less than or equal to 256")


def test_create_logs_to_one_group_that_is_there(server, sfn, account):
    logs = server.client("logs", account)
    logs.create_log_group(logGroupName="/states/m")
    group = f"arn:aws:logs:us-east-1:{account}:log-group:/states/m"

    def told(level, *arns):
        destinations = [{"cloudWatchLogsLogGroup": {"logGroupArn": arn}} for arn in arns]
        return refused_create(sfn, loggingConfiguration={"level": level, "destinations": destinations})

    def words(text):
        return "InvalidLoggingConfiguration", f"Invalid Logging Configuration: {text}"

    one = words("Must specify exactly one Log Destination.")
    assert [told("ALL"), told("ERROR"), told("FATAL", group + ":*", group + ":*"), told("OFF", group + ":*", group + ":*")] == [one] * 4
    assert refused_create(sfn, loggingConfiguration={"level": "ALL"}) == one
    assert told("ALL", group) == words("Log Group ARN must be provided with '*' qualifier.")
    nowhere = words("Log Destination not found.")
    assert told("ALL", group + "-2:*") == nowhere
    assert told("ALL", group.replace(account, "999999999999") + ":*") == nowhere
    assert told("ALL", "arn:aws:sns:us-east-1:000000000000:topic") == nowhere
    logging = {"level": "ALL", "includeExecutionData": True, "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": group + ":*"}}]}
    arn = created(sfn, loggingConfiguration=logging)["stateMachineArn"]
    assert sfn.describe_state_machine(stateMachineArn=arn)["loggingConfiguration"] == logging
    logs.delete_log_group(logGroupName="/states/m")
    assert refused(sfn.update_state_machine, stateMachineArn=arn, loggingConfiguration=logging) == nowhere
    sfn.update_state_machine(stateMachineArn=arn, loggingConfiguration={"level": "OFF", "destinations": []})
    assert sfn.describe_state_machine(stateMachineArn=arn)["loggingConfiguration"] == {"level": "OFF", "includeExecutionData": False, "destinations": []}


def test_create_checks_tracing_and_encryption(sfn):
    assert refused_create(sfn, tracingConfiguration={})[0] == "InvalidTracingConfiguration"
    for wrong in ({"type": "CUSTOMER_MANAGED_KMS_KEY"}, {"type": "AWS_OWNED_KEY", "kmsKeyId": "k"}, {"type": "AWS_OWNED_KEY", "kmsDataKeyReusePeriodSeconds": 60}):
        assert refused_create(sfn, encryptionConfiguration=wrong)[0] == "InvalidEncryptionConfiguration", wrong
    assert refused_create(sfn, encryptionConfiguration={"type": "NONE", "kmsDataKeyReusePeriodSeconds": 901}) == (
        "ValidationException", "2 validation errors detected: Value '901' at 'encryptionConfiguration.kmsDataKeyReusePeriodSeconds' failed to satisfy constraint: "
        "Member must have value less than or equal to 900; Value 'NONE' at 'encryptionConfiguration.type' failed to satisfy constraint: "
        "Member must satisfy enum value set: [AWS_OWNED_KEY, CUSTOMER_MANAGED_KMS_KEY]")
    arn = created(sfn, encryptionConfiguration={"type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "k"})["stateMachineArn"]
    assert sfn.describe_state_machine(stateMachineArn=arn)["encryptionConfiguration"] == {
        "type": "CUSTOMER_MANAGED_KMS_KEY", "kmsKeyId": "k", "kmsDataKeyReusePeriodSeconds": 300}


def test_create_checks_tags(sfn, account):
    arn = f"arn:aws:states:us-east-1:{account}:stateMachine:m"
    answer = details(sfn.create_state_machine, name="m", definition=result(1), roleArn=ROLE, tags=[{"key": str(n), "value": ""} for n in range(51)])
    assert (answer["Error"]["Code"], answer["resourceName"]) == ("TooManyTags", arn)
    assert refused_create(sfn, tags=[{"key": "aws:team", "value": "web"}])[0] == "ValidationException"
    assert refused_create(sfn, tags=[{"key": "k" * 129, "value": ""}])[0] == "ValidationException"
    created(sfn, tags=[{"key": "k" * 128, "value": "v" * 256}, {"key": "部署", "value": ""}])
    assert len(sfn.list_tags_for_resource(resourceArn=arn)["tags"]) == 2


def test_there_are_as_many_machines_and_executions_as_configured(directories):
    server = harness.Server(directories.make(), config="[limits]\nstate_machines = 2\nopen_executions = 2\n").start()
    try:
        sfn = server.client("stepfunctions")
        arn = created(sfn, definition=waiting())["stateMachineArn"]
        created(sfn, name="n")
        assert refused_create(sfn, name="o") == (
            "StateMachineLimitExceeded", "The maximum number of state machines has been reached. "
            "Existing state machines must be deleted before a new state machine can be created.")
        assert created(sfn, definition=waiting())["stateMachineArn"] == arn
        running = [sfn.start_execution(stateMachineArn=arn, name=name)["executionArn"] for name in ("a", "b")]
        exceeded = ("ExecutionLimitExceeded", "The maximum number of running executions has been reached. "
                    "Running executions must end or be stopped before a new execution can be started.")
        assert refused(sfn.start_execution, stateMachineArn=arn) == exceeded
        assert sfn.start_execution(stateMachineArn=arn, name="b")["executionArn"] == running[1]
        sfn.stop_execution(executionArn=running[0])
        third = sfn.start_execution(stateMachineArn=arn)["executionArn"]
        assert refused(sfn.redrive_execution, executionArn=running[0]) == exceeded
        sfn.stop_execution(executionArn=third)
        sfn.redrive_execution(executionArn=running[0])
    finally:
        server.stop()


# DescribeStateMachine, DescribeStateMachineForExecution


def test_describe_shows_a_version_as_it_was(sfn, net):
    one, two, now = (sfn.describe_state_machine(stateMachineArn=net + part) for part in (":1", ":2", ""))
    assert [shown["definition"] for shown in (one, two, now)] == [result(1), result(2), result(3)]
    assert [shown["stateMachineArn"] for shown in (one, two, now)] == [net + ":1", net + ":2", net]
    assert {shown["name"] for shown in (one, two, now)} == {"net"}
    assert "revisionId" not in one and two["revisionId"] != now["revisionId"]
    assert one["creationDate"] <= two["creationDate"]
    assert now["encryptionConfiguration"] == {"type": "AWS_OWNED_KEY"}
    assert sfn.describe_state_machine(stateMachineArn=net + ":1", includedData="METADATA_ONLY")["definition"] == "{}"


def test_describe_shows_which_variables_states_look_at(sfn):
    states = {"A": {"Type": "Pass", "Assign": {"x": 1, "y": 2}, "Next": "B"}, "B": {"Type": "Pass", "Parameters": {"x.$": "$x"}, "End": True}}
    arn = machine(sfn, {"StartAt": "A", "States": states})
    assert sfn.describe_state_machine(stateMachineArn=arn)["variableReferences"] == {"B": ["x"]}
    assert "variableReferences" not in sfn.describe_state_machine(stateMachineArn=arn, includedData="METADATA_ONLY")


def test_describe_refuses_what_is_no_machine(sfn, net, account):
    for part in (":3", ":PROD", ":0", "-2"):
        assert refused(sfn.describe_state_machine, stateMachineArn=net + part) == missing(net + part)
    assert refused(sfn.describe_state_machine, stateMachineArn="net") == invalid("Invalid ARN prefix: net")
    assert refused(sfn.describe_state_machine, stateMachineArn=f"arn:aws:states:us-east-1:{account}:activity:net") == invalid(
        "Resource type not valid in this context: activity")
    assert refused(sfn.describe_state_machine, stateMachineArn=net, includedData="SOME")[0] == "ValidationException"


def test_describe_for_execution_shows_what_it_runs(sfn, net):
    execution = sfn.start_execution(stateMachineArn=net + ":1")["executionArn"]
    sfn.update_state_machine(stateMachineArn=net, roleArn=ROLE + "-2")
    shown = sfn.describe_state_machine_for_execution(executionArn=execution)
    assert (shown["stateMachineArn"], shown["name"], shown["definition"], shown["roleArn"]) == (net, "net", result(1), ROLE)
    assert "revisionId" not in shown
    later = sfn.start_execution(stateMachineArn=net)["executionArn"]
    shown = sfn.describe_state_machine_for_execution(executionArn=later)
    now = sfn.describe_state_machine(stateMachineArn=net)
    assert (shown["definition"], shown["roleArn"], shown["revisionId"]) == (result(3), ROLE + "-2", now["revisionId"])
    assert sfn.describe_state_machine_for_execution(executionArn=later, includedData="METADATA_ONLY")["definition"] == "{}"
    gone = execution + "-2"
    assert refused(sfn.describe_state_machine_for_execution, executionArn=gone) == ("ExecutionDoesNotExist", f"Execution Does Not Exist: '{gone}'")
    assert refused(sfn.describe_state_machine_for_execution, executionArn="e") == invalid("Invalid ARN prefix: e")
    assert refused(sfn.describe_state_machine_for_execution, executionArn=net) == invalid("Resource type not valid in this context: stateMachine")
    sfn.delete_state_machine(stateMachineArn=net)
    assert sfn.describe_state_machine_for_execution(executionArn=execution)["definition"] == result(1)


# UpdateStateMachine


def test_update_publishes_what_it_makes(sfn):
    arn = created(sfn)["stateMachineArn"]
    updated = sfn.update_state_machine(stateMachineArn=arn, definition=result(2), publish=True, versionDescription="second")
    assert updated["stateMachineVersionArn"] == arn + ":1"
    shown = sfn.describe_state_machine(stateMachineArn=arn + ":1")
    assert (shown["description"], shown["revisionId"]) == ("second", updated["revisionId"])
    again = sfn.update_state_machine(stateMachineArn=arn, definition=result(2), publish=True, versionDescription="other")
    assert (again["stateMachineVersionArn"], again["revisionId"]) == (arn + ":1", updated["revisionId"])
    assert sfn.describe_state_machine(stateMachineArn=arn + ":1")["description"] == "second"
    unpublished = sfn.update_state_machine(stateMachineArn=arn, definition=result(3))
    assert "stateMachineVersionArn" not in unpublished and unpublished["revisionId"] != updated["revisionId"]
    assert sfn.update_state_machine(stateMachineArn=arn, definition=result(3), publish=True)["stateMachineVersionArn"] == arn + ":2"


def test_update_checks_what_it_is_given(sfn, net):
    def told(**more):
        return refused(sfn.update_state_machine, **{"stateMachineArn": net, **more})

    nothing = "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified"
    assert told() == told(publish=True) == ("MissingRequiredParameter", nothing)
    assert told(roleArn="r") == ("InvalidArn", "Invalid Role Arn: 'r'")
    assert told(definition="{}")[0] == "InvalidDefinition"
    assert told(loggingConfiguration={"level": "ALL"}) == (
        "InvalidLoggingConfiguration", "Invalid Logging Configuration: Must specify exactly one Log Destination.")
    assert told(tracingConfiguration={})[0] == "InvalidTracingConfiguration"
    assert told(encryptionConfiguration={"type": "CUSTOMER_MANAGED_KMS_KEY"})[0] == "InvalidEncryptionConfiguration"
    assert told(roleArn=ROLE, versionDescription="d") == ("ValidationException", "Version description can only be set when publish is true")
    assert told(stateMachineArn="net") == invalid("Invalid ARN prefix: net")
    for part in (":2", ":PROD"):
        assert told(stateMachineArn=net + part) == missing(net + part)
        assert told(stateMachineArn=net + part, publish=True) == missing(net + part)
    assert told(stateMachineArn=net + "-2", roleArn=ROLE) == missing(net + "-2")
    assert told(stateMachineArn=net + "/each", roleArn=ROLE) == LABELLED
    assert details(sfn.update_state_machine, stateMachineArn=net + "/each", roleArn=ROLE)["reason"] == "API_DOES_NOT_SUPPORT_LABELED_ARNS"


# DeleteStateMachine


def test_delete_aborts_what_runs_and_takes_everything_along(sfn):
    arn = created(sfn, definition=waiting(), publish=True)["stateMachineArn"]
    sfn.create_state_machine_alias(name="PROD", routingConfiguration=routes((arn + ":1", 100)))
    running = [sfn.start_execution(stateMachineArn=arn + part)["executionArn"] for part in ("", ":1", ":PROD")]
    sfn.delete_state_machine(stateMachineArn=arn)
    for execution in running:
        shown = ended(sfn, execution)
        assert (shown["status"], "error" in shown, "cause" in shown) == ("ABORTED", False, False)
        assert history(sfn, execution)[-1]["type"] == "ExecutionAborted"
    until(lambda: details_of(sfn.describe_state_machine, stateMachineArn=arn) == "StateMachineDoesNotExist", 10, lambda: "the machine does not go")
    assert refused(sfn.start_execution, stateMachineArn=arn + ":1") == missing(arn + ":1")
    assert refused(sfn.describe_state_machine_alias, stateMachineAliasArn=arn + ":PROD") == NOT_THERE
    assert sfn.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"] == []
    assert created(sfn, publish=True)["stateMachineVersionArn"] == arn + ":1"


def details_of(call, **parameters):
    """The code with which a call was refused, or None."""
    try:
        call(**parameters)
    except call.__self__.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return None


def test_delete_is_idempotent(sfn, net):
    for part in (":1", ":PROD", "-2"):
        sfn.delete_state_machine(stateMachineArn=net + part)
    sfn.describe_state_machine(stateMachineArn=net + ":1")
    for _ in range(2):
        sfn.delete_state_machine(stateMachineArn=net)
    assert refused(sfn.describe_state_machine, stateMachineArn=net) == missing(net)
    assert refused(sfn.delete_state_machine, stateMachineArn="net") == invalid("Invalid ARN prefix: net")
    assert refused(sfn.delete_state_machine, stateMachineArn=net + "/each") == LABELLED


# PublishStateMachineVersion, ListStateMachineVersions, DeleteStateMachineVersion


def test_publish_is_once_for_each_revision(sfn):
    arn = created(sfn)["stateMachineArn"]
    first = sfn.publish_state_machine_version(stateMachineArn=arn, description="first")
    assert first["stateMachineVersionArn"] == arn + ":1"
    again = sfn.publish_state_machine_version(stateMachineArn=arn, revisionId="INITIAL", description="other")
    assert (again["stateMachineVersionArn"], again["creationDate"]) == (arn + ":1", first["creationDate"])
    assert sfn.describe_state_machine(stateMachineArn=arn + ":1")["description"] == "first"
    revision = sfn.update_state_machine(stateMachineArn=arn, roleArn=ROLE + "-2")["revisionId"]
    assert refused(sfn.publish_state_machine_version, stateMachineArn=arn, revisionId="INITIAL") == (
        "ConflictException", f"Failed to publish the State Machine version for revision INITIAL. The current State Machine revision is {revision}.")
    assert sfn.publish_state_machine_version(stateMachineArn=arn, revisionId=revision)["stateMachineVersionArn"] == arn + ":2"
    assert sfn.describe_state_machine(stateMachineArn=arn + ":1")["roleArn"] == ROLE
    assert sfn.describe_state_machine(stateMachineArn=arn + ":2")["roleArn"] == ROLE + "-2"


def test_publish_refuses_what_is_no_machine(sfn, net):
    for part in (":1", ":PROD", "-2"):
        assert refused(sfn.publish_state_machine_version, stateMachineArn=net + part) == missing(net + part)
    assert refused(sfn.publish_state_machine_version, stateMachineArn="net") == invalid("Invalid ARN prefix: net")
    assert refused(sfn.publish_state_machine_version, stateMachineArn=net + "/each") == LABELLED
    assert refused(sfn.publish_state_machine_version)[0] == "ValidationException"


def test_a_versions_number_is_used_once(sfn):
    arn = created(sfn, publish=True)["stateMachineArn"]
    sfn.update_state_machine(stateMachineArn=arn, definition=result(2), publish=True)
    for _ in range(2):
        sfn.delete_state_machine_version(stateMachineVersionArn=arn + ":2")
    assert sfn.publish_state_machine_version(stateMachineArn=arn)["stateMachineVersionArn"] == arn + ":3"
    sfn.delete_state_machine_version(stateMachineVersionArn=arn + ":1")
    assert [one["stateMachineVersionArn"] for one in sfn.list_state_machine_versions(stateMachineArn=arn)["stateMachineVersions"]] == [arn + ":3"]
    assert refused(sfn.delete_state_machine_version, stateMachineVersionArn="net") == invalid("Invalid ARN prefix: net")
    for part in ("", ":PROD"):
        assert refused(sfn.delete_state_machine_version, stateMachineVersionArn=arn + part)[0] == "InvalidArn"


def test_a_version_that_an_alias_leads_to_stays(sfn, net):
    for name in ("PROD", "TEST"):
        sfn.create_state_machine_alias(name=name, routingConfiguration=routes((net + ":1", 100)))
    assert refused(sfn.delete_state_machine_version, stateMachineVersionArn=net + ":1") == (
        "ConflictException", "Version to be deleted must not be referenced by an alias. Current list of aliases referencing this version: [PROD, TEST]")
    sfn.delete_state_machine_alias(stateMachineAliasArn=net + ":TEST")
    sfn.update_state_machine_alias(stateMachineAliasArn=net + ":PROD", routingConfiguration=routes((net + ":2", 100)))
    sfn.delete_state_machine_version(stateMachineVersionArn=net + ":1")


def test_versions_are_listed_newest_first_and_in_pages(sfn):
    arn = created(sfn)["stateMachineArn"]
    for number in range(1, 6):
        sfn.update_state_machine(stateMachineArn=arn, definition=result(number), roleArn=f"{ROLE}-{number}", publish=True)
    found, token = [], {}
    while True:
        page = sfn.list_state_machine_versions(stateMachineArn=arn, maxResults=2, **token)
        assert len(page["stateMachineVersions"]) <= 2
        found += [one["stateMachineVersionArn"] for one in page["stateMachineVersions"]]
        if "nextToken" not in page:
            break
        token = {"nextToken": page["nextToken"]}
    assert found == [f"{arn}:{number}" for number in (5, 4, 3, 2, 1)]
    other = created(sfn, name="other")["stateMachineArn"]
    assert refused(sfn.list_state_machine_versions, stateMachineArn=other, **token) == EMPTY
    assert refused(sfn.list_state_machine_versions, stateMachineArn=arn, nextToken="garbage") == EMPTY
    assert refused(sfn.list_state_machine_versions, stateMachineArn=arn, maxResults=1001)[0] == "ValidationException"
    assert refused(sfn.list_state_machine_versions, stateMachineArn="net") == invalid("Invalid ARN prefix: net")
    assert sfn.list_state_machine_versions(stateMachineArn=other)["stateMachineVersions"] == []


def test_a_machine_has_a_thousand_versions(sfn):
    arn = created(sfn, publish=True)["stateMachineArn"]
    for number in range(2, 1001):
        sfn.update_state_machine(stateMachineArn=arn, roleArn=f"{ROLE}-{number}", publish=True)
    answer = details(sfn.update_state_machine, stateMachineArn=arn, roleArn=ROLE, publish=True)
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == ("ServiceQuotaExceededException", 402)
    assert sfn.describe_state_machine(stateMachineArn=arn)["roleArn"] == f"{ROLE}-1000"
    sfn.delete_state_machine_version(stateMachineVersionArn=arn + ":7")
    assert sfn.update_state_machine(stateMachineArn=arn, roleArn=ROLE, publish=True)["stateMachineVersionArn"] == arn + ":1001"


# CreateStateMachineAlias, UpdateStateMachineAlias, DescribeStateMachineAlias, DeleteStateMachineAlias, ListStateMachineAliases


def test_an_alias_lives_and_dies(sfn, net):
    one = routes((net + ":1", 70), (net + ":2", 30))
    made = sfn.create_state_machine_alias(name="PROD", description="what runs", routingConfiguration=one)
    arn = made["stateMachineAliasArn"]
    assert arn == net + ":PROD"
    again = sfn.create_state_machine_alias(name="PROD", description="what runs", routingConfiguration=one)
    assert (again["stateMachineAliasArn"], again["creationDate"]) == (arn, made["creationDate"])
    shown = sfn.describe_state_machine_alias(stateMachineAliasArn=arn)
    assert (shown["stateMachineAliasArn"], shown["name"], shown["description"], shown["routingConfiguration"]) == (arn, "PROD", "what runs", one)
    assert shown["creationDate"] == shown["updateDate"] == made["creationDate"]
    differs = ("ConflictException", "Failed to create alias because an alias with the same name and a different routing configuration already exists.")
    assert refused(sfn.create_state_machine_alias, name="PROD", routingConfiguration=one) == differs
    assert refused(sfn.create_state_machine_alias, name="PROD", description="what runs", routingConfiguration=routes((net + ":1", 100))) == differs
    time.sleep(0.01)
    updated = sfn.update_state_machine_alias(stateMachineAliasArn=arn, routingConfiguration=routes((net + ":2", 100)))
    same = sfn.update_state_machine_alias(stateMachineAliasArn=arn, routingConfiguration=routes((net + ":2", 100)))
    assert updated["updateDate"] == same["updateDate"] > made["creationDate"]
    sfn.update_state_machine_alias(stateMachineAliasArn=arn, description="")
    shown = sfn.describe_state_machine_alias(stateMachineAliasArn=arn)
    assert (shown["description"], shown["routingConfiguration"], shown["creationDate"]) == ("", routes((net + ":2", 100)), made["creationDate"])
    for _ in range(2):
        sfn.delete_state_machine_alias(stateMachineAliasArn=arn)
    assert refused(sfn.describe_state_machine_alias, stateMachineAliasArn=arn) == NOT_THERE


@pytest.mark.parametrize("operation", ["create", "update"])
def test_routing_is_checked(sfn, net, operation):
    other = created(sfn, name="other", publish=True)["stateMachineVersionArn"]
    sfn.create_state_machine_alias(name="PROD", routingConfiguration=routes((net + ":1", 100)))
    call, by = {"create": (sfn.create_state_machine_alias, {"name": "TEST"}),
                "update": (sfn.update_state_machine_alias, {"stateMachineAliasArn": net + ":PROD"})}[operation]

    def told(*pairs):
        answer = details(call, **by, routingConfiguration=routes(*pairs))
        return answer["Error"]["Code"], answer["Error"]["Message"], answer.get("reason")

    def words(text):
        return "ValidationException", text, "INVALID_ROUTING_CONFIGURATION"

    assert told((net, 100)) == words(f"Routing configuration must contain state machine version ARNs. Received: [{net}]")
    assert told((net, 50), (net + ":2", 50)) == words(f"Routing configuration must contain state machine version ARNs. Received: [{net}, {net}:2]")
    assert told((net + ":PROD", 100)) == words(f"Routing configuration must contain state machine version ARNs. Received: [{net}:PROD]")
    assert told((net + ":1", 50), (net + ":1", 50)) == words(
        f"Routing configuration must contain distinct state machine version ARNs. Received: [{net}:1, {net}:1]")
    assert told((net + ":1", 70), (net + ":2", 29)) == words("Sum of routing configuration weights must equal 100. Received: [70, 29]")
    assert told((net + ":1", 99)) == words("Sum of routing configuration weights must equal 100. Received: [99]")
    assert told((net + ":1", 50), (other, 50))[2] == "INVALID_ROUTING_CONFIGURATION"
    assert told((net + ":9", 100))[:2] == NOT_THERE
    assert told((net + "-2:1", 100))[0] == ("ResourceNotFound" if operation == "create" else "ValidationException")
    assert told(("net", 100))[:2] == invalid("Invalid ARN prefix: net")
    three = ", ".join(f"RoutingConfigurationListItem(stateMachineVersionArn={net}:{number}, weight={weight})" for number, weight in ((1, 50), (2, 30), (3, 20)))
    assert told((net + ":1", 50), (net + ":2", 30), (net + ":3", 20))[:2] == (
        "ValidationException", f"1 validation error detected: Value '[{three}]' at 'routingConfiguration' failed to satisfy constraint: "
        "Member must have length less than or equal to 2")
    assert told((net + ":1", 101))[:2] == (
        "ValidationException", "1 validation error detected: Value '101' at 'routingConfiguration.1.member.weight' failed to satisfy constraint: "
        "Member must have value less than or equal to 100")
    assert told()[:2] == ("ValidationException", "1 validation error detected: Value '[]' at 'routingConfiguration' failed to satisfy constraint: "
                          "Member must have length greater than or equal to 1")


def test_an_aliass_name_is_no_number(sfn, net):
    pattern = r"Member must satisfy regular expression pattern: ^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$"
    for name, constraint in {"123": pattern, "INVALID ALIAS": pattern, "!INVALID": pattern, "ALIAS@": pattern,
                             "A" * 81: "Member must have length less than or equal to 80"}.items():
        assert refused(sfn.create_state_machine_alias, name=name, routingConfiguration=routes((net + ":1", 100))) == (
            "ValidationException", f"1 validation error detected: Value '{name}' at 'name' failed to satisfy constraint: {constraint}")
    for name in ("1a", "v1.2", "_", "A" * 80):
        sfn.create_state_machine_alias(name=name, routingConfiguration=routes((net + ":1", 100)))


def test_an_alias_that_is_not_there_is_told(sfn, net):
    for part in (":PROD", ":1", "-2:PROD"):
        assert refused(sfn.update_state_machine_alias, stateMachineAliasArn=net + part, description="d") == NOT_THERE
        assert refused(sfn.describe_state_machine_alias, stateMachineAliasArn=net + part) == NOT_THERE
    sfn.delete_state_machine_alias(stateMachineAliasArn=net + ":PROD")
    sfn.delete_state_machine_alias(stateMachineAliasArn=net + "-2:PROD")
    for call in (sfn.update_state_machine_alias, sfn.describe_state_machine_alias, sfn.delete_state_machine_alias):
        assert refused(call, stateMachineAliasArn="PROD") == invalid("Invalid ARN prefix: PROD")
        assert refused(call, stateMachineAliasArn=net)[0] == "InvalidArn"
    sfn.create_state_machine_alias(name="PROD", routingConfiguration=routes((net + ":1", 100)))
    answer = details(sfn.update_state_machine_alias, stateMachineAliasArn=net + ":PROD")
    assert (answer["Error"]["Code"], answer["reason"]) == ("ValidationException", "MISSING_REQUIRED_PARAMETER")


def test_aliases_are_listed_oldest_first_and_in_pages(sfn, net):
    for name, version in (("c", 1), ("a", 2), ("b", 1), ("d", 2), ("e", 1)):
        sfn.create_state_machine_alias(name=name, routingConfiguration=routes((f"{net}:{version}", 100)))

    def listed(arn, **more):
        page = sfn.list_state_machine_aliases(stateMachineArn=arn, **more)
        return "".join(one["stateMachineAliasArn"].rsplit(":", 1)[1] for one in page["stateMachineAliases"]), page.get("nextToken")

    first, token = listed(net, maxResults=2)
    second, next_token = listed(net, maxResults=2, nextToken=token)
    assert (first, second, listed(net, maxResults=2, nextToken=next_token)) == ("ca", "bd", ("e", None))
    assert listed(net) == ("cabde", None)
    assert (listed(net + ":1"), listed(net + ":2")) == (("cbe", None), ("ad", None))
    assert refused(sfn.list_state_machine_aliases, stateMachineArn=net + ":1", nextToken=token) == EMPTY
    assert refused(sfn.list_state_machine_aliases, stateMachineArn=net, nextToken="garbage") == EMPTY
    assert refused(sfn.list_state_machine_aliases, stateMachineArn=net + ":9") == NOT_THERE
    assert refused(sfn.list_state_machine_aliases, stateMachineArn=net + "-2") == missing(net + "-2")
    assert refused(sfn.list_state_machine_aliases, stateMachineArn="net") == invalid("Invalid ARN prefix: net")
    assert refused(sfn.list_state_machine_aliases, stateMachineArn=net, maxResults=-1)[0] == "ValidationException"


def test_a_machine_has_a_hundred_aliases(sfn, net):
    one = routes((net + ":1", 100))
    for number in range(100):
        sfn.create_state_machine_alias(name=f"A{number}", routingConfiguration=one)
    answer = details(sfn.create_state_machine_alias, name="B", routingConfiguration=one)
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == ("ServiceQuotaExceededException", 402)
    sfn.create_state_machine_alias(name="A0", routingConfiguration=one)
    sfn.delete_state_machine_alias(stateMachineAliasArn=net + ":A0")
    sfn.create_state_machine_alias(name="B", routingConfiguration=one)


# StartExecution and ListExecutions by version and alias


def test_executions_run_and_show_what_started_them(sfn, net):
    sfn.create_state_machine_alias(name="PROD", routingConfiguration=routes((net + ":2", 100), (net + ":1", 0)))
    expected = {"": ("3", None, None), ":1": ("1", net + ":1", None), ":PROD": ("2", net + ":2", net + ":PROD")}
    for part, (output, version, alias) in expected.items():
        arn = sfn.start_execution(stateMachineArn=net + part)["executionArn"]
        shown = ended(sfn, arn)
        assert (shown["output"], shown["stateMachineArn"]) == (output, net)
        assert (shown.get("stateMachineVersionArn"), shown.get("stateMachineAliasArn")) == (version, alias)
        started = history(sfn, arn)[0]["executionStartedEventDetails"]
        assert (started.get("stateMachineVersionArn"), started.get("stateMachineAliasArn")) == (version, alias)
    listed = {part: sfn.list_executions(stateMachineArn=net + part)["executions"] for part in ("", ":1", ":2", ":PROD")}
    assert {part: len(found) for part, found in listed.items()} == {"": 3, ":1": 1, ":2": 1, ":PROD": 1}
    prod = listed[":PROD"][0]
    assert (prod["stateMachineArn"], prod["stateMachineVersionArn"], prod["stateMachineAliasArn"]) == (net, net + ":2", net + ":PROD")
    assert sfn.list_executions(stateMachineArn=net + ":PROD", statusFilter="FAILED")["executions"] == []
    for part in (":9", ":TEST"):
        assert refused(sfn.start_execution, stateMachineArn=net + part) == missing(net + part)
        assert refused(sfn.list_executions, stateMachineArn=net + part) == missing(net + part)
    assert refused(sfn.start_execution, stateMachineArn=net + "/each") == LABELLED


def test_an_alias_shares_executions_by_weight(sfn, net):
    sfn.create_state_machine_alias(name="PROD", routingConfiguration=routes((net + ":1", 50), (net + ":2", 50)))
    for _ in range(60):
        sfn.start_execution(stateMachineArn=net + ":PROD")
    found = sfn.list_executions(stateMachineArn=net + ":PROD")["executions"]
    assert {one["stateMachineVersionArn"] for one in found} == {net + ":1", net + ":2"}


def test_starting_by_an_alias_is_idempotent_when_it_moves_on(sfn):
    arn = created(sfn, definition=waiting(), publish=True)["stateMachineArn"]
    sfn.update_state_machine(stateMachineArn=arn, definition=waiting(500), publish=True)
    sfn.create_state_machine_alias(name="PROD", routingConfiguration=routes((arn + ":1", 100)))
    first = sfn.start_execution(stateMachineArn=arn + ":PROD", name="night")
    sfn.update_state_machine_alias(stateMachineAliasArn=arn + ":PROD", routingConfiguration=routes((arn + ":2", 100)))
    again = sfn.start_execution(stateMachineArn=arn + ":PROD", name="night")
    assert (again["executionArn"], again["startDate"]) == (first["executionArn"], first["startDate"])
    assert sfn.describe_execution(executionArn=first["executionArn"])["stateMachineVersionArn"] == arn + ":1"
    sfn.stop_execution(executionArn=first["executionArn"])


# TagResource, UntagResource, ListTagsForResource


def test_tags_are_for_machines(sfn, net):
    for part in (":1", ":PROD", "-2"):
        told = ("ResourceNotFound", f"Resource not found: '{net + part}'")
        assert refused(sfn.tag_resource, resourceArn=net + part, tags=[{"key": "a", "value": "1"}]) == told
        assert refused(sfn.untag_resource, resourceArn=net + part, tagKeys=["a"]) == told
        assert refused(sfn.list_tags_for_resource, resourceArn=net + part) == told
        assert details(sfn.list_tags_for_resource, resourceArn=net + part)["resourceName"] == net + part
    for call, more in ((sfn.tag_resource, {"tags": []}), (sfn.untag_resource, {"tagKeys": []}), (sfn.list_tags_for_resource, {})):
        assert refused(call, resourceArn="net", **more) == invalid("Invalid ARN prefix: net")
    sfn.tag_resource(resourceArn=net, tags=[{"key": str(number), "value": ""} for number in range(50)])
    answer = details(sfn.tag_resource, resourceArn=net, tags=[{"key": "one more", "value": ""}])
    assert (answer["Error"]["Code"], answer["resourceName"]) == ("TooManyTags", net)
    sfn.tag_resource(resourceArn=net, tags=[{"key": "7", "value": "seven"}])
    sfn.untag_resource(resourceArn=net, tagKeys=[str(number) for number in range(50) if number != 7])
    assert sfn.list_tags_for_resource(resourceArn=net)["tags"] == [{"key": "7", "value": "seven"}]
    assert refused(sfn.tag_resource, resourceArn=net, tags=[{"key": "AWS:x", "value": ""}])[0] == "ValidationException"
