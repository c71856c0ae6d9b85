"""Many agents on one server: a command to all of them by tag, and more work than each may take at a time.

    many_agents.py --agents 200 [--seed N]

Each agent is a process with a registration, a key and a journal of its own. Scripts write into ledgers when they begin and when they
end. Printed is how long each part took; what fails is whatever is not exact:

  1. to all by tag, MaxConcurrency 10 %, MaxErrors 5, 3 % failing: one error more than allowed ends the sending. Every invocation
     that was sent has the status of its script, the rest are Terminated and never ran; the counts add up; no more ran at a time than 10 %
  2. the same with MaxErrors higher than there are errors: everything runs, and the command is incomplete; without errors it succeeds
  3. several commands to every agent, with a limit of two scripts at a time on each: no agent is ever over its limit
"""

import argparse
import collections
import concurrent.futures
import pathlib
import random
import shutil
import sys
import tempfile
import time

import harness
from harness import until

OPEN = ("Pending", "InProgress", "Delayed", "Cancelling")
LIMIT_PER_AGENT = 2


class Crowd:
    def __init__(self, directory, count):
        self.directory, self.ledger, self.faults = directory, directory / "ledger", []
        self.server = harness.Server(directory / "server").start()
        self.ssm = self.server.client("ssm")
        self.agents, self.instances = [], []
        activation = self.ssm.create_activation(IamRole="role", RegistrationLimit=count, Tags=[{"Key": "Crowd", "Value": "all"}])
        directories = [directory / f"agent-{number}" for number in range(count)]
        began = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            self.instances = list(pool.map(lambda data: harness.register(self.server, data, activation), directories))
        registered = time.monotonic()
        for data in directories:
            self.agents.append(harness.agent(self.server, data, options=["--concurrency", LIMIT_PER_AGENT]))
        until(lambda: self.online() == count, 120, lambda: f"{self.online()} of {count} agents are online", pause=0.2)
        print(f"{count} agents: registered in {registered - began:.1f} s, online {time.monotonic() - registered:.1f} s after their start", flush=True)

    def online(self):
        pages = self.ssm.get_paginator("describe_instance_information").paginate(Filters=[{"Key": "PingStatus", "Values": ["Online"]}])
        return sum(len(page["InstanceInformationList"]) for page in pages)

    def fault(self, text):
        self.faults.append(text)

    def close(self):
        for agent in self.agents:
            agent.kill()
        self.server.kill()
        if "panicked" in self.server.log.read_text(errors="replace"):
            self.fault("the server panicked")

    def send(self, script, **more):
        return self.ssm.send_command(Targets=[{"Key": "tag:Crowd", "Values": ["all"]}], DocumentName="AWS-RunShellScript",
                                     Parameters={"commands": script, "executionTimeout": ["60"]}, **more)["Command"]["CommandId"]

    def ended(self, command, seconds=180):
        def question():
            (one,) = self.ssm.list_commands(CommandId=command)["Commands"]
            return one if one["Status"] not in OPEN else None

        return until(question, seconds, f"{command} did not end", pause=0.1)

    def invocations(self, command):
        pages = self.ssm.get_paginator("list_command_invocations").paginate(CommandId=command)
        return {one["InstanceId"]: one for page in pages for one in page["CommandInvocations"]}

    def lines(self):
        """What the scripts wrote: (nanosecond, word, command, instance), in the order of time."""
        found = [line.split() for line in self.ledger.read_text().split("\n")[:-1]] if self.ledger.exists() else []
        return sorted((int(at), word, attempt.split(".")[0], instance) for at, word, attempt, instance in found)


def script(ledger, seconds, failing=()):
    """Writes its lines whole: they are short, and the file is opened for appending."""
    say = f'say() {{ echo "$(date +%s%N) $1 $DANDORI_ATTEMPT $AWS_SSM_INSTANCE_ID" >> {ledger}; }}'
    fails = f'case $AWS_SSM_INSTANCE_ID in {"|".join(failing) or "none"}) exit 7;; esac'
    return [say, "say begin", f"sleep {seconds}", "say end", fails]


def at_a_time(lines, key):
    """The most that ran at a time, for each key."""
    running, most = collections.Counter(), collections.Counter()
    for _, word, command, instance in lines:
        of = key(command, instance)
        running[of] += 1 if word == "begin" else -1
        most[of] = max(most[of], running[of])
    return most


