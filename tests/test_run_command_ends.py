"""How commands of state machines end on real agents, where the end is not the script's own: stopped, out of time, uncertain, or not allowed. Each has a
name that a Catch takes, and what nobody can know is not tried again by a Retry that does not name it."""

import json
import pathlib
import signal

import pytest

import harness
from harness import Server, ended, machine, until

FIRST, SECOND, UNSURE, AWAY, STRICT = (f"mi-{number:017x}" for number in range(1, 6))
SHELL, JOB = "AWS-RunShellScript", "Dandori-RunJob"
NAMES = ["Agent.Indeterminate", "Agent.Lost", "Agent.AccessDenied", "Agent.ExitCode"]
OPEN = ("Pending", "InProgress", "Delayed", "Cancelling")


class World:
    """A server and agents, of which one lets the server do little."""

    def __init__(self, directory):
        self.directory = directory
        self.server = Server(directory / "server").start()
        self.ssm, self.sfn = self.server.client("ssm"), self.server.client("stepfunctions")
        policy = directory / "policy.toml"
        policy.write_text(f'documents = ["{SHELL}"]\nexecution_seconds_max = 60\n')
        policy.chmod(0o600)
        self.agents = {}
        for host in (FIRST, SECOND, UNSURE, AWAY):
            self.start(host)
        self.start(STRICT, "--policy", policy)
        for host, role, place in ((FIRST, "web", "tokyo"), (SECOND, "web", "osaka"), (UNSURE, "db", "tokyo")):
            tags = [{"Key": "role", "Value": role}, {"Key": "place", "Value": place}]
            self.ssm.add_tags_to_resource(ResourceType="ManagedInstance", ResourceId=host, Tags=tags)

    def start(self, host, *options):
        self.agents[host] = harness.agent(self.server, self.directory / host, host, options=options)
        self.server.wait_for_instance(instance_id=host)

    def stop(self):
        for host, agent in self.agents.items():
            agent.kill()
            harness.kill_groups_of(self.directory / host)
        self.server.stop()

    def begin(self, comment, parameters, task=(), definition=()):
        """Starts an execution whose one task sends a command and waits for it."""
        parameters = {"DocumentName": SHELL, "Comment": comment, **parameters}
        catch = [{"ErrorEquals": [name], "ResultPath": "$.caught", "Next": name} for name in NAMES]
        states = {name: {"Type": "Pass", "Parameters": {"name": name, "told.$": "States.StringToJson($.caught.Cause)"}, "End": True} for name in NAMES}
        sending = {"Type": "Task", "Resource": "arn:aws:states:::ssm:sendCommand.sync", "Parameters": parameters, "Catch": catch, "End": True, **dict(task)}
        arn = machine(self.sfn, {"StartAt": "Send", "States": {"Send": sending, **states}, **dict(definition)}, comment)
        return self.sfn.start_execution(stateMachineArn=arn)["executionArn"]

    def commands(self, comment):
        pages = self.ssm.get_paginator("list_commands").paginate()
        return [one for page in pages for one in page["Commands"] if one["Comment"] == comment]

    def invocations(self, comment):
        (command,) = self.commands(comment)
        pages = self.ssm.get_paginator("list_command_invocations").paginate(CommandId=command["CommandId"])
        return {one["InstanceId"]: one for page in pages for one in page["CommandInvocations"]}


@pytest.fixture(scope="module")
def w(directories):
    world = World(directories.make("run-command-ends"))
    yield world
    world.stop()


def alive(process):
    """Whether a process is there and has not ended: one that nobody has waited for has."""
    try:
        return pathlib.Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def pids(directory, count):
    """The scripts that have written down who they are, and their children."""
    files = [path for path in directory.iterdir() if path.read_text().endswith("\n")]
    return [int(number) for path in files for number in path.read_text().split()] if len(files) == count else None


@pytest.mark.parametrize("what, status", [("stop", "ABORTED"), ("execution", "TIMED_OUT"), ("state", "FAILED")])
def test_what_ends_the_waiting_ends_the_scripts(w, tmp_path, what, status):
    comment = f"ends-by-{what}"
    script = ["sleep 300 & child=$!", f"echo $$ $child > {tmp_path}/$AWS_SSM_INSTANCE_ID", "wait"]
    limits = {"task": {"task": {"TimeoutSeconds": 5}}, "definition": {"definition": {"TimeoutSeconds": 5}}}
    more = {"stop": {}, "execution": limits["definition"], "state": limits["task"]}[what]
    arn = w.begin(comment, {"InstanceIds": [FIRST, SECOND], "Parameters": {"commands": script}}, **more)
    running = until(lambda: pids(tmp_path, 2), 20, "the scripts did not begin", pause=0.01)
    assert len(running) == 4 and all(map(alive, running))
    if what == "stop":
        w.sfn.stop_execution(executionArn=arn)
    described = ended(w.sfn, arn)
    assert described["status"] == status
    if what == "state":
        assert described["error"] == "States.Timeout"
    until(lambda: w.commands(comment)[0]["Status"] not in OPEN, 20, lambda: f"it goes on: {w.invocations(comment)}")
    assert not [one for one in running if alive(one)], "a script goes on"
    invocations = w.invocations(comment)
    assert {host: (one["Status"], one["StatusDetails"]) for host, one in invocations.items()} == dict.fromkeys((FIRST, SECOND), ("Cancelled", "Cancelled"))
    assert w.commands(comment)[0]["Status"] == "Cancelled"


