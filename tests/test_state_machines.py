"""State machines through boto3: create, describe, update, list, delete, tags; each refusal in AWS's code and words."""

import json

from harness import machine, refused

PASS = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
ROLE = "arn:aws:iam::000000000000:role/tests"


def test_a_definition_comes_back_as_it_was_written(sfn, account):
    text = '{ "StartAt":"A",\n "States":{"A":{"Type":"Pass","End":true}} }'
    created = sfn.create_state_machine(name="夜間-1", definition=text, roleArn=ROLE)
    assert created["stateMachineArn"] == f"arn:aws:states:us-east-1:{account}:stateMachine:夜間-1"
    described = sfn.describe_state_machine(stateMachineArn=created["stateMachineArn"])
    assert described["definition"] == text
    assert described["creationDate"] == created["creationDate"]
    assert (described["name"], described["status"], described["type"], described["roleArn"]) == ("夜間-1", "ACTIVE", "STANDARD", ROLE)
    assert described["loggingConfiguration"] == {"level": "OFF", "includeExecutionData": False}
    assert described["tracingConfiguration"] == {"enabled": False}
    assert "revisionId" not in described
    assert sfn.describe_state_machine(stateMachineArn=created["stateMachineArn"], includedData="METADATA_ONLY")["definition"] == "{}"


def test_creating_the_same_again_gives_the_same(sfn):
    text = json.dumps(PASS)
    first = sfn.create_state_machine(name="m", definition=text, roleArn=ROLE)
    again = sfn.create_state_machine(name="m", definition=text, roleArn=ROLE + "-other")
    assert (again["stateMachineArn"], again["creationDate"]) == (first["stateMachineArn"], first["creationDate"])
    arn = first["stateMachineArn"]
    other = ("StateMachineAlreadyExists", f"State Machine Already Exists: '{arn}'")
    assert refused(sfn.create_state_machine, name="m", definition=json.dumps(PASS, indent=1), roleArn=ROLE) == other
    assert sfn.describe_state_machine(stateMachineArn=arn)["roleArn"] == ROLE


def test_names_are_checked(sfn):
    text = json.dumps(PASS)
    for name in ["a b", "a/b", "a:b", "a*", "tab\t", "\u0085"]:
        assert refused(sfn.create_state_machine, name=name, definition=text, roleArn=ROLE) == ("InvalidName", f"Invalid Name: '{name}'")
    code, words = refused(sfn.create_state_machine, name="n" * 81, definition=text, roleArn=ROLE)
    assert (code, words) == ("ValidationException", f"1 validation error detected: Value '{'n' * 81}' at 'name' failed to satisfy constraint: "
                             "Member must have length less than or equal to 80")
    machine(sfn, PASS, "n" * 80)


def test_what_is_missing_is_told(sfn):
    assert refused(sfn.create_state_machine, name="m") == (
        "ValidationException", "2 validation errors detected: Value null at 'definition' failed to satisfy constraint: Member must not be null; "
        "Value null at 'roleArn' failed to satisfy constraint: Member must not be null")


def test_a_wrong_definition_is_told_with_its_place(sfn):
    def told(definition):
        code, words = refused(sfn.create_state_machine, name="m", definition=definition, roleArn=ROLE)
        assert code == "InvalidDefinition"
        return words

    def finding(states, start="A"):
        return told(json.dumps({"StartAt": start, "States": states}))

    prefix = "Invalid State Machine Definition: '"
    end = {"Type": "Pass", "End": True}
    assert told("not json").startswith(prefix + "INVALID_JSON_DESCRIPTION: Unrecognized token 'not': was expecting (JSON String, Number, Array, Object or token 'null'")
    assert told("{}") == prefix + "SCHEMA_VALIDATION_FAILED: These fields are required: [States, StartAt] at /'"
    assert finding({"A": {"Type": "Pass", "Next": "B"}, "E": end}).startswith(prefix + "MISSING_TRANSITION_TARGET: Missing 'Next' target: B at /States/A/Next")
    assert finding({"A": end, "B": end}) == prefix + 'MISSING_TRANSITION_TARGET: State "B" is not reachable. at /States/B\''
    assert finding({"A": {**end, "InputPath": "a.b"}}) == (
        prefix + "SCHEMA_VALIDATION_FAILED: The value for the field 'InputPath' must be a valid JSONPath at /States/A'")
    assert finding({"A": {"Type": "Dance", "End": True}}) == (
        prefix + "SCHEMA_VALIDATION_FAILED: The field 'Type' should have one of these values: [Task, Wait, Pass, Succeed, Fail, Choice, Parallel, Map] at /States/A/Type'")
    assert finding({"A": {**end, "Nxt": "B"}}) == prefix + "SCHEMA_VALIDATION_FAILED: Field 'Nxt' is not supported at /States/A'"


