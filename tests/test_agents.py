"""Agents as operators see them: names, groups, limits and drain, with real agents and through kills."""

import json
import signal

import pytest

import harness
from harness import Server, until

FIRST, SECOND = "mi-00000000000000001", "mi-00000000000000002"


class Fleet:
    """A server of its own with two agents, and what each script wrote down."""

    def __init__(self, directories, count=2, options=()):
        self.directory = directories.make("agents")
        self.server = Server(self.directory / "server").start()
        self.ids = [FIRST, SECOND][:count]
        self.options, self.agents = options, {}
        self.ledger = self.directory / "ledger"
        self.ledger.touch()
        self.ssm = self.server.client("ssm")
        for instance in self.ids:
            self.start(instance)

    def start(self, instance):
        self.agents[instance] = harness.agent(self.server, self.directory / instance, instance, options=self.options)
        self.server.wait_for_instance(instance_id=instance)

    def dandori(self, *arguments, code=0):
        """Our command line; what it printed as JSON, if it printed any."""
        ran = self.server.dandori(*arguments, "--output", "json")
        assert ran.returncode == code, (arguments, ran.returncode, ran.stdout, ran.stderr)
        return json.loads(ran.stdout) if ran.stdout.strip() else ran.stderr

    def send(self, *lines, instance=None, agent=None, group=None, **more):
        """A script between two lines of the ledger: `begin HOST ID` and `end HOST ID`."""
        script = [f'echo "begin $$" >>{self.ledger}', *lines, f'echo "end $$" >>{self.ledger}']
        target = {"InstanceIds": [instance]} if instance else {"Targets": [{"Key": "dandori:Agent", "Values": [agent]} if agent else {"Key": "dandori:AgentGroup", "Values": [group]}]}
        return self.ssm.send_command(DocumentName="AWS-RunShellScript", Parameters={"commands": script}, **target, **more)["Command"]["CommandId"]

    def invocation(self, command):
        (one,) = self.ssm.list_command_invocations(CommandId=command)["CommandInvocations"]
        return one

    def status(self, command):
        return self.invocation(command)["Status"]

    def succeeded(self, command, seconds=30):
        until(lambda: self.status(command) not in ("Pending", "InProgress", "Delayed"), seconds, lambda: f"{command} did not end: {self.status(command)}")
        assert self.status(command) == "Success"
        return self.invocation(command)["InstanceId"]

    def runs(self, command):
        until(lambda: self.status(command) == "InProgress", 20, lambda: f"{command} does not run: {self.status(command)}")
        return self.invocation(command)["InstanceId"]

    def waits(self, agent):
        """Why each command waits for an agent."""
        return {one["command"]: one["why"] for one in self.dandori("instance", "show", agent)["pending"]}

    def most_at_a_time(self):
        running, most = set(), 0
        for line in self.ledger.read_text().splitlines():
            what, script = line.split()
            running.add(script) if what == "begin" else running.discard(script)
            most = max(most, len(running))
        return most

    def close(self):
        for process in (*self.agents.values(), self.server.process):
            if process.runs:
                process.stop()


@pytest.fixture
def fleet(directories):
    fleet = Fleet(directories)
    yield fleet
    fleet.close()


def until_there(path):
    """Goes on once this file is there."""
    return f"while ! test -e {path}; do sleep 0.05; done"


def test_agents_are_listed_with_what_they_do(fleet, tmp_path):
    gate = tmp_path / "gate"
    fleet.dandori("name", "set", "web", "--instance", FIRST, "--description", "夜間")
    fleet.dandori("group", "put", "pool", "--member", "web:3", "--member", SECOND)
    command = fleet.send(until_there(gate), instance=FIRST)
    fleet.runs(command)
    listed = {one["id"]: one for one in fleet.dandori("instance", "list")}
    first, second = listed[FIRST], listed[SECOND]
    assert (first["status"], first["names"], first["groups"], first["running"], first["queued"], first["limit"]) == ("up", ["web"], ["pool"], 1, 0, 5)
    assert (second["status"], second["names"], second["groups"], second["running"]) == ("up", [], ["pool"], 0)
    assert fleet.dandori("name", "list") == [{"name": "web", "instance_id": FIRST, "description": "夜間", "restriction": "effective"}]
    assert fleet.dandori("group", "show", "pool") == {"name": "pool", "members": [{"agent": "web", "priority": 3}, {"agent": SECOND, "priority": 16}], "policy": "balance"}
    gate.touch()
    fleet.succeeded(command)
    assert "web" in fleet.server.dandori("instance", "list", "--lang", "ja").stdout


