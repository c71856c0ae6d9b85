"""Kills servers and agents at random moments under load, starts them again, and judges what is there afterwards.

    faults.py --server-kills 200 --agent-kills 20 [--seed N]
    faults.py --planted

While a server is killed over and over, clients start executions (with names, without, with timers, with scripts on an agent), stop
some of them, and read histories. Afterwards these must hold:

  - every acknowledged start is there, with its input, and has ended; every acknowledged stop stands
  - nothing is there that nobody asked for
  - each script ran at most once for each attempt, and once where its task succeeded; every task has one outcome
  - histories are dense from 1, end once, and begin with all that was read of them before
  - no wait was shorter than it should be

Then the agent is killed in the middle of scripts: alone, with the supervisor of the script, and with the server. What the supervisor
outlives succeeds; what nobody can know fails as `Agent.Indeterminate`; nothing runs twice.

With `--planted` the store is put back to an earlier state once, as a store that loses what it acknowledged would be. The judge has to notice:
one that never finds anything shows nothing.
"""

import argparse
import collections
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import threading
import time

import harness
from harness import until

ACCOUNT = harness.ACCOUNT
INSTANCE = "mi-0fau1t50fau1t5000"
CLIENTS = 4
WAIT_SECONDS = 1
TASKS_AT_A_TIME = 6
READY_SECONDS_MAX = 10
DRAIN_SECONDS_MAX = 60


class Refused(Exception):
    """The server answered, and said no: code and words."""


class Unreached(Exception):
    """Nothing was sent: it did not happen."""


class Unknown(Exception):
    """Sent, and not answered: it may have happened."""


class Api:
    """A client of the AWS door with one connection, as plain as can be."""

    TARGETS = {"states": ("AWSStepFunctions", "application/x-amz-json-1.0"), "ssm": ("AmazonSSM", "application/x-amz-json-1.1")}

    def __init__(self, server):
        self.server, self.connection = server, None

    def __call__(self, operation, service="states", **members):
        target, content_type = self.TARGETS[service]
        headers = {"Content-Type": content_type, "X-Amz-Target": f"{target}.{operation}",
                   "Authorization": f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/20260101/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"}
        if self.connection is None:
            connection = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=30)
            try:
                connection.connect()
            except OSError as error:
                raise Unreached(str(error)) from None
            self.connection = connection
        try:
            self.connection.request("POST", "/", json.dumps(members).encode(), headers)
            answer = self.connection.getresponse()
            status, body = answer.status, answer.read()
        except (OSError, http.client.HTTPException) as error:
            self.connection.close()
            self.connection = None
            raise Unknown(repr(error)) from None
        value = json.loads(body or b"{}")
        if status == 200:
            return value
        if status >= 500:
            raise Unknown(f"{status} {value}")
        raise Refused(value.get("__type"), value.get("message"))


def patient(call, *arguments, seconds=DRAIN_SECONDS_MAX, **members):
    """Asks until the server has answered; for questions, and for what is idempotent."""
    end = time.monotonic() + seconds
    while True:
        try:
            return call(*arguments, **members)
        except (Unreached, Unknown):
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def script(ledger, seconds):
    """An expression for a script that says when it begins and ends. The name comes from the execution's input."""
    text = f"echo begin {{}} STATE >> {ledger}; sleep {seconds}; echo end {{}} STATE >> {ledger}"
    return f"States.Format('{text}', $$.Execution.Input.id, $$.Execution.Input.id)"


def task(ledger, state, seconds, following):
    command = script(ledger, seconds).replace("STATE", state)
    return {
        "Type": "Task",
        "Resource": "arn:aws:states:::ssm:sendCommand.sync",
        "Parameters": {"DocumentName": "AWS-RunShellScript", "InstanceIds": [INSTANCE], "Parameters": {"commands.$": f"States.Array({command})"}},
        "ResultPath": None,
        **following,
    }