def to_all(crowd, errors_max, failing):
    count, allowed = len(crowd.instances), max(1, len(crowd.instances) // 10)
    began = time.monotonic()
    command = crowd.send(script(crowd.ledger, 0.2, failing), MaxConcurrency="10%", MaxErrors=str(errors_max), Comment=f"errors {errors_max}")
    ended = crowd.ended(command)
    took = time.monotonic() - began
    found = crowd.invocations(command)
    details = collections.Counter(one["StatusDetails"] for one in found.values())
    lines = [line for line in crowd.lines() if line[2] == command]
    begun = collections.Counter(instance for _, word, _, instance in lines if word == "begin")
    print(f"  to all, MaxErrors {errors_max}, {len(failing)} of {count} failing: {took:.1f} s, {ended['StatusDetails']}, {dict(details)}, "
          f"at most {at_a_time(lines, lambda command, _: command)[command]} at a time (allowed: {allowed})", flush=True)
    if set(found) != set(crowd.instances) or ended["TargetCount"] != count:
        crowd.fault(f"{len(found)} invocations and TargetCount {ended['TargetCount']} instead of {count}")
    for instance, one in found.items():
        wanted = "Terminated" if not begun[instance] else "Failed" if instance in failing else "Success"
        if begun[instance] > 1 or one["StatusDetails"] != wanted:
            crowd.fault(f"{instance} is {one['StatusDetails']} and ran {begun[instance]} times; it should be {wanted}")
    if ended["CompletedCount"] != count or ended["ErrorCount"] != details["Failed"]:
        crowd.fault(f"CompletedCount {ended['CompletedCount']} of {count}, ErrorCount {ended['ErrorCount']} of {details['Failed']}")
    if at_a_time(lines, lambda command, _: command)[command] > allowed:
        crowd.fault(f"more than {allowed} ran at a time")
    over = details["Failed"] > errors_max
    # "The value of MaxErrors or more command invocations shows a status of Failed"; with fewer it is incomplete.
    wanted = "Failed" if details["Failed"] >= max(1, errors_max) else "Incomplete" if details["Failed"] else "Success"
    if ended["StatusDetails"] != wanted or bool(details["Terminated"]) and not over:
        crowd.fault(f"with {details['Failed']} errors of {errors_max} allowed it is {ended['StatusDetails']}, and {details['Terminated']} were not sent")
    if over and len(failing) > errors_max and details["Failed"] - errors_max > allowed:
        crowd.fault(f"{details['Failed']} failed: more than ran at a time went on after the last error allowed")


def more_than_each_may_take(crowd, commands=4):
    began = time.monotonic()
    ids = [crowd.send(script(crowd.ledger, 0.3), MaxConcurrency="100%") for _ in range(commands)]
    statuses = collections.Counter(crowd.ended(one)["StatusDetails"] for one in ids)
    lines = [line for line in crowd.lines() if line[2] in ids]
    most = at_a_time(lines, lambda _, instance: instance)
    print(f"  {commands} commands to each of {len(crowd.instances)}: {time.monotonic() - began:.1f} s, {dict(statuses)}, {len(lines) // 2} scripts, "
          f"at most {max(most.values())} at a time on an agent (limit {LIMIT_PER_AGENT})", flush=True)
    if statuses != {"Success": commands} or len(lines) != 2 * commands * len(crowd.instances):
        crowd.fault(f"{dict(statuses)}, {len(lines)} lines")
    if max(most.values()) > LIMIT_PER_AGENT:
        crowd.fault(f"an agent ran {max(most.values())} scripts at a time")


def memory(crowd):
    """Resident memory of an idle agent and of the server, in MiB."""
    def of(process):
        text = pathlib.Path(f"/proc/{process.child.pid}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0]) / 1024

    agents = sorted(of(agent) for agent in crowd.agents)
    print(f"  memory: an agent {agents[len(agents) // 2]:.1f} MiB (median), {agents[-1]:.1f} MiB (most); the server {of(crowd.server.process):.0f} MiB", flush=True)


def main():
    parser = argparse.ArgumentParser(description="many agents on one server")
    parser.add_argument("--agents", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    directory = pathlib.Path(tempfile.mkdtemp(prefix="dandori-many-"))
    print(f"seed {options.seed}, in {directory}", flush=True)
    crowd = Crowd(directory, options.agents)
    try:
        failing = random.Random(options.seed).sample(crowd.instances, max(1, options.agents * 3 // 100))
        allowed = min(5, len(failing) - 1)
        to_all(crowd, allowed, failing)
        to_all(crowd, len(failing) + 1, failing)
        to_all(crowd, 0, [])
        more_than_each_may_take(crowd)
        memory(crowd)
    except AssertionError as error:
        crowd.fault(str(error))
    finally:
        crowd.close()
    print(f"{len(crowd.faults)} faults")
    for fault in crowd.faults[:40]:
        print(f"FAULT {fault}")
    if crowd.faults:
        print(f"logs and data were kept in {directory}")
        return 1
    shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