def test_what_is_drained_finishes_and_holds_what_comes(fleet, tmp_path):
    gate = tmp_path / "gate"
    running = fleet.send(until_there(gate), instance=FIRST)
    fleet.runs(running)
    assert "--dry-run" in fleet.server.dandori("instance", "drain", FIRST, "--dry-run").stderr
    assert fleet.dandori("instance", "show", FIRST)["status"] == "up"
    fleet.dandori("instance", "drain", FIRST, "--reason", "パッチ適用")
    held = fleet.send(instance=FIRST)
    until(lambda: fleet.waits(FIRST) == {held: "drained"}, 10, lambda: fleet.waits(FIRST))
    shown = fleet.dandori("instance", "show", FIRST)
    assert (shown["status"], shown["drained"]["reason"], shown["running"], shown["queued"]) == ("draining", "パッチ適用", 1, 1)
    gate.touch()
    fleet.succeeded(running)
    assert fleet.status(held) == "Pending"
    fleet.dandori("instance", "resume", FIRST)
    fleet.succeeded(held)
    assert fleet.waits(FIRST) == {}


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_what_was_set_survives_the_server(fleet, how):
    fleet.dandori("name", "set", "web", "--instance", FIRST, "--restriction", "hold")
    fleet.dandori("group", "put", "pool", "--member", "web", "--limit", "1", "--policy", "failover")
    fleet.dandori("instance", "drain", SECOND)
    held = [fleet.send(instance=FIRST), fleet.send(instance=SECOND)]
    before = [fleet.dandori("name", "list"), fleet.dandori("group", "list")]
    getattr(fleet.server, how)()
    fleet.server.start()
    assert [fleet.dandori("name", "list"), fleet.dandori("group", "list")] == before
    for instance in (FIRST, SECOND):
        fleet.server.wait_for_instance(instance_id=instance)
        assert fleet.dandori("instance", "show", instance)["status"] == "draining"
    assert [fleet.status(one) for one in held] == ["Pending", "Pending"]
    until(lambda: (fleet.waits("web"), fleet.waits(SECOND)) == ({held[0]: "held"}, {held[1]: "drained"}), 10)
    fleet.dandori("name", "set", "web", "--restriction", "effective")
    fleet.dandori("instance", "resume", SECOND)
    assert [fleet.succeeded(one) for one in held] == [FIRST, SECOND]


def test_an_agent_that_is_away_is_said_to_be(fleet):
    fleet.agents[FIRST].kill()
    command = fleet.send(instance=FIRST)
    until(lambda: fleet.waits(FIRST) == {command: "offline"}, 10)
    assert fleet.dandori("instance", "show", FIRST)["status"] == "stale"
    fleet.start(FIRST)
    fleet.succeeded(command)


def test_refusals_have_codes_and_exit_codes(fleet):
    for code, arguments, said in [
        (3, ("instance", "show", "nobody"), "DN0322"),
        (3, ("instance", "drain", "mi-00000000000000009"), "DN0303"),
        (3, ("group", "show", "none"), "DN0321"),
        (3, ("name", "set", "web", "--restriction", "hold"), "DN0322"),
        (3, ("group", "put", "pool", "--member", "nobody"), "DN0322"),
        (10, ("group", "put", "pool", "--member", f"{FIRST}:17"), "DN0506"),
        (10, ("group", "put", "pool"), "DN0506"),
        (10, ("name", "set", SECOND, "--instance", FIRST), "DN0503"),
        (2, ("instance", "limit", FIRST), ""),
        (2, ("instance", "limit", FIRST, "0"), ""),
        (2, ("instance", "remove", FIRST), "DN0106"),
    ]:
        assert said in fleet.dandori(*arguments, code=code), arguments
    fleet.dandori("name", "set", "web", "--instance", FIRST)
    fleet.dandori("group", "put", "pool", "--member", "web")
    assert "DN0422" in fleet.dandori("name", "delete", "web", code=6)
    assert "DN0421" in fleet.dandori("group", "put", "web", "--member", SECOND, code=6)
    fleet.dandori("group", "delete", "pool")
    fleet.dandori("name", "delete", "web")


def test_what_is_removed_is_not_let_in_again(fleet):
    fleet.dandori("instance", "remove", SECOND, "--yes", "--dry-run")
    fleet.dandori("instance", "remove", SECOND, "--yes", "--reason", "廃棄")
    assert [one["id"] for one in fleet.dandori("instance", "list")] == [FIRST]
    assert "DN0303" in fleet.dandori("instance", "show", SECOND, code=3)


def test_an_agent_is_never_over_its_limit(fleet, tmp_path):
    gate = tmp_path / "gate"
    fleet.dandori("instance", "limit", FIRST, "2", "--reason", "夜間")
    commands = [fleet.send(until_there(gate), instance=FIRST) for _ in range(6)]
    until(lambda: fleet.dandori("instance", "show", FIRST)["running"] == 2, 10)
    shown = fleet.dandori("instance", "show", FIRST)
    assert (shown["limit"], shown["limit_set"], shown["queued"]) == (2, 2, 4)
    assert set(fleet.waits(FIRST).values()) == {"at_limit"}
    gate.touch()
    for command in commands:
        fleet.succeeded(command)
    assert fleet.most_at_a_time() == 2
    gate.unlink()
    more = [fleet.send(until_there(gate), instance=FIRST) for _ in range(5)]
    until(lambda: fleet.dandori("instance", "show", FIRST)["running"] == 2, 10)
    fleet.dandori("instance", "limit", FIRST, "--unset")
    until(lambda: fleet.dandori("instance", "show", FIRST)["running"] == 5, 10)
    gate.touch()
    for command in more:
        fleet.succeeded(command)


