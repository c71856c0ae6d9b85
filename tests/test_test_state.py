"""TestState through boto3 and the AWS CLI: one state by itself."""

import json

import pytest

from harness import refused

ROLE = "arn:aws:iam::000000000000:role/tests"


@pytest.fixture
def tester(server, account):
    """Without the prefix that AWS's clients put before the host's name for this operation."""
    return server.client("stepfunctions", account, inject_host_prefix=False)


def test_a_state_gives_its_output_and_where_it_leads(tester):
    state = {"Type": "Pass", "Result": {"a": 1}, "ResultPath": "$.r", "Next": "X"}
    tested = tester.test_state(definition=json.dumps(state), input='{"q":1}')
    assert (tested["status"], json.loads(tested["output"]), tested["nextState"]) == ("SUCCEEDED", {"q": 1, "r": {"a": 1}}, "X")
    choice = {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericGreaterThan": 1, "Next": "Big"}], "Default": "Small"}
    assert tester.test_state(definition=json.dumps(choice), input='{"n":2}')["nextState"] == "Big"
    assert tester.test_state(definition=json.dumps({"Type": "Fail", "Error": "E", "Cause": "c"}))["error"] == "E"


def test_a_task_is_tested_with_a_mock_or_for_real(tester):
    state = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ssm:listCommands", "Parameters": {}, "End": True}
    assert json.loads(tester.test_state(definition=json.dumps(state), roleArn=ROLE)["output"]) == {"Commands": []}
    mocked = tester.test_state(definition=json.dumps(state), mock={"result": '{"Commands":[1]}'})
    assert json.loads(mocked["output"]) == {"Commands": [1]}
    assert refused(tester.test_state, definition="{")[0] == "InvalidDefinition"


def test_the_aws_cli_tests_a_state(server):
    tested = server.aws("stepfunctions", "test-state", "--definition", '{"Type":"Pass","End":true}', "--input", '{"日":"本"}')
    assert json.loads(tested["output"]) == {"日": "本"}