def test_updates_change_what_is_given_and_nothing_else(sfn):
    arn = machine(sfn, PASS)
    fail = json.dumps({"StartAt": "A", "States": {"A": {"Type": "Fail"}}})
    updated = sfn.update_state_machine(stateMachineArn=arn, definition=fail)
    described = sfn.describe_state_machine(stateMachineArn=arn)
    assert (described["definition"], described["roleArn"], described["revisionId"]) == (fail, ROLE, updated["revisionId"])
    sfn.update_state_machine(stateMachineArn=arn, roleArn=ROLE + "-2")
    described = sfn.describe_state_machine(stateMachineArn=arn)
    assert (described["definition"], described["roleArn"]) == (fail, ROLE + "-2")
    assert refused(sfn.update_state_machine, stateMachineArn=arn) == (
        "MissingRequiredParameter", "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be specified")
    assert refused(sfn.update_state_machine, stateMachineArn=arn, definition="{")[0] == "InvalidDefinition"


def test_lists_are_by_name_and_in_pages(sfn):
    for number in range(7):
        machine(sfn, PASS, f"m-{6 - number}")
    first = sfn.list_state_machines(maxResults=3)
    second = sfn.list_state_machines(maxResults=3, nextToken=first["nextToken"])
    third = sfn.list_state_machines(maxResults=3, nextToken=second["nextToken"])
    found = [one["name"] for page in (first, second, third) for one in page["stateMachines"]]
    assert found == [f"m-{number}" for number in range(7)]
    assert "nextToken" not in third
    assert refused(sfn.list_state_machines, nextToken="garbage") == ("InvalidToken", "Invalid Token: 'Invalid token'")
    assert refused(sfn.list_state_machines, maxResults=1001) == (
        "ValidationException", "1 validation error detected: Value '1001' at 'maxResults' failed to satisfy constraint: "
        "Member must have value less than or equal to 1000")


def test_deleting_is_idempotent(sfn):
    arn = machine(sfn, PASS)
    for _ in range(2):
        sfn.delete_state_machine(stateMachineArn=arn)
    assert refused(sfn.describe_state_machine, stateMachineArn=arn) == ("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
    assert refused(sfn.start_execution, stateMachineArn=arn) == ("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")
    assert machine(sfn, {**PASS, "Comment": "new"}) == arn


def test_arns_are_checked(sfn, account):
    assert refused(sfn.describe_state_machine, stateMachineArn="night") == ("InvalidArn", "Invalid Arn: 'Invalid ARN prefix: night'")
    execution = f"arn:aws:states:us-east-1:{account}:execution:a:b"
    assert refused(sfn.describe_state_machine, stateMachineArn=execution) == (
        "InvalidArn", "Invalid Arn: 'Resource type not valid in this context: execution'")


def test_accounts_and_regions_do_not_see_each_other(server, sfn, account):
    arn = machine(sfn, PASS)
    for other in (server.client("stepfunctions", "111122223333"), server.client("stepfunctions", account, region="eu-west-1")):
        assert other.list_state_machines()["stateMachines"] == []
        assert refused(other.describe_state_machine, stateMachineArn=arn) == ("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{arn}'")


def test_tags_are_merged_and_limited(sfn, account):
    arn = sfn.create_state_machine(name="m", definition=json.dumps(PASS), roleArn=ROLE, tags=[{"key": "a", "value": "1"}])["stateMachineArn"]
    sfn.tag_resource(resourceArn=arn, tags=[{"key": "a", "value": "2"}, {"key": "b", "value": ""}])
    tags = {tag["key"]: tag["value"] for tag in sfn.list_tags_for_resource(resourceArn=arn)["tags"]}
    assert tags == {"a": "2", "b": ""}
    sfn.untag_resource(resourceArn=arn, tagKeys=["a", "z"])
    assert [tag["key"] for tag in sfn.list_tags_for_resource(resourceArn=arn)["tags"]] == ["b"]
    many = [{"key": f"k{number}", "value": ""} for number in range(50)]
    assert refused(sfn.tag_resource, resourceArn=arn, tags=many)[0] == "TooManyTags"
    missing = f"arn:aws:states:us-east-1:{account}:stateMachine:none"
    assert refused(sfn.list_tags_for_resource, resourceArn=missing) == ("ResourceNotFound", f"Resource not found: '{missing}'")
