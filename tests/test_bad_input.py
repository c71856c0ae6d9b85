"""Requests that no good client sends. Whatever comes, an answer in AWS's form goes out, and the server stays well."""

import json
import socket
import time

import pytest

from harness import ACCOUNT, machine, raw, refused, request

PASS = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
ROLE = "arn:aws:iam::000000000000:role/tests"
CREATE = "AWSStepFunctions.CreateStateMachine"


@pytest.fixture(autouse=True)
def the_server_stays_well(server):
    yield
    began = time.monotonic()
    assert request(server, "{}")[0] == 200
    assert time.monotonic() - began < 2


def told(answer):
    status, headers, body = answer
    assert "x-amzn-requestid" in headers, headers
    error = json.loads(body)
    return status, error["__type"], error.get("message", "")


@pytest.mark.parametrize("body", ["{", "", "[]", "null", "42", '"text"', "{}x", '{"name":"\ud83d"}'.encode("utf-8", "surrogatepass"), b"\xff\xfe", b"\x00" * 10,
                                  '{"name":"a","name"', '{"name":nul}'])
def test_a_body_that_is_not_a_json_object(server, body):
    status, code, _ = told(request(server, body, CREATE))
    assert (status, code) == (400, "SerializationException")


def test_members_of_the_wrong_type(server):
    for body, words in [('{"name":1}', "NUMBER_VALUE can not be converted to a String"), ('{"name":{}}', "Start of structure or map found where not expected."),
                        ('{"tags":"x"}', "Expected list or null")]:
        assert told(request(server, body, CREATE)) == (400, "SerializationException", words)


def test_members_that_are_not_known_are_ignored(server, account):
    body = {"name": "m", "definition": json.dumps(PASS), "roleArn": ROLE, "dance": [1, {"x": None}]}
    assert request(server, json.dumps(body), CREATE, account=account)[0] == 200


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/json", "application/x-www-form-urlencoded", "application/x-amz-json-9.9"])
def test_wrong_content_types(server, content_type):
    status, code, _ = told(request(server, "{}", content_type=content_type))
    assert (status, code) == (404, "UnknownOperationException")


@pytest.mark.parametrize("target", ["AWSStepFunctions.Dance", "AWSStepFunctions.", "AWSStepFunctions", "Nothing.ListStateMachines", "", "." * 300])
def test_unknown_targets(server, target):
    _, code, _ = told(request(server, "{}", target))
    assert code == "UnknownOperationException"


def test_an_operation_that_comes_later_says_so(server):
    status, code, words = told(request(server, "{}", "Logs_20140328.AssociateKmsKey", service="logs"))
    assert (status, code, words) == (400, "UnknownOperationException", "AssociateKmsKey is not available in this version of Dandori")


def test_deep_nesting(server, sfn):
    deep = "[" * 100_000 + "]" * 100_000
    arn = machine(sfn, PASS)
    assert refused(sfn.start_execution, stateMachineArn=arn, input=deep)[0] == "InvalidExecutionInput"
    assert refused(sfn.create_state_machine, name="d", definition=deep, roleArn=ROLE)[0] == "InvalidDefinition"
    state = {"Type": "Pass", "End": True}
    for _ in range(200):
        state = {"Type": "Parallel", "Branches": [{"StartAt": "A", "States": {"A": state}}], "End": True}
    try:
        machine(sfn, json.dumps({"StartAt": "A", "States": {"A": state}}), "nested")
    except sfn.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "InvalidDefinition"
    assert told(request(server, '{"a":' * 50_000 + "1" + "}" * 50_000, CREATE))[0] == 400


def test_definitions_of_one_mebibyte(sfn):
    limit = 1_048_576
    room = limit - len(json.dumps({**PASS, "Comment": ""}))
    fits = json.dumps({**PASS, "Comment": "x" * room})
    assert len(fits) == limit
    arn = machine(sfn, fits)
    assert len(sfn.describe_state_machine(stateMachineArn=arn)["definition"]) == limit
    assert refused(sfn.create_state_machine, name="big", definition=fits + " ", roleArn=ROLE) == (
        "ValidationException", "1 validation error detected: Value at 'definition' failed to satisfy constraint: "
        "Member must have length less than or equal to 1048576")


def test_a_body_that_is_too_large_is_refused(server):
    status, headers, body = request(server, b"{" + b" " * (9 * 1024 * 1024), CREATE)
    assert status == 413 and headers and body is not None


def test_paths_and_methods_that_are_not_there(server):
    for method, path in [("GET", "/"), ("PUT", "/"), ("DELETE", "/"), ("POST", "/nothing"), ("GET", "/api/v1/nothing"), ("GET", "/%ff"), ("OPTIONS", "/")]:
        status, _, _ = request(server, "", target=None, content_type=None, method=method, path=path)
        assert 400 <= status < 500, (method, path, status)


@pytest.mark.parametrize("text", [b"\r\n\r\n", b"GARBAGE\r\n\r\n", b"POST / HTTP/9.9\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00", b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
                                  b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", b"GET / HTTP/1.1\r\n" + b"x: " + b"y" * 200_000 + b"\r\n\r\n"])
def test_what_is_not_http_is_answered_or_cut_off(server, text):
    answer = raw(server, text, half_close=True)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:200]


def test_a_connection_that_hangs_holds_nobody_up(server):
    """Half a head, half a body, and silence: others are served, and the connections are closed at the server's end."""
    hanging = []
    head = f"POST / HTTP/1.1\r\nHost: x\r\nX-Amz-Target: {CREATE}\r\nContent-Type: application/x-amz-json-1.0\r\nContent-Length: 100\r\n\r\n"
    for text in [b"", b"POST / HT", head.encode() + b'{"na'] * 30:
        sock = socket.create_connection(("127.0.0.1", server.port))
        sock.sendall(text)
        hanging.append(sock)
    began = time.monotonic()
    for _ in range(20):
        assert request(server, "{}")[0] == 200
    assert time.monotonic() - began < 2
    for sock in hanging:
        sock.close()


def test_tokens_that_nobody_gave(sfn, ssm):
    for token in ["", "x", "=" * 50, "a" * 1024, "日本"]:
        assert refused(sfn.list_state_machines, nextToken=token)[0] in ("InvalidToken", "ValidationException"), token
    assert refused(sfn.list_state_machines, nextToken="a" * 1025)[0] == "ValidationException"
    for call in (ssm.list_commands, ssm.list_command_invocations, ssm.describe_instance_information):
        assert refused(call, NextToken="x")[0] == "InvalidNextToken"


def test_services_that_are_not_there(server):
    status, code, words = told(request(server, "{}", "AmazonSQS.ListQueues", service="sqs"))
    assert (status, code) == (400, "UnknownOperationException") and "sqs" in words


def test_who_am_i(server):
    sts = server.client("sts", "123456789012")
    assert sts.get_caller_identity()["Account"] == "123456789012"
    assert server.client("sts", "AKIAIOSFODNN7EXAMPLE").get_caller_identity()["Account"] == ACCOUNT
