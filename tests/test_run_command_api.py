"""Run Command's operations, row by row: what each answers, each of its errors, its pages, and what becomes of commands on real agents. The
rows are held against the model that AWS publishes."""

import http.server
import itertools
import json
import re
import threading
import time
import urllib.parse

import pytest

import harness
import model
from harness import ended, machine, until

SSM = model.service("ssm")
OPERATIONS = "SendCommand CancelCommand ListCommands ListCommandInvocations GetCommandInvocation DescribeInstanceInformation".split()
SHELL = "AWS-RunShellScript"
TOPIC = f"arn:aws:sns:{harness.REGION}:000000000000:night"
ROLE = "arn:aws:iam::000000000000:role/sns"
HOSTS = 4
OPEN = ("Pending", "InProgress", "Delayed", "Cancelling")
UNKNOWN = "00000000-0000-4000-8000-000000000000"


class Topics(http.server.ThreadingHTTPServer):
    """Takes what is published. It has no room for the first message."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Publishing)
        self.published, self.refused = [], 0
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def of(self, command):
        return [json.loads(message["Message"]) for message in self.published if command in message["Message"]]


class Publishing(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        assert "/sns/aws4_request" in self.headers["Authorization"]
        status = 200 if self.server.refused else 503
        if status == 200:
            self.server.published.append(dict(urllib.parse.parse_qsl(body)))
        self.server.refused += status == 503
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class World:
    """A server with a bucket, a topic and agents, all in one account."""

    def __init__(self, directory):
        self.topics, self.bucket = Topics(), directory / "night"
        self.bucket.mkdir(parents=True)
        config = f'[buckets]\nnight = "{self.bucket}"\n[sns]\nendpoint = "http://127.0.0.1:{self.topics.server_port}"\naccess_key = "a"\nsecret = "s"\n'
        self.server = harness.Server(directory / "server", config=config).start()
        self.ssm, self.logs, self.sfn = (self.server.client(name) for name in ("ssm", "logs", "stepfunctions"))
        self.hosts = [f"mi-{number:017x}" for number in range(1, HOSTS + 1)]
        self.agents = [harness.agent(self.server, directory / f"agent-{host}", host) for host in self.hosts]
        for number, host in enumerate(self.hosts):
            self.server.wait_for_instance(instance_id=host)
            tags = [{"Key": "role", "Value": "web"}, {"Key": "number", "Value": str(number)}]
            self.ssm.add_tags_to_resource(ResourceType="ManagedInstance", ResourceId=host, Tags=tags)
        self.numbers = itertools.count()

    def stop(self):
        for agent in self.agents:
            agent.stop()
        self.server.stop()
        self.topics.shutdown()
        self.topics.server_close()

    def send(self, *commands, hosts=None, **more):
        parameters = {"commands": list(commands), **more.pop("parameters", {})}
        where = {} if "Targets" in more else {"InstanceIds": hosts or self.hosts[:1]}
        return self.ssm.send_command(**{"DocumentName": SHELL, "Parameters": parameters, **where, **more})["Command"]

    def command(self, command):
        (one,) = self.ssm.list_commands(CommandId=command)["Commands"]
        return one

    def over(self, command, seconds=30):
        """The command once it has ended."""
        def question():
            one = self.command(command)
            return one if one["Status"] not in OPEN else None
        return until(question, seconds, f"{command} did not end")

    def run(self, *commands, **more):
        return self.over(self.send(*commands, **more)["CommandId"])

    def invocations(self, command, **more):
        pages = self.ssm.get_paginator("list_command_invocations").paginate(CommandId=command, **more)
        return {one["InstanceId"]: one for page in pages for one in page["CommandInvocations"]}

    def get(self, command, host=None, **more):
        return self.ssm.get_command_invocation(CommandId=command, InstanceId=host or self.hosts[0], **more)

    def document(self, *steps):
        name = f"Steps-{next(self.numbers)}"
        text = {"schemaVersion": "2.2", "mainSteps": list(steps)}
        self.ssm.create_document(Name=name, Content=json.dumps(text), DocumentType="Command")
        return name


@pytest.fixture(scope="module")
def w(directories):
    world = World(directories.make("run-command"))
    yield world
    world.stop()


def step(name, *commands, action="aws:runShellScript", **more):
    inputs = more.pop("inputs", {})
    return {"action": action, "name": name, "inputs": {"runCommand": list(commands), **inputs}, **more}


# Errors.

SHORT = {"DocumentName": SHELL, "Parameters": {"commands": ["true"]}}
WINDOWS = {"StringEquals": ["platformType", "Windows"]}
INVALID_TOPIC = "One or more configuration items isn't valid. Verify that a valid Amazon Resource Name (ARN) was provided for an Amazon SNS topic."


def sending(w, **more):
    return {"InstanceIds": w.hosts[:1], **SHORT, **more}


ERRORS = {
    "SendCommand": {
        "DuplicateInstanceId": lambda w: (sending(w, InstanceIds=[w.hosts[0], w.hosts[0]]), ""),
        "InvalidInstanceId": lambda w: (sending(w, InstanceIds=[w.hosts[0], "mi-0000000000000ffff"]),
                                        "Instances [[mi-0000000000000ffff]] not in a valid state for account 000000000000"),
        "InvalidDocument": lambda w: (sending(w, DocumentName="Gone"), "Document with name Gone does not exist."),
        "InvalidDocumentVersion": lambda w: (sending(w, DocumentVersion="9"), "Document version 9 is not valid or does not exist."),
        "InvalidParameters": lambda w: (sending(w, Parameters={}), None),
        "InvalidRole": lambda w: (sending(w, NotificationConfig={"NotificationArn": TOPIC}), "The role name can't contain invalid characters. Also verify "
                                  "that you specified an IAM role for notifications that includes the required trust policy."),
        "InvalidNotificationConfig": lambda w: (sending(w, ServiceRoleArn=ROLE, NotificationConfig={"NotificationArn": "night"}), INVALID_TOPIC),
        "UnsupportedPlatformType": lambda w: (sending(w, DocumentName=w.document(step("dir", "dir", precondition=WINDOWS)), Parameters={}),
                                              f"Cannot perform operation for instance id {w.hosts[0]} of platform type Linux"),
        "InvalidOutputFolder": lambda w: (sending(w, OutputS3BucketName="nowhere"), "The S3 bucket nowhere doesn't exist: no folder of that name and no S3 "
                                          "endpoint is in the configuration."),
    },
    "CancelCommand": {
        "InvalidCommandId": lambda w: ({"CommandId": UNKNOWN}, ""),
        "InvalidInstanceId": lambda w: ({"CommandId": w.send("true")["CommandId"], "InstanceIds": w.hosts[1:2]}, None),
        "DuplicateInstanceId": lambda w: ({"CommandId": w.send("true")["CommandId"], "InstanceIds": [w.hosts[0]] * 2}, ""),
    },
    "ListCommands": {
        "InvalidFilterKey": lambda w: ({"Filters": [{"key": "ExecutionStage", "value": "Begun"}]}, "ExecutionStage is Executing or Complete, not Begun"),
        "InvalidNextToken": lambda w: ({"NextToken": "x"}, "The specified token is not valid."),
    },
    "ListCommandInvocations": {
        "InvalidFilterKey": lambda w: ({"Filters": [{"key": "ExecutionStage", "value": "Complete"}]},
                                       "ExecutionStage can't be used with ListCommandInvocations, only with ListCommands"),
        "InvalidNextToken": lambda w: ({"NextToken": "x"}, "The specified token is not valid."),
    },
    "GetCommandInvocation": {
        "InvocationDoesNotExist": lambda w: ({"CommandId": UNKNOWN, "InstanceId": w.hosts[0]}, ""),
        "InvalidPluginName": lambda w: ({"CommandId": w.send("true")["CommandId"], "InstanceId": w.hosts[0], "PluginName": "aws:dance"}, ""),
    },
    "DescribeInstanceInformation": {
        "InvalidFilterKey": lambda w: ({"Filters": [{"Key": "Colour", "Values": ["red"]}]}, None),
        "InvalidNextToken": lambda w: ({"NextToken": "x"}, "The specified token is not valid."),
    },
}

EMPTY_LIST = "A list that leads to nothing is empty: what is asked for may come."
NOT_OCCURRING = {
    "InternalServerError": "Only where the machinery fails.",
    ("SendCommand", "MaxDocumentSizeExceeded"): "A document is held against its limit when it is created.",
    ("ListCommands", "InvalidCommandId"): EMPTY_LIST,
    ("ListCommands", "InvalidInstanceId"): EMPTY_LIST,
    ("ListCommandInvocations", "InvalidCommandId"): EMPTY_LIST,
    ("ListCommandInvocations", "InvalidInstanceId"): EMPTY_LIST,
    ("GetCommandInvocation", "InvalidCommandId"): "It may come: InvocationDoesNotExist.",
    ("GetCommandInvocation", "InvalidInstanceId"): "It may come: InvocationDoesNotExist.",
    ("DescribeInstanceInformation", "InvalidInstanceId"): EMPTY_LIST,
    ("DescribeInstanceInformation", "InvalidInstanceInformationFilterValue"): "A value that no instance has finds none.",
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_each_error_of_the_model_has_its_row(name):
    modelled = {shape.name for shape in SSM.operation_model(name).error_shapes}
    told = {code for code in modelled if code in NOT_OCCURRING or (name, code) in NOT_OCCURRING}
    assert set(ERRORS[name]) | told >= modelled and set(ERRORS[name]) <= modelled and not set(ERRORS[name]) & told


@pytest.mark.parametrize("name, code", [(name, code) for name in ERRORS for code in ERRORS[name]])
def test_an_error(w, name, code):
    parameters, words = ERRORS[name][code](w)
    with pytest.raises(w.ssm.exceptions.ClientError) as refusal:
        w.ssm._make_api_call(name, parameters)
    error = refusal.value.response["Error"]
    assert error["Code"] == code, error
    if words is not None:
        assert error.get("Message", "") == words


@pytest.mark.parametrize("more, words", [
    ({"InstanceIds": []}, "You must specify either InstanceIds or Targets."),
    ({"Targets": [{"Key": "tag:role", "Values": ["web"]}]}, "You can specify InstanceIds or Targets, but not both."),
    ({"InstanceIds": [], "Targets": [{"Values": ["web"]}]}, "Each of Targets must have a Key."),
    ({"AlarmConfiguration": {"Alarms": [{"Name": "a"}]}}, "AlarmConfiguration is not supported: there are no CloudWatch alarms here that could stop a command."),
])
def test_what_is_not_taken_is_said(w, more, words):
    assert harness.refused(w.ssm.send_command, **sending(w, **more)) == ("ValidationException", words)


def test_without_a_topic_nobody_is_told_and_that_is_said(server, ssm, instance):
    code, words = harness.refused(ssm.send_command, InstanceIds=[instance], ServiceRoleArn=ROLE, NotificationConfig={"NotificationArn": TOPIC}, **SHORT)
    assert (code, "[sns]" in words) == ("InvalidNotificationConfig", True)


# Constraints.

def told(path):
    return ".".join(part[:1].lower() + part[1:] for part in path.split("."))


def ask(w, name, body):
    status, _, body = harness.request(w.server, json.dumps(body), f"AmazonSSM.{name}", "application/x-amz-json-1.1", service="ssm")
    answer = json.loads(body)
    return status, answer.get("__type"), answer.get("message", answer.get("Message", ""))


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_member_beyond_its_constraint_is_refused_in_aws_s_words(w, name):
    for request, path, shape, _ in model.members(SSM.operation_model(name).input_shape):
        for value, constraint in model.breaches(shape):
            status, code, words = ask(w, name, request(value))
            assert (status, code) == (400, "ValidationException"), (path, str(value)[:80], code, words)
            assert f" at '{told(path)}' failed to satisfy constraint: {constraint}" in words, (path, words)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_member_that_is_needed_is_missed(w, name):
    for request, path, _, needed in model.members(SSM.operation_model(name).input_shape):
        if needed:
            constraint = f"Value null at '{told(path)}' failed to satisfy constraint: Member must not be null"
            status, code, words = ask(w, name, request(None))
            assert (status, code) == (400, "ValidationException") and constraint in words, (path, words)


# What is answered.

def test_a_command_tells_all_that_it_was_asked(w):
    sent = w.send("echo out", "echo err >&2", Comment="night", TimeoutSeconds=60, MaxConcurrency="10%", MaxErrors="1", DocumentVersion="1",
                  OutputS3BucketName="night", OutputS3KeyPrefix="told", ServiceRoleArn=ROLE, parameters={"executionTimeout": ["30"]},
                  NotificationConfig={"NotificationArn": TOPIC, "NotificationEvents": ["Failed"], "NotificationType": "Invocation"},
                  CloudWatchOutputConfig={"CloudWatchOutputEnabled": True, "CloudWatchLogGroupName": "/told"})
    assert set(sent) == {"CommandId", "DocumentName", "DocumentVersion", "Comment", "ExpiresAfter", "Parameters", "InstanceIds", "Targets", "RequestedDateTime",
                         "Status", "StatusDetails", "OutputS3BucketName", "OutputS3KeyPrefix", "MaxConcurrency", "MaxErrors", "TargetCount", "CompletedCount",
                         "ErrorCount", "DeliveryTimedOutCount", "ServiceRole", "NotificationConfig", "CloudWatchOutputConfig", "TimeoutSeconds"}
    assert {key: sent[key] for key in sent if "Date" not in key and key not in ("CommandId", "ExpiresAfter", "Status", "StatusDetails")} == {
        "DocumentName": SHELL, "DocumentVersion": "1", "Comment": "night", "Parameters": {"commands": ["echo out", "echo err >&2"], "executionTimeout": ["30"]},
        "InstanceIds": w.hosts[:1], "Targets": [], "OutputS3BucketName": "night", "OutputS3KeyPrefix": "told", "MaxConcurrency": "10%", "MaxErrors": "1",
        "TargetCount": 1, "CompletedCount": 0, "ErrorCount": 0, "DeliveryTimedOutCount": 0, "ServiceRole": ROLE, "TimeoutSeconds": 60,
        "NotificationConfig": {"NotificationArn": TOPIC, "NotificationEvents": ["Failed"], "NotificationType": "Invocation"},
        "CloudWatchOutputConfig": {"CloudWatchOutputEnabled": True, "CloudWatchLogGroupName": "/told"}}
    assert (sent["ExpiresAfter"] - sent["RequestedDateTime"]).total_seconds() == 90
    command, host = sent["CommandId"], w.hosts[0]
    assert w.over(command)["Status"] == "Success"
    listed = w.invocations(command, Details=True)[host]
    url = f"https://s3.{harness.REGION}.amazonaws.com/night/told/{command}/{host}/awsrunShellScript/0.awsrunShellScript/"
    assert (listed["StandardOutputUrl"], listed["StandardErrorUrl"]) == (url + "stdout", url + "stderr")
    assert listed["InstanceName"] and (listed["ServiceRole"], listed["Comment"]) == (ROLE, "night")
    (plugin,) = listed["CommandPlugins"]
    assert (plugin["Name"], plugin["ResponseCode"], plugin["OutputS3BucketName"]) == ("aws:runShellScript", 0, "night")
    assert plugin["Output"] == "out\n\n----------ERROR-------\nerr\n"
    got = w.get(command)
    assert (got["StandardOutputUrl"], got["StandardOutputContent"], got["StandardErrorContent"]) == (url + "stdout", "out\n", "err\n")
    assert got["CloudWatchOutputConfig"] == {"CloudWatchOutputEnabled": True, "CloudWatchLogGroupName": "/told"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", got["ExecutionStartDateTime"]) and got["ExecutionElapsedTime"].startswith("PT")


def test_output_goes_to_a_folder_and_to_logs(w):
    command = w.run("echo out", "echo err >&2", OutputS3BucketName="night", OutputS3KeyPrefix="kept",
                    CloudWatchOutputConfig={"CloudWatchOutputEnabled": True})["CommandId"]
    folder = w.bucket / "kept" / command / w.hosts[0] / "awsrunShellScript" / "0.awsrunShellScript"
    until(lambda: (folder / "stdout").exists() and (folder / "stderr").exists(), 20, "the output is not in the folder")
    assert ((folder / "stdout").read_text(), (folder / "stderr").read_text()) == ("out\n", "err\n")
    group = f"/aws/ssm/{SHELL}"
    stream = f"{command}/{w.hosts[0]}/aws-runShellScript/stdout"

    def logged():
        try:
            return w.logs.get_log_events(logGroupName=group, logStreamName=stream, startFromHead=True)["events"]
        except w.logs.exceptions.ResourceNotFoundException:
            return []
    until(logged, 20, "the output is not in the log group")
    assert [event["message"] for event in logged()] == ["out"]


def test_several_steps_are_several_plugins(w):
    name = w.document(step("fetch", "echo fetched"), step("windows", "never", precondition=WINDOWS), step("check", "echo no >&2; exit 7"))
    command = w.ssm.send_command(DocumentName=name, InstanceIds=w.hosts[:1])["Command"]["CommandId"]
    assert w.over(command)["Status"] == "Failed"
    plugins = w.invocations(command, Details=True)[w.hosts[0]]["CommandPlugins"]
    assert [(one["Name"], one["Status"], one["ResponseCode"]) for one in plugins] == [("fetch", "Success", 0), ("windows", "Success", 0), ("check", "Failed", 7)]
    fetch, check = (w.get(command, PluginName=name) for name in ("fetch", "check"))
    assert (fetch["Status"], fetch["StandardOutputContent"], fetch["PluginName"]) == ("Success", "fetched\n", "fetch")
    assert (check["Status"], check["ResponseCode"], check["StandardErrorContent"]) == ("Failed", 7, "no\n")
    assert harness.refused(w.ssm.get_command_invocation, CommandId=command, InstanceId=w.hosts[0]) == ("InvalidPluginName", "")


def test_a_document_is_held_against_its_hash(w):
    name = w.document(step("say", "echo same"))
    described = w.ssm.describe_document(Name=name)["Document"]
    right = {"DocumentHash": described["Hash"], "DocumentHashType": described["HashType"]}
    command = w.ssm.send_command(DocumentName=name, InstanceIds=w.hosts[:1], **right)["Command"]["CommandId"]
    assert w.over(command)["Status"] == "Success"
    changed = json.dumps({"schemaVersion": "2.2", "mainSteps": [step("say", "echo other")]})
    w.ssm.update_document(Name=name, Content=changed, DocumentVersion="$LATEST")
    w.ssm.update_document_default_version(Name=name, DocumentVersion="2")
    assert harness.refused(w.ssm.send_command, DocumentName=name, InstanceIds=w.hosts[:1], **right)[0] == "InvalidDocument"
    assert w.ssm.send_command(DocumentName=name, DocumentVersion="1", InstanceIds=w.hosts[:1], **right)["Command"]["CommandId"]


def test_targets_by_tag(w):
    target = [{"Key": "tag:role", "Values": ["web"]}]
    sent = w.send("hostname", Targets=target, MaxConcurrency="50%")
    assert (sent["InstanceIds"], sent["Targets"], sent["TargetCount"]) == ([], target, HOSTS)
    assert w.over(sent["CommandId"])["CompletedCount"] == HOSTS
    assert set(w.invocations(sent["CommandId"])) == set(w.hosts)
    two = w.send("true", Targets=[{"Key": "tag:number", "Values": ["0", "2"]}])["CommandId"]
    w.over(two)
    assert set(w.invocations(two)) == {w.hosts[0], w.hosts[2]}
    nobody = w.send("true", Targets=[{"Key": "tag:role", "Values": ["db"]}])
    assert (nobody["TargetCount"], nobody["StatusDetails"]) == (0, "NoInstancesInTag")


def test_no_more_are_sent_than_may_run_or_may_fail(w, tmp_path):
    command = w.run(f"echo $$ >> {tmp_path}/runs; exit 1", hosts=w.hosts, MaxConcurrency="1", MaxErrors="1")
    details = sorted(one["StatusDetails"] for one in w.invocations(command["CommandId"]).values())
    assert (details, command["Status"], command["ErrorCount"]) == (["Failed", "Failed", "Terminated", "Terminated"], "Failed", 2)
    assert len((tmp_path / "runs").read_text().splitlines()) == 2
    gate = tmp_path / "gate"
    wait = f"echo . >> {tmp_path}/began; until [ -e {gate} ]; do sleep 0.05; done"
    command = w.send(wait, hosts=w.hosts, MaxConcurrency="50%")["CommandId"]
    until(lambda: (tmp_path / "began").exists() and len((tmp_path / "began").read_text()) >= 4, 20)
    time.sleep(0.5)
    assert len((tmp_path / "began").read_text().splitlines()) == 2
    gate.touch()
    assert w.over(command)["Status"] == "Success"


def test_a_command_is_cancelled_here_and_everywhere(w):
    command = w.send("sleep 60", hosts=w.hosts[:2])["CommandId"]
    until(lambda: all(one["Status"] == "InProgress" for one in w.invocations(command).values()), 20)
    w.ssm.cancel_command(CommandId=command, InstanceIds=w.hosts[:1])
    until(lambda: w.invocations(command)[w.hosts[0]]["Status"] == "Cancelled", 20)
    assert w.invocations(command)[w.hosts[1]]["Status"] == "InProgress"
    w.ssm.cancel_command(CommandId=command)
    assert w.over(command)["Status"] == "Cancelled"
    w.ssm.cancel_command(CommandId=command)


def test_times_that_run_out(w):
    command = w.run("sleep 60", parameters={"executionTimeout": ["1"]})
    assert (command["Status"], command["StatusDetails"]) == ("TimedOut", "ExecutionTimedOut")
    assert w.get(command["CommandId"])["StatusDetails"] == "ExecutionTimedOut"


def test_lists_are_filtered_and_paged(w):
    before = w.send("true", Comment="first")
    failed = w.run("exit 1", hosts=w.hosts[1:2])["CommandId"]
    runs = w.send("sleep 30", hosts=w.hosts[2:3])["CommandId"]
    w.over(before["CommandId"])
    until(lambda: w.command(runs)["Status"] == "InProgress", 20)

    def commands(*filters, **more):
        pages = w.ssm.get_paginator("list_commands").paginate(Filters=[{"key": key, "value": value} for key, value in filters], **more)
        return [one["CommandId"] for page in pages for one in page["Commands"]]

    moment = before["RequestedDateTime"].strftime("%Y-%m-%dT%H:%M:%S.000Z")
    assert runs in commands(("InvokedAfter", moment)) and runs not in commands(("InvokedBefore", moment))
    assert failed in commands(("Status", "Failed")) and before["CommandId"] not in commands(("Status", "Failed"))
    assert commands(("ExecutionStage", "Executing")) == [runs] and runs not in commands(("ExecutionStage", "Complete"))
    assert commands(("DocumentName", "Gone")) == []
    everything = commands(("DocumentName", SHELL))
    assert commands(("DocumentName", SHELL), PaginationConfig={"PageSize": 2}) == everything
    of = w.ssm.list_command_invocations(InstanceId=w.hosts[1], Filters=[{"key": "Status", "value": "Failed"}])["CommandInvocations"]
    assert of[0]["CommandId"] == failed and {one["InstanceId"] for one in of} == {w.hosts[1]}
    w.ssm.cancel_command(CommandId=runs)
    w.over(runs)


def test_the_aws_cli_sends_and_waits(w):
    sent = w.server.aws("ssm", "send-command", "--document-name", SHELL, "--targets", "Key=tag:number,Values=3", "--parameters", 'commands=["echo cli"]')["Command"]
    waiting = ["ssm", "wait", "command-executed", "--command-id", sent["CommandId"], "--instance-id", w.hosts[3]]
    w.server.aws(*waiting)
    got = w.server.aws("ssm", "get-command-invocation", "--command-id", sent["CommandId"], "--instance-id", w.hosts[3])
    assert (got["Status"], got["StandardOutputContent"]) == ("Success", "cli\n")
    assert w.server.aws("ssm", "list-commands", "--command-id", sent["CommandId"])["Commands"][0]["StatusDetails"] == "Success"
    assert w.server.aws("ssm", "list-command-invocations", "--command-id", sent["CommandId"], "--details")["CommandInvocations"][0]["CommandPlugins"]


def test_notifications(w):
    tell = {"ServiceRoleArn": ROLE, "NotificationConfig": {"NotificationArn": TOPIC, "NotificationEvents": ["All"], "NotificationType": "Command"}}
    command = w.run("exit 3", OutputS3BucketName="night", **tell)
    told = until(lambda: (lambda messages: messages if len(messages) >= 2 else None)(w.topics.of(command["CommandId"])), 30, "nobody was told")
    last = next(message for message in told if message["status"] == "Failed")
    assert set(last) == {"commandId", "documentName", "instanceIds", "requestedDateTime", "expiresAfter", "outputS3BucketName", "outputS3KeyPrefix", "status",
                         "eventTime"}
    assert (last["instanceIds"], last["outputS3BucketName"], {one["status"] for one in told}) == (w.hosts[:1], "night", {"InProgress", "Failed"})
    message = next(one for one in w.topics.published if command["CommandId"] in one["Message"])
    assert (message["Action"], message["TopicArn"], message["Subject"]) == ("Publish", TOPIC, f"EC2 Run Command Notification {harness.REGION}")

    tell["NotificationConfig"] = {"NotificationArn": TOPIC, "NotificationEvents": ["Success"], "NotificationType": "Invocation"}
    command = w.run("true", hosts=w.hosts[:2], **tell)["CommandId"]
    told = until(lambda: (lambda messages: messages if len(messages) >= 2 else None)(w.topics.of(command)), 30, "nobody was told")
    assert {(one["instanceId"], one["status"]) for one in told} == {(host, "Success") for host in w.hosts[:2]}


def test_what_is_owed_to_a_topic_survives_a_kill(w):
    w.topics.refused = 0
    command = w.send("true", ServiceRoleArn=ROLE, NotificationConfig={"NotificationArn": TOPIC, "NotificationEvents": ["Success"]})["CommandId"]
    until(lambda: w.topics.refused, 20, "it was not published")
    w.server.kill()
    w.server.start()
    until(lambda: [one["status"] for one in w.topics.of(command)] == ["Success"], 30, "nobody was told")


# In state machines.

def sync(w, *commands, hosts=None, **more):
    parameters = {"DocumentName": SHELL, "InstanceIds": hosts or w.hosts[:1], "Parameters": {"commands": list(commands), **more.pop("parameters", {})}, **more}
    catch = [{"ErrorEquals": [name], "Next": name} for name in NAMES]
    states = {name: {"Type": "Pass", "Result": name, "End": True} for name in NAMES}
    task = {"Type": "Task", "Resource": "arn:aws:states:::ssm:sendCommand.sync", "Parameters": parameters, "Catch": catch, "End": True}
    arn = machine(w.sfn, {"StartAt": "T", "States": {"T": task, **states}}, f"m{next(w.numbers)}")
    return w.sfn.start_execution(stateMachineArn=arn)["executionArn"]


NAMES = ["Agent.ExitCode", "Agent.TimedOut", "Agent.Killed", "Agent.Cancelled", "Agent.WorkingDirectoryMissing", "Agent.NoInstances", "Ssm.InvalidDocumentException"]


@pytest.mark.parametrize("name, commands, more", [
    ("Agent.ExitCode", ["exit 3"], {}),
    ("Agent.TimedOut", ["sleep 60"], {"parameters": {"executionTimeout": ["1"]}}),
    ("Agent.Killed", ["kill -9 $$"], {}),
    ("Agent.WorkingDirectoryMissing", ["true"], {"parameters": {"workingDirectory": ["/no/such/directory"]}}),
    ("Ssm.InvalidDocumentException", ["true"], {"DocumentName": "Gone"}),
])
def test_a_catch_takes_each_error_by_its_name(w, name, commands, more):
    assert json.loads(ended(w.sfn, sync(w, *commands, **more))["output"]) == name


def test_some_may_fail(w, tmp_path):
    first_fails = f"mkdir {tmp_path}/first 2>/dev/null && exit 9; exit 0"
    output = json.loads(ended(w.sfn, sync(w, first_fails, hosts=w.hosts[:3], MaxErrors="1", MaxConcurrency="1"))["output"])
    assert sorted(one["Status"] for one in output["CommandInvocations"]) == ["Failed", "Success", "Success"]
    (failed,) = [one for one in output["CommandInvocations"] if one["Status"] == "Failed"]
    assert (failed["Error"], failed["Cause"], failed["ResponseCode"]) == ("Agent.ExitCode", "script exited with 9", 9)


def test_a_stopped_execution_cancels_its_command(w):
    arn = sync(w, "sleep 60")
    runs = until(lambda: w.ssm.list_commands(Filters=[{"key": "Status", "value": "InProgress"}])["Commands"], 20)[0]["CommandId"]
    w.sfn.stop_execution(executionArn=arn)
    assert w.over(runs)["Status"] == "Cancelled"


def test_the_polling_loop_of_the_sdk(w):
    ask = {"CommandId.$": "$.Command.CommandId", "InstanceId": w.hosts[0]}
    states = {
        "Send": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ssm:sendCommand", "Parameters": sending(w), "Next": "Ask"},
        "Ask": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ssm:getCommandInvocation", "Parameters": ask, "ResultPath": "$.Invocation",
                "Retry": [{"ErrorEquals": ["Ssm.InvocationDoesNotExistException"], "IntervalSeconds": 1}], "Next": "Over"},
        "Over": {"Type": "Choice", "Choices": [{"Or": [{"Variable": "$.Invocation.Status", "StringEquals": status} for status in OPEN], "Next": "Later"}],
                 "Default": "Look"},
        "Later": {"Type": "Wait", "Seconds": 1, "Next": "Ask"},
        "Look": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ssm:listCommandInvocations", "Parameters": {"CommandId.$": "$.Command.CommandId", "Details": True},
                 "End": True},
    }
    arn = machine(w.sfn, {"StartAt": "Send", "States": states}, "polling")
    output = json.loads(ended(w.sfn, w.sfn.start_execution(stateMachineArn=arn)["executionArn"])["output"])
    assert output["CommandInvocations"][0]["CommandPlugins"][0]["Status"] == "Success"
    missing = {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ssm:getCommandInvocation", "Parameters": {"CommandId": UNKNOWN, "InstanceId": w.hosts[0]}, "End": True}
    arn = machine(w.sfn, {"StartAt": "A", "States": {"A": missing}}, "missing")
    assert ended(w.sfn, w.sfn.start_execution(stateMachineArn=arn)["executionArn"])["error"] == "Ssm.InvocationDoesNotExistException"
