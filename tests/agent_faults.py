"""Kills agents, hosts and the server at each moment of a command, cuts connections, sets clocks back, and judges what became of it.

    agent_faults.py --hosts 200 --server-kills 200 [--only agent,reboot,server,cut,clock] [--seed N]

Between each agent and the server stands a proxy that reads what they say, so that a fault comes at a moment and not near it:

  offered    the server has asked, and the agent has not heard it
  accepted   the agent has the offer on its disk and says so
  started    the script has begun, and the agent says so
  finished   the script has ended, and the agent says so

The message that tells the moment is let through or lost, by chance. The faults:

  agent      kill -9 of the agent; its supervisors live on
  reboot     kill -9 of everything on the host, and a new boot id
  server     kill -9 of the server
  cut        no connection for longer than the delivery timeout, than the time after which an agent is lost, and than the
             time after which the server gives up knowing
  clock      the clock of the host, and that of the server, goes back by an hour

Scripts write into a ledger when they begin and when they end. Afterwards these must hold, of every invocation:

  - its script began at most once
  - it is called succeeded only if its script ran to its end, once
  - if it began and did not end, it is called uncertain (`Agent.Indeterminate`, `Agent.Lost`), and nothing else
  - it is called uncertain only where something was lost: after a reboot while it ran, or a cut longer than the backstop
  - what is said not to have been delivered never began
"""

import argparse
import asyncio
import collections
import json
import os
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

import harness
from faults import Api, patient
from harness import until

MOMENTS = ["offered", "accepted", "started", "finished"]
# Which side says what tells the moment.
TOLD_BY = {"offered": ("server", "offer"), "accepted": ("agent", "accepted"), "started": ("agent", "started"), "finished": ("agent", "finished")}

DELIVERY_SECONDS = 30  # The least that Systems Manager takes.
EXECUTION_SECONDS = 5
LOST_SECONDS, BACKSTOP_SECONDS = 60, 120
SCRIPT_SECONDS = 0.4
LONG_SCRIPT_SECONDS = 3  # So that it still runs when many hosts are killed at once.
INSTANCES_MAX = 50  # That one command may name.

FAKETIME = pathlib.Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Proxies:
    """One thread with a loop, for the proxies of all hosts."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def run(self, what):
        return asyncio.run_coroutine_threadsafe(what, self.loop).result(30)


class Proxy:
    """Carries one agent's connections, and reads the messages."""

    def __init__(self, proxies, server):
        self.proxies, self.server = proxies, server
        self.heard = lambda side, kind: "pass"
        self.cut = False
        self.writers = set()
        self.port = proxies.run(self.listen())

    async def listen(self):
        listener = await asyncio.start_server(self.carry, "127.0.0.1", 0)
        return listener.sockets[0].getsockname()[1]

    async def carry(self, reader, writer):
        if self.cut:
            writer.close()
            return
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self.server.port)
        except OSError:
            writer.close()
            return
        self.writers |= {writer, back}
        await asyncio.gather(self.one_way("agent", reader, back), self.one_way("server", there, writer), return_exceptions=True)
        for each in (writer, back):
            self.writers.discard(each)
            each.close()

    async def one_way(self, side, reader, writer):
        try:
            writer.write(await reader.readuntil(b"\r\n\r\n"))
            while True:
                frame, text = await self.frame(reader)
                for kind in kinds(text):
                    if self.heard(side, kind) == "lose":
                        return
                writer.write(frame)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()

    @staticmethod
    async def frame(reader):
        head = await reader.readexactly(2)
        length, more = head[1] & 0x7F, b""
        if length >= 126:
            more = await reader.readexactly(2 if length == 126 else 8)
            length = int.from_bytes(more, "big")
        mask = await reader.readexactly(4) if head[1] & 0x80 else b""
        body = await reader.readexactly(length)
        text = bytes(byte ^ mask[at % 4] for at, byte in enumerate(body[:4000])) if mask else body
        return head + more + mask + body, text if head[0] & 0x0F == 1 else b""

    def sever(self):
        """Ends every connection, now."""

        def close():
            for writer in list(self.writers):
                writer.transport.abort()

        self.proxies.loop.call_soon_threadsafe(close)


def kinds(text):
    """The type of a message, and that of the one inside of a signed one."""
    head = text[:400].replace(b'\\"', b'"')
    return [part.split(b'"', 1)[0].decode(errors="replace") for part in head.split(b'"type":"')[1:]]


