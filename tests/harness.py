"""A server and agents as processes, and the clients that talk to them. Used by the tests, `faults.py` and `conformance.py`."""

import json
import os
import pathlib
import queue
import random
import re
import signal
import socket
import subprocess
import sys
import threading
import time

import boto3
import botocore.config

import model

ROOT = pathlib.Path(__file__).resolve().parent.parent
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target")
BINARY = os.environ.get("DANDORI_BIN") or str(TARGET / "debug" / "dandori")

# What the agent inside a server works for when nothing else is configured.
ACCOUNT = "000000000000"
REGION = "us-east-1"

READY_SECONDS_MAX = 30


def environment(account=ACCOUNT, secret="any", region=REGION, **more):
    """The variables for a child: ours, without what would send a client to AWS or change its language."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "DANDORI_", "LC_", "LANG"))}
    nowhere = os.devnull
    aws = {"AWS_ACCESS_KEY_ID": account, "AWS_SECRET_ACCESS_KEY": secret, "AWS_DEFAULT_REGION": region, "AWS_REGION": region,
           "AWS_CONFIG_FILE": nowhere, "AWS_SHARED_CREDENTIALS_FILE": nowhere, "AWS_EC2_METADATA_DISABLED": "true", "AWS_PAGER": "",
           # TestState's clients put a prefix before the host's name, which an address does not have.
           "AWS_DISABLE_HOST_PREFIX_INJECTION": "true"}
    return {**kept, "LANG": "C.UTF-8", **aws, **more}


def account():
    """An account that nobody else uses, so that tests share a server and see nothing of each other."""
    return f"{random.randrange(10**11, 10**12)}"


class Process:
    """A child that is ended by its own process id, and whose words are kept."""

    def __init__(self, arguments, log, env=None):
        self.log = pathlib.Path(log)
        self._log = self.log.open("ab")
        self.child = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=self._log, env=env or environment())
        self.lines = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        with self.child.stdout as stdout:
            for line in stdout:
                self.lines.put(line.decode(errors="replace").rstrip("\n"))
        self.lines.put(None)

    def line(self, seconds=READY_SECONDS_MAX):
        """The next line of standard output, or None at its end."""
        try:
            return self.lines.get(timeout=seconds)
        except queue.Empty:
            raise AssertionError(f"no word from {self.child.args} in {seconds} s:\n{self.tail()}") from None

    def tail(self, characters=4000):
        return self.log.read_text(errors="replace")[-characters:]

    def send(self, number):
        if self.child.poll() is None:
            self.child.send_signal(number)

    def kill(self):
        self.send(signal.SIGKILL)
        self.child.wait()
        self._close()

    def stop(self, seconds=20):
        """Ends it as an operator would. Returns its exit code."""
        self.send(signal.SIGTERM)
        try:
            return self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.child.args} did not end in {seconds} s after SIGTERM:\n{self.tail()}") from None
        finally:
            self._close()

    def _close(self):
        self._log.close()

    @property
    def runs(self):
        return self.child.poll() is None


class Server:
    """A server on a directory. May be killed and started again, on the same port."""

    def __init__(self, directory, *, agent=False, config=None, port=0, env=None, options=()):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.data = self.directory / "data"
        self.log = self.directory / "server.log"
        self.agent, self.env, self.port, self.process = agent, env, port, None
        self.options, self.scheme, self.server_key, self.ca = list(options), "http", None, None
        self.config = None
        if config is not None:
            self.config = self.directory / "dandori.toml"
            self.config.write_text(config)

    def arguments(self):
        arguments = [BINARY, "server", "--listen", f"127.0.0.1:{self.port}", "--data", str(self.data)]
        if self.agent:
            arguments.append("--agent")
        if self.config:
            arguments += ["--config", str(self.config)]
        return arguments + [str(option) for option in self.options]

    def start(self):
        self.process = Process(self.arguments(), self.log, self.env)
        line = self.process.line()
        said = re.fullmatch(r"dandori is listening on (https?)://127\.0\.0\.1:(\d+)", line or "")
        if not said:
            self.process.kill()
            raise AssertionError(f"the server did not start; it said {line!r}:\n{self.process.tail()}")
        self.scheme, self.port = said[1], int(said[2])
        if self.scheme == "https":
            self.server_key = self.process.line().removeprefix("server key ")
            if "--tls" in self.options:
                self.ca = self.process.line().removeprefix("certificate authority ")
        return self

    @property
    def url(self):
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def kill(self):
        self.process.kill()

    def stop(self):
        code = self.process.stop()
        assert code == 0, f"the server ended with {code}:\n{self.process.tail()}"

    def client(self, service, account=ACCOUNT, secret="any", region=REGION, **config):
        """A boto3 client that asks once, sends what it is given, right or wrong, and takes no answer that its model does not have."""
        settings = {"parameter_validation": False, "retries": {"total_max_attempts": 1}, "read_timeout": 30, "max_pool_connections": 64, **config}
        session = boto3.Session(account, secret, region_name=region)
        return model.watch(session.client(service, endpoint_url=self.url, verify=self.ca, config=botocore.config.Config(**settings)))

    def aws(self, *arguments, account=ACCOUNT, secret="any", region=REGION, check=True, seconds=120):
        """The real AWS CLI. Returns what it printed as JSON."""
        program = pathlib.Path(sys.executable).parent / "aws"
        command = [str(program), "--endpoint-url", self.url, "--output", "json", *map(str, arguments)]
        ran = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment(account, secret, region), timeout=seconds)
        if not check:
            return ran
        assert ran.returncode == 0, f"{' '.join(command)}\n{ran.stderr}"
        return json.loads(ran.stdout) if ran.stdout.strip() else None

    def dandori(self, *arguments, seconds=60, account=ACCOUNT, secret="any", **variables):
        """Our own command line, talking to this server; not on a terminal."""
        env = environment(account, secret, DANDORI_URL=self.url, **variables)
        return subprocess.run([BINARY, *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env, timeout=seconds)

    def wait_for_instance(self, account=ACCOUNT, secret="any", seconds=20, instance_id=None):
        """The id of the instance that is online."""
        ssm = self.client("ssm", account, secret)

        def online():
            listed = ssm.describe_instance_information()["InstanceInformationList"]
            ids = [one["InstanceId"] for one in listed if one["PingStatus"] == "Online" and instance_id in (None, one["InstanceId"])]
            return ids[0] if ids else None

        return until(online, seconds, lambda: f"no instance came online:\n{self.process.tail()}")


def agent(server, data, instance_id=None, account=ACCOUNT, secret="any", options=()):
    """An agent of its own: with an id of its own choosing, or one that has registered."""
    data = pathlib.Path(data)
    data.mkdir(parents=True, exist_ok=True)
    arguments = [BINARY, "agent", "--data", str(data), *map(str, options)]
    if instance_id:
        arguments += ["--server", server.url, "--instance-id", instance_id]
    return Process(arguments, data.parent / f"{data.name}.log", environment(account, secret))


def kill_groups_of(data):
    """Kills what an agent has left behind on its host: the process groups of supervisors and scripts, whose command lines name its directory."""
    mine, groups = f"{data}/".encode(), set()
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if mine in (process / "cmdline").read_bytes():
                groups.add(os.getpgid(int(process.name)))
        except (OSError, ProcessLookupError):
            pass
    # All stand still first: a supervisor that saw its script killed would write that down.
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for group in groups - {os.getpgid(0)}:
            try:
                os.killpg(group, number)
            except (ProcessLookupError, PermissionError):
                pass


def registering(server, data, activation, *options, url=None):
    """Runs `dandori agent register` with what CreateActivation answered. Returns how it ended."""
    arguments = [BINARY, "agent", "register", "--server", url or server.url, "--id", activation["ActivationId"], "--code", activation["ActivationCode"],
                 "--data", str(data), *map(str, options)]
    # Without keys of any kind: a host has none.
    env = {k: v for k, v in environment().items() if not k.startswith("AWS_")}
    return subprocess.run(arguments, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env, timeout=60)


def register(server, data, activation, *options, url=None):
    """The id of the instance that the host in this directory has become."""
    ran = registering(server, data, activation, *options, url=url)
    assert ran.returncode == 0, ran.stderr
    return json.loads((pathlib.Path(data) / "identity.json").read_text())["instance_id"]


def until(question, seconds, why="it did not happen", pause=0.05):
    """The first answer that is not false."""
    end = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise AssertionError(why() if callable(why) else why)
        time.sleep(pause)


def ended(sfn, arn, seconds=30):
    """The execution as described once it runs no longer."""

    def question():
        described = sfn.describe_execution(executionArn=arn)
        return described if described["status"] != "RUNNING" else None

    return until(question, seconds, lambda: f"{arn} did not end in {seconds} s: {names(history(sfn, arn))}")


def history(sfn, arn, **options):
    """All events, page after page."""
    events, token = [], {}
    while True:
        page = sfn.get_execution_history(executionArn=arn, **options, **token)
        events += page["events"]
        if "nextToken" not in page:
            return events
        token = {"nextToken": page["nextToken"]}


def names(events):
    return [event["type"] for event in events]


def machine(sfn, definition, name="machine"):
    """Creates a state machine and returns its ARN."""
    text = definition if isinstance(definition, str) else json.dumps(definition)
    return sfn.create_state_machine(name=name, definition=text, roleArn="arn:aws:iam::000000000000:role/tests")["stateMachineArn"]


def refused(call, *arguments, **parameters):
    """The code and the words with which a call was refused."""
    try:
        answer = call(*arguments, **parameters)
    except call.__self__.exceptions.ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400, error.response
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError(f"was not refused: {answer}")


def raw(server, data, seconds=20, half_close=False):
    """Sends bytes and returns what came back until the connection was closed, or a whole answer was there."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=seconds) as sock:
        try:
            sock.sendall(data)
            if half_close:
                sock.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # It may answer and close before it has read everything.
        answer = b""
        while not whole(answer):
            try:
                more = sock.recv(65536)
            except ConnectionResetError:
                break
            if not more:
                break
            answer += more
    return answer


def whole(answer):
    head, separator, body = answer.partition(b"\r\n\r\n")
    if not separator:
        return False
    lengths = [line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(lengths) and len(body) >= int(lengths[0])


def request(server, body, target="AWSStepFunctions.ListStateMachines", content_type="application/x-amz-json-1.0", account=ACCOUNT, service="states",
            method="POST", path="/", headers=()):
    """One request, written by hand. Returns the status, the headers and the body."""
    body = body if isinstance(body, bytes) else body.encode()
    authorization = f"AWS4-HMAC-SHA256 Credential={account}/20260101/{REGION}/{service}/aws4_request, SignedHeaders=host, Signature=0"
    lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{server.port}", f"Authorization: {authorization}", f"Content-Length: {len(body)}"]
    lines += [f"X-Amz-Target: {target}"] if target is not None else []
    lines += [f"Content-Type: {content_type}"] if content_type is not None else []
    answer = raw(server, ("\r\n".join([*lines, *headers]) + "\r\n\r\n").encode() + body)
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *rest = head.decode("latin-1").split("\r\n")
    pairs = dict(line.lower().split(": ", 1) for line in rest)
    return int(first.split(" ")[1]), pairs, body