def test_a_group_gives_its_jobs_to_the_freer(fleet, tmp_path):
    gate = tmp_path / "gate"
    fleet.dandori("group", "put", "pool", "--member", FIRST, "--member", SECOND)
    busy = [fleet.send(until_there(gate), instance=FIRST) for _ in range(3)]
    for command in busy:
        fleet.runs(command)
    jobs = [fleet.send(until_there(gate), group="pool") for _ in range(5)]
    places = [fleet.runs(command) for command in jobs]
    assert (places[:3], sorted(places[3:])) == ([SECOND] * 3, [FIRST, SECOND]), places
    gate.touch()
    for command in (*busy, *jobs):
        fleet.succeeded(command)


def test_a_group_goes_by_priority_past_who_is_away_or_drained(fleet):
    fleet.dandori("group", "put", "pool", "--member", f"{FIRST}:16", "--member", f"{SECOND}:1", "--policy", "failover")
    assert fleet.succeeded(fleet.send(group="pool")) == FIRST
    fleet.dandori("instance", "drain", FIRST)
    assert fleet.succeeded(fleet.send(group="pool")) == SECOND
    fleet.dandori("instance", "resume", FIRST)
    assert fleet.succeeded(fleet.send(group="pool")) == FIRST
    fleet.agents[FIRST].kill()
    until(lambda: fleet.dandori("instance", "show", FIRST)["status"] == "stale", 10)
    assert fleet.succeeded(fleet.send(group="pool")) == SECOND


def test_what_was_not_accepted_goes_to_the_next(fleet):
    """Who was asked keeps silent, and is killed before it accepts: the job runs once, on the other."""
    fleet.dandori("group", "put", "pool", "--member", f"{FIRST}:16", "--member", f"{SECOND}:1", "--policy", "failover")
    fleet.agents[FIRST].send(signal.SIGSTOP)
    command = fleet.send(group="pool")
    until(lambda: command in fleet.waits(FIRST), 10)
    fleet.agents[FIRST].kill()
    assert fleet.succeeded(command, seconds=60) == SECOND
    assert fleet.waits(FIRST) == {}
    fleet.start(FIRST)
    assert fleet.succeeded(fleet.send(group="pool")) == FIRST
    assert sorted(line.split()[0] for line in fleet.ledger.read_text().splitlines()) == ["begin", "begin", "end", "end"]


@pytest.mark.parametrize("how", ["goes on", "is killed"])
def test_a_group_is_never_over_its_limit(fleet, how):
    fleet.dandori("group", "put", "pool", "--member", FIRST, "--member", SECOND, "--limit", "2")
    commands = [fleet.send("sleep 0.4", group="pool") for _ in range(9)]
    until(lambda: "group" in {why for id in fleet.ids for why in fleet.waits(id).values()}, 10)
    if how == "is killed":
        fleet.server.kill()
        fleet.server.start()
    for command in commands:
        fleet.succeeded(command, seconds=60)
    assert fleet.most_at_a_time() == 2
    assert len(fleet.ledger.read_text().splitlines()) == 2 * len(commands)


def test_a_group_for_all_runs_on_each(fleet):
    fleet.dandori("group", "put", "pool", "--member", FIRST, "--member", SECOND, "--policy", "all")
    command = fleet.send(group="pool")
    until(lambda: fleet.ssm.list_commands(CommandId=command)["Commands"][0]["Status"] == "Success", 20)
    ran = fleet.ssm.list_command_invocations(CommandId=command)["CommandInvocations"]
    assert sorted(one["InstanceId"] for one in ran) == [FIRST, SECOND]


def test_a_name_leads_to_its_host_and_its_restriction_is_kept(fleet):
    fleet.dandori("name", "set", "web", "--instance", FIRST)
    assert fleet.succeeded(fleet.send(agent="web")) == FIRST
    fleet.dandori("name", "set", "web", "--instance", SECOND)
    assert fleet.succeeded(fleet.send(agent="web")) == SECOND
    fleet.dandori("name", "set", "web", "--restriction", "hold")
    held = fleet.send(agent="web")
    until(lambda: fleet.waits("web") == {held: "held"}, 10)
    fleet.dandori("name", "set", "web", "--restriction", "ineffective")
    assert fleet.succeeded(held) == SECOND
    for restriction in ("ineffective", "blockade"):
        fleet.dandori("name", "set", "web", "--restriction", restriction)
        with pytest.raises(fleet.ssm.exceptions.ClientError, match="web takes no jobs"):
            fleet.send(agent="web")
    with pytest.raises(fleet.ssm.exceptions.ClientError, match="no agent of the name db"):
        fleet.send(agent="db")
    with pytest.raises(fleet.ssm.exceptions.ClientError, match="no agent group none"):
        fleet.send(group="none")