def definitions(ledger):
    wait = {"Type": "Wait", "Seconds": WAIT_SECONDS}
    passes = {f"P{number}": {"Type": "Pass", "Next": f"P{number + 1}"} for number in range(4)}
    poll = task(ledger, "polled", 0.1, {})
    poll |= {"Resource": "arn:aws:states:::aws-sdk:ssm:sendCommand", "ResultSelector": {"id.$": "$.Command.CommandId"}, "ResultPath": "$.command", "Next": "Ask"}
    status = "$.asked.list[0]"
    going = [{"Variable": status, "StringEquals": word} for word in ("Pending", "InProgress", "Delayed")]
    return {
        "passes": {"StartAt": "P0", "States": {**passes, "P4": {"Type": "Succeed"}}},
        "waits": {"StartAt": "A", "States": {"A": {**wait, "Next": "B"}, "B": {**wait, "Next": "C"}, "C": {"Type": "Pass", "End": True}}},
        "stays": {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 86400, "End": True}}},
        "maps": {"StartAt": "M", "States": {"M": {"Type": "Map", "ItemsPath": "$.items", "ResultPath": None, "End": True, "ItemProcessor": {
            "StartAt": "I", "States": {"I": {**wait, "End": True}}}}}},
        "tasks": {"StartAt": "first", "States": {"first": task(ledger, "first", 0.05, {"Next": "second"}), "second": task(ledger, "second", 0.4, {"End": True})}},
        "polls": {"StartAt": "Send", "States": {
            "Send": poll,
            "Ask": {"Type": "Task", "Resource": "arn:aws:states:::aws-sdk:ssm:listCommandInvocations", "Parameters": {"CommandId.$": "$.command.id"},
                    "ResultSelector": {"list.$": "$.CommandInvocations[*].Status"}, "ResultPath": "$.asked", "Next": "Ended?"},
            "Ended?": {"Type": "Choice", "Default": "Failed", "Choices": [
                {"Not": {"Variable": status, "IsPresent": True}, "Next": "Later"}, {"Or": going, "Next": "Later"},
                {"Variable": status, "StringEquals": "Success", "Next": "Done"}]},
            "Later": {**wait, "Next": "Ask"}, "Done": {"Type": "Succeed"}, "Failed": {"Type": "Fail", "Error": "Polled"}}},
    }


TASKS_OF = {"tasks": ["first", "second"], "polls": ["polled"]}


class Book:
    """What clients asked for and what they were told."""

    def __init__(self):
        self.lock = threading.Lock()
        self.invoked = {}  # id -> kind
        self.acknowledged = {}  # id -> ARN
        self.stopped = set()  # ids
        self.stop_asked = set()
        self.read = {}  # ARN -> events
        self.counts = collections.Counter()
        self.faults = []

    def fault(self, text):
        with self.lock:
            self.faults.append(text)

    def open_tasks(self, ended):
        with self.lock:
            return [one for one, kind in self.invoked.items() if kind in TASKS_OF and one in self.acknowledged and one not in ended]