RETRY = {"Retry": [{"ErrorEquals": ["States.ALL"], "IntervalSeconds": 1, "MaxAttempts": 2}]}


def test_what_nobody_can_know_has_its_names_and_is_not_tried_again(w, tmp_path):
    """Two hosts at a time: one comes back with its script gone and no word of how it ended, and one does not come back in time."""
    ledgers = {host: tmp_path / host for host in (UNSURE, AWAY)}
    unsure = w.begin("unsure", {"InstanceIds": [UNSURE], "Parameters": {"commands": [f"echo begun >> {ledgers[UNSURE]}", "sleep 300"]}}, task=RETRY)
    job = {"script": [f"echo begun >> {ledgers[AWAY]}\nsleep 300"], "lostAfterSeconds": ["1"]}
    away = w.begin("away", {"InstanceIds": [AWAY], "DocumentName": JOB, "Parameters": job}, task=RETRY)
    until(lambda: all(ledger.exists() for ledger in ledgers.values()), 20, "the scripts did not begin")
    until(lambda: all(w.commands(comment)[0]["Status"] == "InProgress" for comment in ("unsure", "away")), 20)
    w.agents[AWAY].send(signal.SIGSTOP)
    w.agents[UNSURE].kill()
    harness.kill_groups_of(w.directory / UNSURE)
    w.start(UNSURE)
    for arn, comment, name, host in ((unsure, "unsure", "Agent.Indeterminate", UNSURE), (away, "away", "Agent.Lost", AWAY)):
        caught = json.loads(ended(w.sfn, arn, seconds=120)["output"])
        (one,) = caught["told"]["CommandInvocations"]
        assert (caught["name"], one["InstanceId"], one["Status"], one["Error"]) == (name, host, "Failed", name)
        assert len(w.commands(comment)) == 1
        assert ledgers[host].read_text() == "begun\n"


def test_what_others_ended_with_is_tried_again(w, tmp_path):
    """So that the test above shows something."""
    arn = w.begin("again", {"InstanceIds": [FIRST], "Parameters": {"commands": [f"echo begun >> {tmp_path}/ledger", "exit 3"]}}, task=RETRY)
    assert json.loads(ended(w.sfn, arn)["output"])["name"] == "Agent.ExitCode"
    assert (len(w.commands("again")), (tmp_path / "ledger").read_text()) == (3, "begun\n" * 3)


@pytest.mark.parametrize("what, parameters", [
    ("document", {"DocumentName": JOB, "Parameters": {"script": ["touch {}"], "executionTimeout": ["5"]}}),
    ("time", {"Parameters": {"commands": ["touch {}"], "executionTimeout": ["61"]}}),
])
def test_what_the_host_does_not_allow_has_its_name(w, tmp_path, what, parameters):
    mark = tmp_path / "ran"
    parameters = json.loads(json.dumps({"InstanceIds": [STRICT], **parameters}).replace("{}", str(mark)))
    caught = json.loads(ended(w.sfn, w.begin(f"denied-{what}", parameters))["output"])
    (one,) = caught["told"]["CommandInvocations"]
    assert (caught["name"], one["Status"], one["StatusDetails"], one["Error"]) == ("Agent.AccessDenied", "Failed", "AccessDenied", "Agent.AccessDenied")
    assert not mark.exists()


def test_several_targets_name_whom_all_of_them_name(w):
    def sent_to(*targets):
        targets = [{"Key": key, "Values": values} for key, values in targets]
        command = w.ssm.send_command(DocumentName=SHELL, Targets=targets, Parameters={"commands": ["true"]})["Command"]["CommandId"]
        until(lambda: w.ssm.list_commands(CommandId=command)["Commands"][0]["Status"] not in OPEN, 20, f"{command} did not end")
        return {one["InstanceId"] for one in w.ssm.list_command_invocations(CommandId=command)["CommandInvocations"]}

    assert sent_to(("tag:role", ["web"]), ("tag:place", ["tokyo"])) == {FIRST}
    assert sent_to(("tag:role", ["web", "db"]), ("tag:place", ["tokyo"])) == {FIRST, UNSURE}
    assert sent_to(("tag:role", ["web"]), ("InstanceIds", [SECOND, UNSURE])) == {SECOND}
    assert sent_to(("tag:role", ["db"]), ("tag:place", ["osaka"])) == set()
