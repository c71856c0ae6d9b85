"""Hostile parameters on every way to a script: nothing but the script itself runs, and what arrives is what was sent."""

import json
import random

import pytest

from harness import ended, machine, until

COUNT = 500

# C stands for a file that nothing may make.
SEEDS = [
    "; touch C", "$(touch C)", "`touch C`", "'; touch C; '", '"; touch C; "', "\ntouch C\n", "| touch C", "& touch C", "&& touch C", "|| touch C",
    "${x:=$(touch C)}", "$((1+$(touch C)))", "'$(touch C)'", '"`touch C`"', "\\", "\\'; touch C #", '\\"; touch C #', "<(touch C)", "> C", ">>C", "2>C",
    "$'\\n'touch C", "-e", "--help", "-o C", "-- -rf", "*", "/etc/*", "?", "~root", "{a,b}", "!!", "!$", "#", "# touch C", "%s%n", "\\n", "\t", "\r\ntouch C",
    "a\rb", "é日本語", "\u202e", "\U0001f4a5", "x" * 3000, "''", '""', "'", '"', "$", "$$", "$HOME", "${HOME}", "`", "{{ p }}", "{{ssm:none}}", "{{", "}}", "EOF\ntouch C\n",
    "$IFS", "a  b", " lead", "trail ", "\x7f", "\x1b[31m", "\u2028touch C", "(touch C)", "{ touch C; }", "[[ -e C ]]", "function f { touch C; }", "\x01\x02",
]


def hostile(canary):
    chance = random.Random(4)
    values = [seed.replace("C", str(canary)) for seed in SEEDS]
    while len(values) < COUNT:
        parts = chance.sample(SEEDS, chance.randint(1, 3)) + [chance.choice(["", " ", "'", '"', "\\", "\n", "$(", "`"])]
        chance.shuffle(parts)
        values.append("".join(parts).replace("C", str(canary)))
    return values


def content(directory, argument_writer):
    into = lambda name: f"> {directory}/{name}"  # noqa: E731
    shell = lambda name, line: {"action": "aws:runShellScript", "name": name, "inputs": {"runCommand": [line]}}  # noqa: E731
    job = lambda name, **inputs: {"action": "dandori:runJob", "name": name, "inputs": inputs}  # noqa: E731
    text = {"type": "String", "description": "anything"}
    return {
        "schemaVersion": "2.2",
        "parameters": {"p": text, "v": {**text, "interpolationType": "ENV_VAR"}},
        "mainSteps": [
            shell("bare", f"printf '%s' {{{{ p }}}} {into('bare')}"),
            shell("double", f"printf '%s' \"{{{{ p }}}}\" {into('double')}"),
            shell("single", f"printf '%s' '{{{{ p }}}}' {into('single')}"),
            shell("variable", f"printf '%s' \"$SSM_v\" {into('variable')}"),
            job("argument", program=str(argument_writer), arguments=["{{ p }}"]),
            job("environment", script=[f"printf '%s' \"$P\" {into('environment')}"], environment={"P": "{{ p }}"}),
            job("input", script=[f"cat {into('input')}"], stdin="{{ p }}"),
        ],
    }


def sent(ssm, instance, document, **parameters):
    """The command's id, or nothing where it was refused for its parameters."""
    try:
        answer = ssm.send_command(InstanceIds=[instance], DocumentName=document, Parameters={name: [value] for name, value in parameters.items()})
    except ssm.exceptions.ClientError as error:
        assert error.response["Error"]["Code"] == "InvalidParameters", error
        return None
    return answer["Command"]["CommandId"]


def over(ssm, command, seconds=30):
    def question():
        (one,) = ssm.list_commands(CommandId=command)["Commands"]
        return one if one["Status"] not in ("Pending", "InProgress", "Delayed", "Cancelling") else None

    return until(question, seconds, f"{command} did not end", pause=0.02)


@pytest.fixture
def place(tmp_path):
    (tmp_path / "out").mkdir()
    writer = tmp_path / "argument.sh"
    writer.write_text(f"#!/bin/sh\n[ $# = 1 ] && printf '%s' \"$1\" > {tmp_path}/out/argument\n")
    writer.chmod(0o755)
    return tmp_path


def test_what_is_in_a_parameter_is_data(ssm, instance, place):
    canary, out = place / "canary", place / "out"
    ssm.create_document(Name="Hostile", Content=json.dumps(content(out, place / "argument.sh")), DocumentType="Command")
    places = ["bare", "double", "single", "variable", "argument", "environment", "input"]
    refused = []
    for value in hostile(canary):
        command = sent(ssm, instance, "Hostile", p=value, v=value)
        if command is None:
            refused.append(value)
            continue
        assert over(ssm, command)["Status"] == "Success", value
        for name in places:
            arrived = (out / name).read_bytes()
            # Harmless words are put in as they are, as Systems Manager does: the shell splits them.
            same = (lambda text: text.replace(b" ", b"")) if name == "bare" else bytes
            assert same(arrived) == same(value.encode()), (name, value, arrived)
            (out / name).unlink()
        assert not canary.exists(), value
    # References are no data, and a text that looks like one is told so.
    assert len(refused) < COUNT / 20, refused[:20]
    assert sent(ssm, instance, "Hostile", p="a\0b", v="x") is None
    assert sent(ssm, instance, "Hostile", p="x", v="a\0b") is None


def test_the_ways_around_a_document(ssm, sfn, instance, place):
    """Directories, comments, users, programs, command lines, stored parameters, and state machines."""
    canary, out = place / "canary", place / "out"
    values = hostile(canary)[:: COUNT // 40]
    ssm.create_document(Name="HostileToo", Content=json.dumps(content(out, place / "argument.sh")), DocumentType="Command")
    for number, value in enumerate(values):
        commands = [
            sent(ssm, instance, "AWS-RunShellScript", commands="true", workingDirectory=value),
            sent(ssm, instance, "Dandori-RunJob", program=value),
            sent(ssm, instance, "Dandori-RunJob", script="true", user=value),
            sent(ssm, instance, "Dandori-RunJob", script="true", workingDirectory=value),
            sent(ssm, instance, "Dandori-RunJob", script="true", environment=json.dumps({value: value})),
            sent(ssm, instance, "Dandori-RunJob", script="true", abnormalIfFileMissing=value, abnormalIfOutput=value),
            sent(ssm, instance, "AWS-RunRemoteScript", sourceType="LocalPath", sourceInfo=json.dumps({"path": str(place / "argument.sh")}), commandLine=f"argument.sh {value}"),
        ]
        if value and "{{" not in value:
            ssm.put_parameter(Name=f"hostile-{number}", Type="String", Value=value)
            commands.append(sent(ssm, instance, "HostileToo", p=f"{{{{ssm:hostile-{number}}}}}", v="x"))
        for command in filter(None, commands):
            over(ssm, command)
        assert not canary.exists(), value
    sends = {"Type": "Task", "Resource": "arn:aws:states:::ssm:sendCommand.sync", "End": True, "Parameters": {
        "DocumentName": "HostileToo", "InstanceIds": [instance], "Parameters": {"p.$": "States.Array($.p)", "v.$": "States.Array($.p)"}}}
    arn = machine(sfn, {"StartAt": "S", "States": {"S": sends}}, "hostile-too")
    for value in values:
        ended(sfn, sfn.start_execution(stateMachineArn=arn, input=json.dumps({"p": value}))["executionArn"])
        assert not canary.exists(), value
