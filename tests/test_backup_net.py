"""The backup job net, unchanged in both forms, driven by the real AWS CLI with real services on this machine."""

import json
import subprocess

import pytest

from harness import ROOT, until

EXAMPLE = ROOT / "examples" / "backup-net"
JOBS = ["stop-web", "stop-db", "backup-web", "backup-db", "start-db", "start-web"]


class Net:
    """One installation of the services, and the execution that works on it."""

    def __init__(self, server, instance, directory, form):
        self.server, self.form, self.home = server, form, directory / "with a space"
        subprocess.run([EXAMPLE / "bin" / "install.sh", self.home], check=True, capture_output=True)
        created = self.aws("create-state-machine", "--name", f"backup-net-{form}", "--role-arn", "arn:aws:iam::000000000000:role/demo",
                           "--definition", f"file://{EXAMPLE}/backup-net.{form}.asl.json")
        self.input = {"instanceId": instance, "home": str(self.home)}
        started = self.aws("start-execution", "--state-machine-arn", created["stateMachineArn"], "--input", json.dumps(self.input))
        self.arn = started["executionArn"]

    def aws(self, *arguments):
        return self.server.aws("stepfunctions", *arguments)

    def wait(self, seconds):
        def question():
            described = self.aws("describe-execution", "--execution-arn", self.arn)
            return described if described["status"] != "RUNNING" else None

        return until(question, seconds, f"{self.arn} did not end", pause=0.5)

    def scripts(self):
        """The names of the scripts that Run Command ran for it, in the order in which they were sent."""
        listed = self.server.aws("ssm", "list-commands")["Commands"]
        mine = [command for command in listed[::-1] if str(self.home) in command["Parameters"]["commands"][0]]
        return [(command["Parameters"]["commands"][0].rsplit("/", 1)[1].removesuffix('.sh"'), command["Status"]) for command in mine]

    def stop(self):
        for script in ("stop-web.sh", "stop-db.sh"):
            subprocess.run([self.home / "bin" / script], capture_output=True, check=False)


@pytest.fixture(scope="module")
def nets(server, instance, tmp_path_factory):
    """Both at once: the polling form mostly waits."""
    nets = {form: Net(server, instance, tmp_path_factory.mktemp(form), form) for form in ("polling", "sync")}
    yield nets
    for net in nets.values():
        net.stop()


@pytest.mark.parametrize("form", ["sync", "polling"])
def test_the_six_jobs_succeed_and_the_backups_restore(nets, form):
    net = nets[form]
    described = net.wait(180)
    assert described["status"] == "SUCCEEDED", described
    ran = net.scripts()
    assert [status for _, status in ran] == ["Success"] * 6
    scripts = [script for script, _ in ran]
    assert scripts[:2] == JOBS[:2] and sorted(scripts[2:4]) == ["backup-db", "backup-web"] and scripts[4:] == JOBS[4:]
    verified = subprocess.run([net.home / "bin" / "verify.sh"], capture_output=True, text=True, check=False)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    events = net.aws("get-execution-history", "--execution-arn", net.arn)["events"]
    assert [event["id"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["type"] == "ExecutionSucceeded"


@pytest.mark.parametrize("form", ["sync", "polling"])
def test_an_abnormal_end_fails_the_machine(nets, instance, form):
    """The same net where the scripts are not."""
    net = nets[form]
    machine = net.aws("list-state-machines")["stateMachines"]
    arn = next(one["stateMachineArn"] for one in machine if one["name"] == f"backup-net-{form}")
    started = net.aws("start-execution", "--state-machine-arn", arn, "--input", json.dumps({"instanceId": instance, "home": "/nowhere"}))
    failed = Net.__new__(Net)
    failed.server, failed.arn = net.server, started["executionArn"]
    described = failed.wait(60)
    assert described["status"] == "FAILED"
    if form == "sync":
        assert described["error"] == "Agent.ExitCode" and "127" in described["cause"]
    else:
        assert described["error"] == "BackupNet.JobFailed" and described["cause"].startswith(f"Stop web server ended as Failed on {instance} (command ")


def test_the_aws_cli_tells_refusals(server):
    ran = server.aws("stepfunctions", "describe-execution", "--execution-arn", "arn:aws:states:us-east-1:000000000000:execution:a:b", check=False)
    assert ran.returncode in (254, 255)
    assert "An error occurred (ExecutionDoesNotExist) when calling the DescribeExecution operation: Execution Does Not Exist: " in ran.stderr


def test_the_aws_cli_follows_pages(server, nets):
    listed = server.aws("stepfunctions", "list-state-machines", "--page-size", "1")["stateMachines"]
    assert {"backup-net-polling", "backup-net-sync"} <= {one["name"] for one in listed}
    assert server.aws("ssm", "describe-instance-information")["InstanceInformationList"]