class Host:
    """One agent with its journal, its proxy and its ledger."""

    def __init__(self, number, server, proxies, directory):
        self.number, self.server = number, server
        self.data, self.ledger = directory / f"host-{number}", directory / f"ledger-{number}"
        self.boot, self.clock = directory / f"boot-{number}", directory / f"clock-{number}"
        self.proxy = Proxy(proxies, server)
        self.boots, self.process, self.instance = 0, None, f"mi-{number:017d}"
        self.new_boot()
        self.clock.write_text("+0s")

    def new_boot(self):
        self.boots += 1
        self.boot.write_text(f"00000000-0000-4000-8000-{self.number:06d}{self.boots:06d}\n")

    def start(self, fake_clock=False):
        agent = [harness.BINARY, "agent", "--server", f"http://127.0.0.1:{self.proxy.port}", "--data", str(self.data), "--instance-id", self.instance]
        # The host's boot id is seen by the agent and by all that it starts.
        inside = f'mount --bind {self.boot} {BOOT_ID} && exec "$@"'
        variables = faked(self.clock) if fake_clock else {}
        self.process = harness.Process(["unshare", "-m", "sh", "-c", inside, "sh", *agent], self.data.parent / "agents.log", harness.environment(**variables))

    def kill_agent(self):
        self.process.kill()

    def kill_all(self):
        """Everything on this host at once, as when its power fails: nobody starts anything while we look who is there."""
        self.process.send(signal.SIGSTOP)
        there = descendants(self.process.child.pid)
        self.kill_agent()
        for pid in there:
            try:
                os.kill(pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                pass

    def lines(self):
        return collections.Counter(self.ledger.read_text().split("\n")[:-1] if self.ledger.exists() else [])


def descendants(pid):
    """Supervisors are an agent's children, and scripts theirs."""
    found, left = [], [pid]
    while left:
        for task in pathlib.Path(f"/proc/{left.pop()}/task").glob("*/children"):
            try:
                children = [int(child) for child in task.read_text().split()]
            except OSError:
                continue
            found += children
            left += children
    return found


def faked(clock):
    return {"LD_PRELOAD": str(FAKETIME), "FAKETIME_TIMESTAMP_FILE": str(clock), "FAKETIME_NO_CACHE": "1", "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


class Moment:
    """Does something once, when a host's agent and the server are at a moment of the command."""

    def __init__(self, host, moment, chance, act):
        self.side, self.kind = TOLD_BY[moment]
        self.lose, self.act, self.lock, self.done = chance.random() < 0.5, act, threading.Lock(), False
        if moment == "offered":
            self.lose = True
        host.proxy.heard = self.heard

    def heard(self, side, kind):
        if (side, kind) != (self.side, self.kind):
            return "pass"
        with self.lock:
            if self.done:
                return "pass"
            self.done = True
        threading.Thread(target=self.act, daemon=True).start()
        return "lose" if self.lose else "pass"


class Judge:
    def __init__(self, api):
        self.api, self.faults, self.counts = api, [], collections.Counter()

    def send(self, hosts, what, script_seconds=SCRIPT_SECONDS):
        """One command to all of them, in as many commands as it takes. Returns the ids by instance."""
        ids = {}
        for first in range(0, len(hosts), INSTANCES_MAX):
            some = [host.instance for host in hosts[first : first + INSTANCES_MAX]]
            directory = hosts[0].data.parent
            ledger = "case $AWS_SSM_INSTANCE_ID in " + " ".join(f"{host.instance}) L={directory}/ledger-{host.number};;" for host in hosts if host.instance in some) + " esac"
            commands = [ledger, f"echo begin $DANDORI_ATTEMPT >> $L; sleep {script_seconds}; echo end $DANDORI_ATTEMPT >> $L"]
            sent = patient(self.api, "SendCommand", service="ssm", InstanceIds=some, DocumentName="AWS-RunShellScript", TimeoutSeconds=DELIVERY_SECONDS,
                           MaxErrors="100%", Parameters={"commands": commands, "executionTimeout": [str(EXECUTION_SECONDS)]}, Comment=what)["Command"]
            ids |= dict.fromkeys(some, sent["CommandId"])
        return ids

    def ended(self, ids, seconds, what):
        """The invocations, once all have ended."""
        found, end = {}, time.monotonic() + seconds
        while True:
            for command in set(ids.values()):
                for one in listed(self.api, command):
                    if one["Status"] not in ("Pending", "InProgress", "Delayed", "Cancelling"):
                        found[one["InstanceId"]] = one
            if len(found) == len(ids):
                return found
            if time.monotonic() > end:
                for instance in sorted(set(ids) - set(found))[:5]:
                    self.faults.append(f"{what}: {instance} {ids[instance]} has not ended after {seconds} s")
                return found
            time.sleep(0.2)

    def judge(self, hosts, ids, found, what, may_be_uncertain):
        for host in hosts:
            if host.instance not in found:
                continue
            lines, attempt = host.lines(), f"{ids[host.instance]}.{host.instance}.1"
            begun, done = lines[f"begin {attempt}"], lines[f"end {attempt}"]
            one = patient(self.api, "GetCommandInvocation", service="ssm", CommandId=ids[host.instance], InstanceId=host.instance)
            status, words = one["StatusDetails"], one["StandardErrorContent"].split(":")[0]
            uncertain = words in ("Agent.Indeterminate", "Agent.Lost")
            said = f"{what}: {host.instance} {ids[host.instance]} is {status} {words}; its script began {begun} times and ended {done} times"
            self.counts[f"{what}: {status}" + (f" {words}" if words else "")] += 1
            right = {
                "Success": begun == 1 and done == 1,
                "DeliveryTimedOut": begun == 0,
                "Failed": uncertain and may_be_uncertain and begun <= 1,
            }.get(status, False)
            if begun > 1 or not right or (begun and not done and not uncertain):
                self.faults.append(said)


def listed(api, command):
    token = {}
    while True:
        page = patient(api, "ListCommandInvocations", service="ssm", CommandId=command, MaxResults=50, **token)
        yield from page["CommandInvocations"]
        if not page.get("NextToken"):
            return
        token = {"NextToken": page["NextToken"]}


class Field:
    """A server, its hosts, and the chance that decides."""

    def __init__(self, directory, hosts, seed, fake_clock=False):
        directory.mkdir(parents=True)
        self.directory, self.chance, self.fake_clock = directory, random.Random(seed), fake_clock
        self.server_clock = directory / "clock-server"
        self.server_clock.write_text("+0s")
        self.server = harness.Server(directory / "server", env=harness.environment(**faked(self.server_clock)) if fake_clock else None).start()
        proxies = Proxies()
        self.hosts = [Host(number, self.server, proxies, directory) for number in range(hosts)]
        self.judge = Judge(Api(self.server))
        for host in self.hosts:
            host.start(fake_clock)
        self.online(len(self.hosts))

    def online(self, count, seconds=120):
        def question():
            token, online = {}, 0
            while True:
                page = patient(self.judge.api, "DescribeInstanceInformation", service="ssm", MaxResults=50, **token)
                online += sum(one["PingStatus"] == "Online" for one in page["InstanceInformationList"])
                if not page.get("NextToken"):
                    return online >= count
                token = {"NextToken": page["NextToken"]}

        until(question, seconds, lambda: f"not all of {count} agents are online: {(self.directory / 'agents.log').read_text(errors='replace')[-2000:]}", pause=0.3)

    def round(self, what, prepare, seconds, may_be_uncertain=False, hosts=None, script_seconds=SCRIPT_SECONDS):
        hosts = hosts or self.hosts
        for host in hosts:
            prepare(host)
        ids = self.judge.send(hosts, what, script_seconds)
        found = self.judge.ended(ids, seconds, what)
        self.judge.judge(hosts, ids, found, what, may_be_uncertain)
        for host in hosts:
            host.proxy.heard = lambda side, kind: "pass"

    def close(self):
        for host in self.hosts:
            host.kill_all()
        self.server.kill()
        for log in [self.server.log, self.directory / "agents.log"]:
            if "panicked" in log.read_text(errors="replace"):
                self.judge.faults.append(f"something panicked: {log}")


def agents_die(field):
    for moment in MOMENTS:

        def prepare(host, moment=moment):
            def act():
                host.kill_agent()
                time.sleep(field.chance.uniform(0, 1))
                host.start()

            Moment(host, moment, field.chance, act)

        seconds = LONG_SCRIPT_SECONDS if moment == "started" else SCRIPT_SECONDS
        field.round(f"agent killed when {moment}", prepare, 90, script_seconds=seconds)
        field.online(len(field.hosts))


def hosts_reboot(field):
    for moment in MOMENTS:

        def prepare(host, moment=moment):
            def act():
                host.kill_all()
                host.new_boot()
                time.sleep(field.chance.uniform(0, 1))
                host.start()

            Moment(host, moment, field.chance, act)

        # Between "it may begin" and "it has begun" nobody can know: an accepted one may be on its way too.
        seconds = LONG_SCRIPT_SECONDS if moment == "started" else SCRIPT_SECONDS
        field.round(f"host rebooted when {moment}", prepare, 120, may_be_uncertain=moment in ("accepted", "started"), script_seconds=seconds)
        field.online(len(field.hosts))


def server_dies(field, at_a_time=8):
    for moment in MOMENTS:
        for number in range(server_dies.kills):
            some = field.chance.sample(field.hosts, min(at_a_time, len(field.hosts)))
            once, dead = threading.Lock(), threading.Event()

            def act():
                if once.acquire(blocking=False):
                    field.server.kill()
                    field.server.start()
                    dead.set()

            for_all = lambda host, moment=moment: Moment(host, moment, field.chance, act)  # noqa: E731
            field.round(f"server killed when {moment}", for_all, 60, hosts=some)
            if not dead.wait(20):
                field.judge.faults.append(f"the server was not killed in round {number} of {moment}")


def connections_are_cut(field):
    lengths = {"the delivery timeout": DELIVERY_SECONDS + 5, "the time to be lost": LOST_SECONDS + 10,
               "the backstop": DELIVERY_SECONDS + EXECUTION_SECONDS + BACKSTOP_SECONDS + 15}
    for name, seconds in lengths.items():

        def prepare(host, seconds=seconds):
            def act():
                host.proxy.cut = True
                host.proxy.sever()
                time.sleep(seconds)
                host.proxy.cut = False

            Moment(host, field.chance.choice(MOMENTS), field.chance, act)

        field.round(f"cut for longer than {name}", prepare, seconds + 120, may_be_uncertain=name == "the backstop")
        field.online(len(field.hosts))


def clocks_go_back(field):
    for moment in MOMENTS:

        def prepare(host, moment=moment):
            Moment(host, moment, field.chance, lambda: host.clock.write_text("-3600s"))
            host.clock.write_text("+0s")

        field.round(f"the host's clock set back when {moment}", prepare, 90)
    for host in field.hosts:
        host.clock.write_text("+0s")
    for moment in MOMENTS:
        back = lambda: field.server_clock.write_text("-3600s")  # noqa: E731
        field.server_clock.write_text("+0s")
        field.round(f"the server's clock set back when {moment}", lambda host, moment=moment: Moment(host, moment, field.chance, back), 90)
    for clock in (field.server_clock, field.hosts[0].clock):
        clock.write_text("-3600s")
        told = int(subprocess.run(["date", "+%s"], env=harness.environment(**faked(clock)), capture_output=True, text=True, check=True).stdout)
        if time.time() - told < 3000:
            field.judge.faults.append("clocks were not set back: this run shows nothing")


def main():
    parser = argparse.ArgumentParser(description="kills agents, hosts and the server at each moment of a command, and judges what became of it")
    parser.add_argument("--hosts", type=int, default=200, help="each fault but the server's comes once to each of so many")
    parser.add_argument("--server-kills", type=int, default=200, help="of the server, at each moment")
    parser.add_argument("--only", default="agent,reboot,server,cut,clock")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    only = options.only.split(",")
    directory = pathlib.Path(tempfile.mkdtemp(prefix="dandori-agent-faults-"))
    print(f"seed {options.seed}, in {directory}", flush=True)
    faults, began = [], time.monotonic()

    def field(name, hosts, fake_clock, *works):
        if not works:
            return
        one = Field(directory / name, hosts, options.seed, fake_clock)
        try:
            for work in works:
                before = time.monotonic()
                work(one)
                print(f"  {work.__name__.replace('_', ' ')}: {time.monotonic() - before:.0f} s", flush=True)
        except AssertionError as error:
            one.judge.faults.append(str(error))
        finally:
            one.close()
        for what, count in sorted(one.judge.counts.items()):
            print(f"  {count:5} x {what}", flush=True)
        faults.extend(one.judge.faults)

    if os.geteuid() != 0 or subprocess.run(["unshare", "-m", "true"], check=False).returncode != 0:
        print("needs root and mount namespaces, for boot ids of the test's own")
        return 2
    whole = {"agent": agents_die, "reboot": hosts_reboot, "cut": connections_are_cut}
    field("hosts", options.hosts, False, *(work for name, work in whole.items() if name in only))
    if "server" in only and options.server_kills:
        server_dies.kills = options.server_kills
        field("server-kills", min(24, options.hosts), False, server_dies)
    if "clock" in only:
        if FAKETIME.exists():
            field("clocks", options.hosts, True, clocks_go_back)
        else:
            print(f"  {FAKETIME} is not there (package faketime), so clocks are NOT set back here")
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
