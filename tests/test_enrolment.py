"""How hosts become instances, and stay who they are: activations, keys on both sides, copies, other servers, TLS. Real agents, boto3, the AWS CLI."""

import base64
import concurrent.futures
import datetime
import json
import os
import random
import shutil
import subprocess
import time
import urllib.error
import urllib.request

import pytest

import harness
from harness import BINARY, environment, refused, until


@pytest.fixture
def server(directories):
    server = harness.Server(directories.make("server")).start()
    yield server
    server.stop()


@pytest.fixture
def ssm(server):
    return server.client("ssm")


@pytest.fixture
def agents():
    """Agents that are ended with the test."""
    running = []

    def start(*arguments, **options):
        running.append(harness.agent(*arguments, **options))
        return running[-1]

    yield start
    for agent in running:
        agent.kill()


def described(ssm, **filters):
    return ssm.describe_instance_information(**filters)["InstanceInformationList"]


def ping(ssm, instance):
    return next((one["PingStatus"] for one in described(ssm) if one["InstanceId"] == instance), None)


def online(ssm, instance, seconds=15):
    until(lambda: ping(ssm, instance) == "Online", seconds, f"{instance} is not online")


def answered(server, body):
    """The status and the answer of a registration that is made by hand."""
    request = urllib.request.Request(server.url + "/api/v1/agents/register", json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def by_hand(activation, code=None):
    return {"activation_id": activation["ActivationId"], "activation_code": code or activation["ActivationCode"],
            "public_key": base64.b64encode(os.urandom(32)).decode()}


def identity(data):
    return json.loads((data / "identity.json").read_text())


def test_activations_are_made_listed_and_deleted(server, ssm):
    made = ssm.create_activation(IamRole="service-role/ssm", DefaultInstanceName="夜間 web", RegistrationLimit=3, Description="for the night",
                                 Tags=[{"Key": "Role", "Value": "web"}])
    assert len(made["ActivationCode"]) == 20
    shown = ssm.describe_activations()["ActivationList"]
    assert [(one["ActivationId"], one["RegistrationLimit"], one["RegistrationsCount"], one["Expired"], one["DefaultInstanceName"], one["Tags"]) for one in shown] \
        == [(made["ActivationId"], 3, 0, False, "夜間 web", [{"Key": "Role", "Value": "web"}])]
    day = datetime.timedelta(days=1)
    assert abs(shown[0]["ExpirationDate"] - shown[0]["CreatedDate"] - day) < datetime.timedelta(seconds=2)
    other = server.aws("ssm", "create-activation", "--iam-role", "other")
    by = lambda key, value: [one["ActivationId"] for one in ssm.describe_activations(Filters=[{"FilterKey": key, "FilterValues": [value]}])["ActivationList"]]
    assert by("IamRole", "other") == [other["ActivationId"]]
    assert by("ActivationIds", made["ActivationId"]) == by("DefaultInstanceName", "夜間 web") == [made["ActivationId"]]
    page = ssm.describe_activations(MaxResults=1)
    assert [one["ActivationId"] for one in page["ActivationList"]] == [other["ActivationId"]]
    assert [one["ActivationId"] for one in ssm.describe_activations(MaxResults=1, NextToken=page["NextToken"])["ActivationList"]] == [made["ActivationId"]]
    assert refused(ssm.describe_activations, NextToken="x")[0] == "InvalidNextToken"
    assert server.client("ssm", harness.account()).describe_activations()["ActivationList"] == []
    assert refused(server.client("ssm", harness.account()).delete_activation, ActivationId=made["ActivationId"])[0] == "InvalidActivation"
    ssm.delete_activation(ActivationId=made["ActivationId"])
    assert refused(ssm.delete_activation, ActivationId=made["ActivationId"])[0] == "InvalidActivation"
    assert refused(ssm.delete_activation, ActivationId="x")[0] == "ValidationException"
    now = time.time()
    for date in (now - 60, now + 31 * 86400):
        assert refused(ssm.create_activation, IamRole="r", ExpirationDate=date)[0] == "ValidationException"


def test_a_host_registers_and_is_an_instance(server, ssm, directories, agents):
    activation = ssm.create_activation(IamRole="service-role/ssm", DefaultInstanceName="web", Tags=[{"Key": "Role", "Value": "web"}])
    data = directories.make("host") / "agent"
    instance = harness.register(server, data, activation)
    assert instance.startswith("mi-") and len(instance) == 20
    assert oct((data / "identity.json").stat().st_mode & 0o777) == "0o600"
    # From now on its directory is all that it needs.
    agents(server, data)
    online(ssm, instance)
    (one,) = described(ssm)
    assert (one["ActivationId"], one["IamRole"], one["Name"], one["ResourceType"], one["IsLatestVersion"], one["SourceType"]) \
        == (activation["ActivationId"], "service-role/ssm", "web", "ManagedInstance", True, "AWS::SSM::ManagedInstance")
    for key, value in [("tag:Role", "web"), ("tag-key", "Role"), ("ActivationIds", activation["ActivationId"]), ("IamRole", "service-role/ssm"),
                       ("PingStatus", "Online"), ("PlatformTypes", "Linux"), ("ResourceType", "ManagedInstance"), ("InstanceIds", instance)]:
        assert [one["InstanceId"] for one in described(ssm, Filters=[{"Key": key, "Values": [value]}])] == [instance], key
        assert described(ssm, Filters=[{"Key": key, "Values": ["Windows" if key == "PlatformTypes" else "Inactive" if key == "PingStatus" else
                                                               "EC2Instance" if key == "ResourceType" else "no"]}]) == [], key
    (same,) = ssm.describe_instance_properties(FiltersWithOperator=[{"Key": "InstanceIds", "Values": ["mi-"], "Operator": "BeginWith"}])["InstanceProperties"]
    assert (same["InstanceId"], same["PingStatus"]) == (instance, "Online")
    assert ssm.get_connection_status(Target=instance)["Status"] == "connected"
    assert ssm.get_connection_status(Target="mi-00000000000000000")["Status"] == "notconnected"
    assert ssm.describe_activations()["ActivationList"][0]["RegistrationsCount"] == 1
    ssm.update_managed_instance_role(InstanceId=instance, IamRole="another")
    assert described(ssm)[0]["IamRole"] == "another"
    # What it runs was signed by the server that it knows.
    sent = ssm.send_command(DocumentName="AWS-RunShellScript", Targets=[{"Key": "tag:Role", "Values": ["web", "db"]}], Parameters={"commands": ["echo ok"]})
    done = lambda: ssm.list_commands(CommandId=sent["Command"]["CommandId"])["Commands"][0]["Status"] == "Success"
    until(done, 15)
    assert harness.registering(server, data, activation).returncode == 1
    again = ssm.create_activation(IamRole="r")
    assert "--force" in harness.registering(server, data, again).stderr


def test_a_limit_holds_however_many_come_at_once(server, ssm):
    """1,000 hosts, one registration."""
    activation = ssm.create_activation(IamRole="r")
    bodies = [by_hand(activation) for _ in range(1000)]
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        answers = list(pool.map(lambda body: answered(server, body), bodies))
    won = [answer for status, answer in answers if status == 200]
    assert len(won) == 1 and len({one["instance_id"] for one in won}) == 1
    assert {answer["code"] for status, answer in answers if status != 200} == {"DN0411"}
    assert [one["InstanceId"] for one in described(ssm)] == [won[0]["instance_id"]]
    # Who was not told asks again, and is the same instance; it costs nothing.
    first = next(body for body, (status, _) in zip(bodies, answers) if status == 200)
    assert answered(server, first)[1]["instance_id"] == won[0]["instance_id"]
    several = ssm.create_activation(IamRole="r", RegistrationLimit=7)
    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        assert sum(status == 200 for status, _ in pool.map(lambda _: answered(server, by_hand(several)), range(100))) == 7


def test_who_has_no_valid_code_does_not_register(server, ssm, directories):
    data = directories.make("host") / "agent"
    deleted = ssm.create_activation(IamRole="r")
    ssm.delete_activation(ActivationId=deleted["ActivationId"])
    assert "not valid" in harness.registering(server, data, deleted).stderr
    soon = ssm.create_activation(IamRole="r", ExpirationDate=time.time() + 2)
    until(lambda: ssm.describe_activations(Filters=[{"FilterKey": "ActivationIds", "FilterValues": [soon["ActivationId"]]}])["ActivationList"][0]["Expired"], 10)
    assert "has expired" in harness.registering(server, data, soon).stderr
    good = ssm.create_activation(IamRole="r")
    absent = {**good, "ActivationId": "00000000-0000-0000-0000-000000000000"}
    # What is not there is as wrong as a wrong code, and guessing has an end.
    wrong = [answered(server, by_hand(good, "x" * 20)), answered(server, by_hand(absent))]
    assert wrong[0] == wrong[1] and wrong[0][0] == 404
    statuses = {answered(server, by_hand(good, "x" * 20))[0] for _ in range(25)}
    assert statuses == {404, 429}
    assert described(ssm) == []


def test_another_server_is_not_registered_with(server, ssm, directories):
    activation = ssm.create_activation(IamRole="r")
    data = directories.make("host") / "agent"
    ran = harness.registering(server, data, activation, "--server-key", "sha256:" + "0" * 64)
    assert ran.returncode == 1 and "trust the server" in ran.stderr
    assert not (data / "identity.json").exists()


def test_the_command_that_is_shown_is_all_that_has_to_be_typed(server, ssm, directories, agents):
    ran = server.dandori("activation", "create", "--name", "copied", "--tag", "Role=db", "-o", "json")
    assert ran.returncode == 0, ran.stderr
    made = json.loads(ran.stdout)
    data = directories.make("host") / "agent"
    command = made["command"].replace("/var/lib/dandori-agent", str(data)).split()
    assert command[0] == "dandori"
    typed = subprocess.run([BINARY, *command[1:]], capture_output=True, text=True, env=environment(), timeout=60)
    assert typed.returncode == 0, typed.stderr
    instance = identity(data)["instance_id"]
    assert instance in typed.stdout and made["server_key"] in typed.stdout
    agents(server, data)
    online(ssm, instance)
    listed = server.dandori("activation", "list", "-o", "json")
    assert [(one["id"], one["registrations"]) for one in json.loads(listed.stdout)] == [(made["id"], 1)]
    assert server.dandori("activation", "delete", made["id"]).returncode == 0
    gone = server.dandori("activation", "delete", made["id"])
    assert gone.returncode != 0 and "DN0311" in gone.stderr
    assert "アクティベーション" in server.dandori("activation", "delete", made["id"], "--lang", "ja").stderr


def test_a_deregistered_agent_is_sent_away_for_good(server, ssm, directories, agents):
    data = directories.make("host") / "agent"
    instance = harness.register(server, data, ssm.create_activation(IamRole="r"))
    agent = agents(server, data)
    online(ssm, instance)
    assert refused(ssm.deregister_managed_instance, InstanceId="mi-00000000000000000")[0] == "InvalidInstanceId"
    ssm.deregister_managed_instance(InstanceId=instance)
    until(lambda: "the server refuses this agent" in agent.tail(), 10)
    assert "this server does not take this agent" in agent.tail() and "ereg" not in agent.tail(), "it learns nothing"
    assert described(ssm) == []
    assert refused(ssm.send_command, DocumentName="AWS-RunShellScript", InstanceIds=[instance], Parameters={"commands": ["id"]})[0] == "InvalidInstanceId"
    assert refused(ssm.deregister_managed_instance, InstanceId=instance)[0] == "InvalidInstanceId"
    server.kill()
    server.start()
    time.sleep(1)
    assert described(server.client("ssm")) == []


def test_a_copied_directory_shuts_both_out(server, ssm, directories, agents):
    """Nobody can say which of the two is meant, and a script must not run on the wrong one."""
    home = directories.make("host")
    instance = harness.register(server, home / "agent", ssm.create_activation(IamRole="r"))
    first = agents(server, home / "agent")
    online(ssm, instance)
    shutil.copytree(home / "agent", home / "copy")
    second = agents(server, home / "copy")
    until(lambda: all("the server refuses this agent" in agent.tail() for agent in (first, second)), 20)
    assert "this instance is there twice" in server.process.tail()
    assert ping(ssm, instance) == "ConnectionLost"
    # The way out: another instance.
    ssm.deregister_managed_instance(InstanceId=instance)
    first.stop()
    anew = harness.register(server, home / "agent", ssm.create_activation(IamRole="r"), "--force")
    assert anew != instance
    agents(server, home / "agent")
    online(ssm, anew)


def test_an_agent_without_the_key_is_not_the_instance(server, ssm, directories, agents):
    """Not even on this host, where agents with ids of their own choosing may come."""
    home = directories.make("host")
    instance = harness.register(server, home / "agent", ssm.create_activation(IamRole="r"))
    other = harness.register(server, home / "other", ssm.create_activation(IamRole="r"))
    pretender = agents(server, home / "pretender", instance)
    stolen = {**identity(home / "other"), "instance_id": instance}
    (home / "other" / "identity.json").write_text(json.dumps(stolen))
    thief = agents(server, home / "other")
    until(lambda: all("this server does not take this agent" in agent.tail() for agent in (pretender, thief)), 10)
    assert (ping(ssm, instance), ping(ssm, other)) == ("ConnectionLost", "ConnectionLost")
    agents(server, home / "agent")
    online(ssm, instance)


def test_an_agent_says_nothing_to_another_server(server, ssm, directories, agents):
    data = directories.make("host") / "agent"
    instance = harness.register(server, data, ssm.create_activation(IamRole="r"))
    server.kill()
    other = harness.Server(directories.make("other"), port=server.port).start()
    try:
        agent = agents(server, data)
        until(lambda: "is not the server that this agent registered with" in agent.tail(), 10)
        assert instance not in other.process.tail()
    finally:
        other.stop()
    server.start()
    online(server.client("ssm"), instance)


def test_a_key_is_changed_and_no_kill_shuts_the_agent_out(server, ssm, directories, agents):
    data = directories.make("host") / "agent"
    instance = harness.register(server, data, ssm.create_activation(IamRole="r"))
    agent = agents(server, data, options=["--log-level", "info"])
    online(ssm, instance)
    before = identity(data)["registration"]["key"]
    ran = subprocess.run([BINARY, "agent", "rotate-key", "--data", data], capture_output=True, text=True, env=environment(), timeout=60)
    assert ran.returncode == 0 and "has a new key" in ran.stdout, ran.stderr
    assert identity(data)["registration"]["key"] != before and "next_key" not in identity(data)["registration"]
    online(ssm, instance)
    keys = set()
    for turn in range(10):
        (data / "rotate-key").write_text("")
        agent.kill()
        agent = agents(server, data, options=["--log-level", "info"])
        # Somewhere between the start, the next key on the disk, its being told, and its taking the other's place.
        time.sleep(random.uniform(0, 0.25) if turn % 2 else random.uniform(4.9, 5.3))
        agent.kill()
        if turn % 3 == 0:
            server.kill()
            server.start()
        agent = agents(server, data, options=["--log-level", "info"])
        online(server.client("ssm"), instance)
        keys.add(identity(data)["registration"]["key"])
    until(lambda: not (data / "rotate-key").exists(), 20)
    assert len(keys) > 1
    # A key that was replaced proves nothing any more.
    agent.kill()
    kept = identity(data)
    kept["registration"]["key"] = before
    (data / "identity.json").write_text(json.dumps(kept))
    agent = agents(server, data)
    until(lambda: "this server does not take this agent" in agent.tail(), 10)


def test_an_encrypted_server(directories, agents):
    server = harness.Server(directories.make("server"), agent=True, options=["--tls"]).start()
    try:
        ssm = server.client("ssm")
        inside = server.wait_for_instance()
        activation = ssm.create_activation(IamRole="r", RegistrationLimit=2)
        home = directories.make("host")
        instance = harness.register(server, home / "agent", activation, "--server-key", server.server_key)
        by_authority = harness.register(server, home / "by-ca", activation, "--ca", server.ca, url=server.url.replace("127.0.0.1", "localhost"))
        agents(server, home / "agent")
        agents(server, home / "by-ca")
        online(ssm, instance)
        online(ssm, by_authority)
        assert {one["InstanceId"] for one in described(ssm)} == {inside, instance, by_authority}
        # Neither is spoken with who cannot show the key, nor without a way to know.
        unused = ssm.create_activation(IamRole="r")
        for options in (["--server-key", "sha256:" + "0" * 64], [], ["--ca", "/dev/null"]):
            ran = harness.registering(server, home / "no", unused, *options)
            assert ran.returncode == 1 and "reach" in ran.stderr, options
        assert [one["RegistrationsCount"] for one in ssm.describe_activations()["ActivationList"]] == [0, 2]
        ran = server.dandori("instance", "list", "--no-headers", DANDORI_CA=server.ca)
        assert ran.returncode == 0 and instance in ran.stdout, ran.stderr
        assert server.dandori("instance", "list").returncode != 0
        shown = server.dandori("activation", "create", "-o", "json", "--ca", server.ca)
        assert json.loads(shown.stdout)["server_key"] == server.server_key
        ran = subprocess.run([shutil.which("curl"), "-s", "--cacert", server.ca, server.url + "/healthz"], capture_output=True, text=True, timeout=30)
        assert ran.returncode == 0
    finally:
        server.stop()
    # Its key and its certificate are the same after a restart.
    key = server.server_key
    server.start()
    try:
        assert server.server_key == key
        online(server.client("ssm"), instance)
    finally:
        server.stop()


def test_certificates_of_the_operators_own(directories, agents):
    made = harness.Server(directories.make("made"), options=["--tls"]).start()
    made.stop()
    tls = made.data / "tls"
    server = harness.Server(directories.make("server"), options=["--tls-cert", tls / "server.pem", "--tls-key", tls / "server.key"]).start()
    try:
        server.ca = str(tls / "ca.pem")
        ssm = server.client("ssm")
        data = directories.make("host") / "agent"
        # The server's key is shown to whoever knows it, whatever certificate others are shown.
        instance = harness.register(server, data, ssm.create_activation(IamRole="r"), "--server-key", server.server_key)
        agents(server, data)
        online(ssm, instance)
    finally:
        server.stop()
