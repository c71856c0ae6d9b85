"""Who is let in: keys in the configuration, signatures by the real clients, and no open door beyond this host."""

import subprocess

import pytest

import harness
from harness import BINARY, environment, refused, request

KEYS = """
[[key]]
access_key = "AKIAONE"
secret = "first secret/+="
account = "111111111111"

[[key]]
access_key = "AKIATWO"
secret = "second"
account = "222222222222"

[agent]
account = "222222222222"
"""


@pytest.fixture(scope="module")
def locked(directories):
    server = harness.Server(directories.make("keys"), agent=True, config=KEYS).start()
    yield server
    server.stop()


def test_the_right_secret_is_let_in_and_gives_the_account(locked):
    assert locked.client("sts", "AKIAONE", "first secret/+=").get_caller_identity()["Account"] == "111111111111"
    sfn = locked.client("stepfunctions", "AKIATWO", "second")
    arn = harness.machine(sfn, {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}, "日本")
    assert ":222222222222:" in arn
    assert locked.client("stepfunctions", "AKIAONE", "first secret/+=").list_state_machines()["stateMachines"] == []
    assert locked.aws("stepfunctions", "describe-state-machine", "--state-machine-arn", arn, account="AKIATWO", secret="second")["name"] == "日本"


@pytest.mark.parametrize("key, secret, code", [("AKIAONE", "second", "InvalidSignatureException"), ("AKIATWO", "", "InvalidSignatureException"),
                                               ("AKIATHREE", "second", "UnrecognizedClientException"), ("222222222222", "any", "UnrecognizedClientException")])
def test_a_wrong_secret_or_key_is_refused(locked, key, secret, code):
    assert refused(locked.client("stepfunctions", key, secret or "x").list_state_machines)[0] == code


def test_a_request_without_a_signature_is_refused(locked):
    status, _, body = request(locked, "{}", headers=["Authorization: none"])
    assert 400 <= status < 500 and b"__type" in body
    status, _, _ = request(locked, "", method="GET", path="/api/v1/executions", target=None, content_type=None)
    assert status in (401, 403)


def test_a_changed_body_is_refused(locked):
    """The signature binds the body: what was signed for one request does not carry another."""
    import botocore.auth
    import botocore.awsrequest
    import botocore.credentials

    signed = botocore.awsrequest.AWSRequest("POST", locked.url + "/", data=b"{}", headers={
        "X-Amz-Target": "AWSStepFunctions.ListStateMachines", "Content-Type": "application/x-amz-json-1.0"})
    botocore.auth.SigV4Auth(botocore.credentials.Credentials("AKIATWO", "second"), "states", "us-east-1").add_auth(signed)
    for body, status in [(b"{}", 200), (b'{"maxResults":1}', 400)]:
        lines = [f"POST / HTTP/1.1", f"Host: 127.0.0.1:{locked.port}", f"Content-Length: {len(body)}", *(f"{name}: {value}" for name, value in signed.headers.items())]
        answer = harness.raw(locked, ("\r\n".join(lines) + "\r\n\r\n").encode() + body)
        assert answer.startswith(f"HTTP/1.1 {status}".encode()), answer


def test_the_agent_inside_works_for_its_account(locked):
    instance = locked.wait_for_instance("AKIATWO", "second")
    assert locked.client("ssm", "AKIAONE", "first secret/+=").describe_instance_information()["InstanceInformationList"] == []
    assert instance.startswith("mi-")


def test_an_agent_has_no_key_of_ours_and_without_registering_it_stays_outside(locked, directories):
    """Nor does a key of the API let it in: a host never needs one."""
    directory = directories.make("agents")
    ssm = locked.client("ssm", "AKIATWO", "second")
    activation = ssm.create_activation(IamRole="r")
    registered = harness.register(locked, directory / "good", activation)
    good = harness.agent(locked, directory / "good")
    bad = harness.agent(locked, directory / "bad", "mi-bbbbbbbbbbbbbbbbb", "AKIATWO", "second")
    try:
        locked.wait_for_instance("AKIATWO", "second", instance_id=registered)
        harness.until(lambda: "the server refuses this agent" in bad.tail(), 10)
        assert "mi-bbbbbbbbbbbbbbbbb" not in [one["InstanceId"] for one in ssm.describe_instance_information()["InstanceInformationList"]]
    finally:
        good.stop()
        bad.stop()


def test_our_own_command_line_signs(locked):
    ran = locked.dandori("definition", "list", account="AKIATWO", secret="second")
    assert ran.returncode == 0, ran.stderr
    assert locked.dandori("definition", "list", account="AKIATWO", secret="wrong").returncode == 5


@pytest.mark.parametrize("listen", ["0.0.0.0:0", "[::]:0"])
def test_no_keys_no_door_beyond_this_host(tmp_path, listen):
    ran = subprocess.run([BINARY, "server", "--listen", listen, "--data", tmp_path / "data"], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                         env=environment(), timeout=20)
    assert ran.returncode == 1 and ran.stdout == ""
    assert "there are no keys" in ran.stderr


def test_a_configuration_that_is_wrong_is_told(tmp_path):
    for text, words in [("lisen = 1", "lisen"), ("[[key]]\naccess_key='a'\nsecret='hidden'\naccount='12'", "12 digits"), ("x", "dandori.toml")]:
        config = tmp_path / "dandori.toml"
        config.write_text(text)
        ran = subprocess.run([BINARY, "server", "--listen", "127.0.0.1:0", "--data", tmp_path / "data", "--config", config], stdin=subprocess.DEVNULL,
                             capture_output=True, text=True, env=environment(), timeout=20)
        assert ran.returncode == 1 and words in ran.stderr and "hidden" not in ran.stderr, ran.stderr


def test_a_directory_has_one_server_at_a_time(server):
    ran = subprocess.run([BINARY, "server", "--listen", "127.0.0.1:0", "--data", server.data], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                         env=environment(), timeout=20)
    assert ran.returncode == 1 and "another process has it open" in ran.stderr