class Client(threading.Thread):
    """Starts executions, one after the other, and remembers what it was told."""

    def __init__(self, number, server, machines, book, seed, enough):
        super().__init__(daemon=True)
        self.api, self.machines, self.book, self.enough = Api(server), machines, book, enough
        self.number, self.chance, self.count = number, random.Random(seed), 0
        self.tasks = collections.deque()

    def run(self):
        try:
            while not self.enough.is_set():
                self.turn()
                time.sleep(self.chance.uniform(0, 0.02))
        except Exception as error:  # noqa: BLE001
            self.book.fault(f"a client ended: {error!r}")

    def turn(self):
        kind = self.chance.choices(["passes", "waits", "stays", "maps", "tasks", "polls"], [8, 4, 2, 1, 3, 1])[0]
        if kind in TASKS_OF and not self.room_for_tasks():
            kind = "passes"
        self.count += 1
        one = f"c{self.number}-{self.count}"
        name = one if self.chance.random() < 0.5 else None
        arn = self.begin(kind, one, name)
        if arn is None:
            return
        if kind in TASKS_OF:
            self.tasks.append(arn)
        if kind == "stays":
            self.end(one, arn)
        if self.chance.random() < 0.2:
            self.look(arn)

    def room_for_tasks(self):
        """So that the agent is busy, and not behind by minutes."""
        while self.tasks:
            try:
                if self.api("DescribeExecution", executionArn=self.tasks[0])["status"] == "RUNNING":
                    break
            except (Unknown, Unreached):
                return False
            except Refused as refusal:
                self.book.fault(f"acknowledged, and then {refusal}: {self.tasks[0]}")
            self.tasks.popleft()
        return len(self.tasks) < max(1, TASKS_AT_A_TIME // CLIENTS + 1)

    def begin(self, kind, one, name):
        book, members = self.book, {"stateMachineArn": self.machines[kind], "input": json.dumps({"id": one, "items": [1, 2, 3]})}
        members |= {"name": name} if name else {}
        with book.lock:
            book.invoked[one] = kind
        for attempt in range(2000):
            try:
                arn = self.api("StartExecution", **members)["executionArn"]
            except Unreached:
                book.counts["unreached"] += 1
                time.sleep(0.02)
            except Unknown:
                book.counts["unknown"] += 1
                # A name makes it safe to ask again; without one, it may be there or not.
                if name is None:
                    return None
            except Refused as refusal:
                # It was started by an earlier attempt, whose answer was lost, and has ended since.
                if name and attempt and refusal.args[0] == "ExecutionAlreadyExists":
                    arn = refusal.args[1].removeprefix("Execution Already Exists: '").removesuffix("'")
                    book.counts["found"] += 1
                    with book.lock:
                        book.acknowledged[one] = arn
                    return arn
                book.fault(f"start of {one} was refused: {refusal}")
                return None
            else:
                book.counts["acknowledged"] += 1
                with book.lock:
                    book.acknowledged[one] = arn
                if name and not arn.endswith(f":{name}"):
                    book.fault(f"{name} was started as {arn}")
                return arn
        return None

    def end(self, one, arn):
        with self.book.lock:
            self.book.stop_asked.add(one)
        try:
            self.api("StopExecution", executionArn=arn, error="Fault", cause=one)
        except (Unknown, Unreached):
            return
        except Refused as refusal:
            self.book.fault(f"an acknowledged start cannot be stopped: {refusal}")
            return
        self.book.counts["stopped"] += 1
        with self.book.lock:
            self.book.stopped.add(one)

    def look(self, arn):
        try:
            events = self.api("GetExecutionHistory", executionArn=arn, maxResults=1000)["events"]
        except (Unknown, Unreached):
            return
        except Refused as refusal:
            self.book.fault(f"the history of an acknowledged start: {refusal}")
            return
        self.book.counts["read"] += 1
        with self.book.lock:
            self.book.read[arn] = events


def everything(api, machine, status=None):
    found, token = [], {}
    while True:
        page = patient(api, "ListExecutions", stateMachineArn=machine, maxResults=1000, **token, **({"statusFilter": status} if status else {}))
        found += page["executions"]
        if "nextToken" not in page:
            return found
        token = {"nextToken": page["nextToken"]}


def whole_history(api, arn):
    events, token = [], {}
    while True:
        page = patient(api, "GetExecutionHistory", executionArn=arn, maxResults=1000, **token)
        events += page["events"]
        if "nextToken" not in page:
            return events
        token = {"nextToken": page["nextToken"]}


ENDS = {"ExecutionSucceeded", "ExecutionFailed", "ExecutionAborted", "ExecutionTimedOut"}
OUTCOMES = {"TaskSucceeded", "TaskFailed", "TaskTimedOut"}


def judge_history(arn, events, before):
    """What is wrong with one history."""
    types = [event["type"] for event in events]
    if [event["id"] for event in events] != list(range(1, len(events) + 1)):
        yield f"{arn}: event ids are not dense: {[event['id'] for event in events]}"
    if types[0] != "ExecutionStarted" or [kind for kind in types if kind in ENDS] != types[-1:]:
        yield f"{arn}: it does not start or end once: {types}"
    if any(event["previousEventId"] >= event["id"] for event in events):
        yield f"{arn}: an event follows a later one"
    if before is not None and events[: len(before)] != before:
        yield f"{arn}: what was read before has changed"
    scheduled, outcomes = types.count("TaskScheduled"), sum(kind in OUTCOMES for kind in types)
    if outcomes > scheduled or (types[-1] == "ExecutionSucceeded" and outcomes != scheduled):
        yield f"{arn}: {scheduled} tasks were scheduled and {outcomes} ended"
    entered = {}
    for event in events:
        if event["type"] == "WaitStateEntered":
            entered[event["id"]] = event["timestamp"]
        if event["type"] == "WaitStateExited":
            since = entered.get(event["previousEventId"])
            if since is not None and event["timestamp"] - since < WAIT_SECONDS - 0.0005:
                yield f"{arn}: a wait was early: {event['timestamp'] - since} s"


def judge(api, machines, book, ledger):
    """Reads everything back. Returns how the executions ended."""
    ends = collections.Counter()
    seen = {}
    for kind, machine in machines.items():
        for listed in everything(api, machine):
            arn = listed["executionArn"]
            described = patient(api, "DescribeExecution", executionArn=arn)
            one = json.loads(described["input"])["id"]
            if one not in book.invoked or book.invoked[one] != kind:
                book.fault(f"{arn} is there, and nobody asked for it: {one}")
            if one in seen:
                book.fault(f"{one} was started once and is there twice: {seen[one][0]} and {arn}")
            seen[one] = (arn, described)
            ends[described["status"]] += 1
            for fault in judge_history(arn, whole_history(api, arn), book.read.get(arn)):
                book.fault(fault)
    for one, arn in book.acknowledged.items():
        if one not in seen or seen[one][0] != arn:
            book.fault(f"an acknowledged start is lost: {one} {arn}")
    for one, (arn, described) in seen.items():
        wanted = "ABORTED" if one in book.stopped or book.invoked[one] == "stays" else "SUCCEEDED"
        if described["status"] != wanted:
            book.fault(f"{arn} should be {wanted} and is {described['status']}: {described.get('error')} {described.get('cause')}")
    lines = collections.Counter(ledger.read_text().split("\n")[:-1] if ledger.exists() else [])
    for line, count in lines.items():
        if count > 1:
            book.fault(f"a script ran {count} times: {line}")
    for one, (arn, described) in seen.items():
        for state in TASKS_OF.get(book.invoked[one], []) if described["status"] == "SUCCEEDED" else []:
            if lines[f"begin {one} {state}"] != 1 or lines[f"end {one} {state}"] != 1:
                book.fault(f"{arn} succeeded, and its script {state} began {lines[f'begin {one} {state}']} times and ended {lines[f'end {one} {state}']} times")
    book.counts["scripts"] = sum(line.startswith("begin") for line in lines)
    return ends


def drain(api, machines, book):
    """Waits until nothing runs; what was meant to stay is stopped."""

    def running():
        return [one for kind, machine in machines.items() if kind != "stays" for one in everything(api, machine, "RUNNING")]

    for listed in everything(api, machines["stays"], "RUNNING"):
        patient(api, "StopExecution", executionArn=listed["executionArn"])
    end = time.monotonic() + DRAIN_SECONDS_MAX
    while left := running():
        if time.monotonic() > end:
            for one in left[:10]:
                kinds = [event["type"] for event in whole_history(api, one["executionArn"])]
                book.fault(f"{one['executionArn']} never ends: {kinds}")
            return
        time.sleep(0.2)


def plant(store, earlier, number, kills):
    """Keeps what is there after the last kill but one, and puts it back after the last."""
    if number == kills - 2:
        shutil.copytree(store, earlier)
    if number == kills - 1:
        shutil.rmtree(store)
        shutil.move(earlier, store)


def kill_servers(kills, seed, directory, planted=False):
    """The first part: the server dies, again and again."""
    chance, ledger, book = random.Random(seed), directory / "ledger", Book()
    server = harness.Server(directory / "server").start()
    agent = harness.agent(server, directory / "agent", INSTANCE)
    enough = threading.Event()
    ready = []
    try:
        server.wait_for_instance()
        api = Api(server)
        role = "arn:aws:iam::000000000000:role/faults"
        machines = {kind: api("CreateStateMachine", name=kind, definition=json.dumps(definition), roleArn=role)["stateMachineArn"]
                    for kind, definition in definitions(ledger).items()}
        clients = [Client(number, server, machines, book, f"{seed}/{number}", enough) for number in range(CLIENTS)]
        for client in clients:
            client.start()
        for number in range(kills):
            time.sleep(chance.choice([chance.uniform(0.0, 0.3), chance.uniform(0.3, 1.5)]))
            if not server.process.runs:
                book.fault(f"the server ended by itself before kill {number}: {server.process.tail()}")
            server.kill()
            if planted:
                plant(server.data / "store", directory / "earlier", number, kills)
            if chance.random() < 0.2:
                time.sleep(chance.uniform(0, 1))
            began = time.monotonic()
            server.start()
            ready.append(time.monotonic() - began)
            if not agent.runs:
                book.fault(f"the agent ended by itself: {agent.tail()}")
                break
        time.sleep(1)
        enough.set()
        for client in clients:
            client.join(60)
        ends = {}
        try:
            drain(api, machines, book)
            ends = judge(api, machines, book, ledger)
        except Refused as refusal:
            book.fault(f"what was there is not: {refusal}")
        server.stop()
        agent.stop()
    finally:
        enough.set()
        server.kill()
        agent.kill()
    if max(ready) > READY_SECONDS_MAX:
        book.fault(f"a restart took {max(ready):.1f} s")
    if not book.counts["acknowledged"] or not book.counts["scripts"] or (kills >= 50 and not book.counts["unknown"]):
        book.fault(f"this run shows nothing: {dict(book.counts)}")
    for log in (server.log, agent.log):
        if "panicked" in log.read_text(errors="replace"):
            book.fault(f"something panicked: {log}")
    print(f"server killed {kills} times; ready again after {sorted(ready)[len(ready) // 2]:.2f} s (median), {max(ready):.2f} s (longest)")
    print(f"  starts: {book.counts['acknowledged']} acknowledged, {book.counts['unknown']} without an answer, {book.counts['unreached']} not sent, "
          f"{book.counts['found']} found by name afterwards")
    print(f"  stops acknowledged: {book.counts['stopped']}; histories read while it ran: {book.counts['read']}; scripts run: {book.counts['scripts']}")
    print(f"  ends: {dict(ends)}")
    return book.faults


def kill_agents(kills, seed, directory):
    """The second part: the agent dies in the middle of a script."""
    chance, ledger, faults = random.Random(seed), directory / "ledger-agents", []
    server = harness.Server(directory / "server-agents").start()
    agent = harness.agent(server, directory / "agent-killed", INSTANCE)
    counts = collections.Counter()
    groups = []
    try:
        server.wait_for_instance()
        api = Api(server)
        command = f"States.Format('echo begin {{}} $PPID $$ >> {ledger}; sleep 2; echo end {{}} >> {ledger}', $$.Execution.Input.id, $$.Execution.Input.id)"
        state = task(ledger, "long", 0, {"End": True})
        state["Parameters"]["Parameters"]["commands.$"] = f"States.Array({command})"
        role = "arn:aws:iam::000000000000:role/faults"
        machine = api("CreateStateMachine", name="long", definition=json.dumps({"StartAt": "long", "States": {"long": state}}), roleArn=role)["stateMachineArn"]

        def lines(word, one):
            return [line.split() for line in (ledger.read_text().splitlines() if ledger.exists() else []) if line.split()[:2] == [word, one]]

        for number in range(kills):
            how = ["agent", "agent and supervisor", "agent and server"][number % 3]
            one = f"a{number}"
            arn = patient(api, "StartExecution", stateMachineArn=machine, name=one, input=json.dumps({"id": one}))["executionArn"]
            began = until(lambda one=one: lines("begin", one), 30, f"{one} did not begin")[0]
            time.sleep(chance.uniform(0, 1.5))
            agent.kill()
            if how == "agent and supervisor":
                os.kill(int(began[2]), signal.SIGKILL)
                groups.append(int(began[3]))
            if how == "agent and server":
                server.kill()
                server.start()
            time.sleep(chance.uniform(0, 3))
            agent = harness.agent(server, directory / "agent-killed", INSTANCE)

            def ended(arn=arn):
                described = patient(api, "DescribeExecution", executionArn=arn)
                return described if described["status"] != "RUNNING" else None

            described = until(ended, 90, f"{arn} does not learn what became of its script ({how} killed)")
            counts[f"{how}: {described['status']} {described.get('error', '')}".strip()] += 1
            if how != "agent and supervisor" and described["status"] != "SUCCEEDED":
                faults.append(f"{arn}: the script's supervisor lived on, and yet: {described['status']} {described.get('error')} {described.get('cause')}")
            if how == "agent and supervisor" and described["status"] == "SUCCEEDED" and not lines("end", one):
                faults.append(f"{arn} succeeded without its script's end")
            if described["status"] == "FAILED" and described["error"] != "Agent.Indeterminate":
                faults.append(f"{arn}: {described['error']} {described['cause']}")
            if len(lines("begin", one)) != 1 or len(lines("end", one)) > 1:
                faults.append(f"{arn}: its script began {len(lines('begin', one))} times and ended {len(lines('end', one))} times")
            faults += judge_history(arn, whole_history(api, arn), None)
        server.stop()
        agent.stop()
    finally:
        server.kill()
        agent.kill()
        for group in groups:
            try:
                os.killpg(group, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass
    print(f"agent killed {kills} times in the middle of a script: " + ", ".join(f"{count} x {how}" for how, count in sorted(counts.items())))
    return faults


def planted():
    """The judge, judged."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="dandori-faults-"))
    faults = kill_servers(3, "planted", directory, planted=True)
    shutil.rmtree(directory, ignore_errors=True)
    lost = [fault for fault in faults if "acknowledged start is lost" in fault]
    print(f"a store that lost what it had acknowledged was noticed: {len(faults)} faults, {len(lost)} of them lost starts" if lost else f"a loss was NOT noticed: {faults}")
    return 0 if lost else 1


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server-kills", type=int, default=200)
    parser.add_argument("--agent-kills", type=int, default=20)
    parser.add_argument("--seed", default=None)
    parser.add_argument("--planted", action="store_true")
    options = parser.parse_args()
    if options.planted:
        return planted()
    seed = options.seed or str(random.randrange(10**6))
    print(f"seed {seed}; again: faults.py --server-kills {options.server_kills} --agent-kills {options.agent_kills} --seed {seed}", flush=True)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="dandori-faults-"))
    began = time.monotonic()
    faults = kill_servers(options.server_kills, seed, directory) if options.server_kills else []
    sys.stdout.flush()
    faults += kill_agents(options.agent_kills, seed, directory) if options.agent_kills else []
    print(f"{len(faults)} faults in {time.monotonic() - began:.0f} s")
    for fault in faults[:40]:
        print(f"FAULT {fault}")
    if faults:
        print(f"logs and data were kept in {directory}")
        return 1
    shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
