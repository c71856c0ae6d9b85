"""Run Command through boto3 with the agent that the server holds: sending, listing, and every way a script can end."""

import pytest

from harness import refused, until


def send(ssm, instance, *commands, **more):
    parameters = {"commands": list(commands), **more.pop("parameters", {})}
    return ssm.send_command(InstanceIds=[instance], DocumentName="AWS-RunShellScript", Parameters=parameters, **more)["Command"]


def finished(ssm, instance, command_id, seconds=30):
    def question():
        invocation = ssm.get_command_invocation(CommandId=command_id, InstanceId=instance)
        return invocation if invocation["Status"] not in ("Pending", "InProgress", "Delayed", "Cancelling") else None

    return until(question, seconds, f"{command_id} did not end")


def run(ssm, instance, *commands, **more):
    return finished(ssm, instance, send(ssm, instance, *commands, **more)["CommandId"])


def test_the_instance_is_shown(ssm, instance):
    (shown,) = ssm.describe_instance_information()["InstanceInformationList"]
    assert (shown["InstanceId"], shown["PingStatus"], shown["PlatformType"], shown["ResourceType"]) == (instance, "Online", "Linux", "ManagedInstance")
    assert shown["ComputerName"] and shown["AgentVersion"]


def test_a_command_from_sending_to_its_output(ssm, instance):
    command = send(ssm, instance, "echo こんにちは", "echo wrong >&2", Comment="hello")
    assert (command["DocumentName"], command["Comment"], command["InstanceIds"], command["TargetCount"]) == ("AWS-RunShellScript", "hello", [instance], 1)
    assert command["Status"] in ("Pending", "InProgress")
    invocation = finished(ssm, instance, command["CommandId"])
    assert (invocation["Status"], invocation["StatusDetails"], invocation["ResponseCode"]) == ("Success", "Success", 0)
    assert (invocation["StandardOutputContent"], invocation["StandardErrorContent"]) == ("こんにちは\n", "wrong\n")
    assert invocation["PluginName"] == "aws:runShellScript" and invocation["ExecutionElapsedTime"].startswith("PT")
    (listed,) = ssm.list_commands(CommandId=command["CommandId"])["Commands"]
    assert (listed["Status"], listed["CompletedCount"], listed["ErrorCount"]) == ("Success", 1, 0)
    (one,) = ssm.list_command_invocations(CommandId=command["CommandId"], Details=True)["CommandInvocations"]
    assert one["CommandPlugins"][0]["Output"] == "こんにちは\n\n----------ERROR-------\nwrong\n"
    (one,) = ssm.list_command_invocations(CommandId=command["CommandId"])["CommandInvocations"]
    assert one["CommandPlugins"] == []


def test_the_exit_code_decides(ssm, instance):
    invocation = run(ssm, instance, "echo before", "exit 3", "echo never")
    assert (invocation["Status"], invocation["ResponseCode"], invocation["StandardOutputContent"]) == ("Failed", 3, "before\n")


def test_scripts_are_not_built_from_parameters(ssm, instance, tmp_path):
    """What is sent is the script's text, to the letter."""
    invocation = run(ssm, instance, "cat <<'EOF'", "$(touch /nowhere) `x` \"quoted\" 'single' \\ 日本", "EOF")
    assert invocation["StandardOutputContent"] == "$(touch /nowhere) `x` \"quoted\" 'single' \\ 日本\n"


def test_a_script_that_is_not_there(ssm, instance):
    invocation = run(ssm, instance, "/no/such/script.sh")
    assert (invocation["Status"], invocation["ResponseCode"]) == ("Failed", 127)
    assert "/no/such/script.sh" in invocation["StandardErrorContent"]


def test_a_script_that_may_not_be_executed(ssm, instance, tmp_path):
    script = tmp_path / "script.sh"
    script.write_text("#!/bin/sh\necho ran\n")
    script.chmod(0o644)
    invocation = run(ssm, instance, str(script))
    assert (invocation["Status"], invocation["ResponseCode"], invocation["StandardOutputContent"]) == ("Failed", 126, "")


def test_a_working_directory(ssm, instance, tmp_path):
    assert run(ssm, instance, "pwd -P", parameters={"workingDirectory": [str(tmp_path)]})["StandardOutputContent"] == f"{tmp_path.resolve()}\n"
    invocation = run(ssm, instance, "pwd", parameters={"workingDirectory": [str(tmp_path / "none")]})
    assert invocation["Status"] == "Failed" and "Agent.WorkingDirectoryMissing" in invocation["StandardErrorContent"]


def test_a_script_that_is_killed(ssm, instance):
    invocation = run(ssm, instance, "echo before", "kill -9 $$")
    assert (invocation["Status"], invocation["StandardOutputContent"]) == ("Failed", "before\n")
    assert invocation["ResponseCode"] != 0


def test_a_script_that_floods_its_output(ssm, instance):
    invocation = run(ssm, instance, "head -c 50000000 /dev/zero | tr '\\0' x", "head -c 20000 /dev/zero | tr '\\0' e >&2", "exit 5")
    assert (invocation["Status"], invocation["ResponseCode"]) == ("Failed", 5)
    assert 20_000 < len(invocation["StandardOutputContent"]) <= 24_000 and len(invocation["StandardErrorContent"]) <= 8_000
    (one,) = ssm.list_command_invocations(CommandId=invocation["CommandId"], Details=True)["CommandInvocations"]
    assert len(one["CommandPlugins"][0]["Output"]) <= 2_500


def test_output_that_is_not_utf_8(ssm, instance):
    invocation = run(ssm, instance, "printf '\\377\\376ok\\000end'")
    assert invocation["Status"] == "Success" and "ok" in invocation["StandardOutputContent"]


def test_a_script_that_runs_too_long_is_ended_with_its_children(ssm, instance, tmp_path):
    mark = tmp_path / "child"
    invocation = run(ssm, instance, f"(sleep 6; touch {mark}) & echo before; sleep 60", parameters={"executionTimeout": ["1"]})
    assert (invocation["Status"], invocation["StatusDetails"]) == ("TimedOut", "ExecutionTimedOut")
    assert invocation["StandardOutputContent"] == "before\n"
    with pytest.raises(AssertionError):
        until(mark.exists, 7, "it was ended", pause=0.5)


def test_a_process_left_behind_does_not_hold_the_script_up(ssm, instance):
    invocation = finished(ssm, instance, send(ssm, instance, "sleep 30 >/dev/null 2>&1 &", "echo done")["CommandId"], seconds=15)
    assert (invocation["Status"], invocation["StandardOutputContent"]) == ("Success", "done\n")


def test_what_cannot_be_sent(ssm, instance):
    document = {"DocumentName": "AWS-RunShellScript"}
    unknown = "mi-0123456789abcdef0"
    assert refused(ssm.send_command, InstanceIds=[unknown], Parameters={"commands": ["ls"]}, **document) == (
        "InvalidInstanceId", f"Instances [[{unknown}]] not in a valid state for account 000000000000")
    assert refused(ssm.send_command, InstanceIds=[instance], DocumentName="AWS-Dance", Parameters={"commands": ["ls"]})[0] == "InvalidDocument"
    assert refused(ssm.send_command, InstanceIds=[instance], **document)[0] == "InvalidParameters"
    assert refused(ssm.send_command, InstanceIds=[instance], Parameters={"commands": ["ls"], "dance": ["x"]}, **document)[0] == "InvalidParameters"
    assert refused(ssm.send_command, InstanceIds=[instance], Parameters={"commands": ["ls"], "executionTimeout": ["0"]}, **document)[0] == "InvalidParameters"
    assert refused(ssm.send_command, InstanceIds=[instance, instance], Parameters={"commands": ["ls"]}, **document)[0] == "DuplicateInstanceId"
    assert refused(ssm.send_command, InstanceIds=[instance], TimeoutSeconds=29, Parameters={"commands": ["ls"]}, **document) == (
        "ValidationException", "1 validation error detected: Value '29' at 'timeoutSeconds' failed to satisfy constraint: "
        "Member must have value greater than or equal to 30")


def test_what_is_not_known(ssm, instance):
    unknown = "00000000-0000-4000-8000-000000000000"
    assert refused(ssm.get_command_invocation, CommandId=unknown, InstanceId=instance)[0] == "InvocationDoesNotExist"
    assert ssm.list_commands(CommandId=unknown)["Commands"] == []
    assert ssm.list_command_invocations(CommandId=unknown)["CommandInvocations"] == []
    known = send(ssm, instance, "true")["CommandId"]
    assert refused(ssm.get_command_invocation, CommandId=known, InstanceId="mi-0123456789abcdef0")[0] == "InvocationDoesNotExist"
    assert refused(ssm.get_command_invocation, CommandId=known, InstanceId=instance, PluginName="aws:dance")[0] == "InvalidPluginName"


def test_lists_of_commands_are_newest_first_and_in_pages(ssm, instance):
    sent = [send(ssm, instance, "true", Comment=f"page {number}")["CommandId"] for number in range(5)]
    for command_id in sent:
        finished(ssm, instance, command_id)
    found, token = [], {}
    while len(found) < 5:
        page = ssm.list_commands(MaxResults=2, **token)
        found += [one["CommandId"] for one in page["Commands"]]
        token = {"NextToken": page["NextToken"]} if page.get("NextToken") else {}
    assert found[:5] == sent[::-1]
    page = ssm.list_command_invocations(InstanceId=instance, MaxResults=3, Filters=[{"key": "Status", "value": "Success"}])
    assert [one["CommandId"] for one in page["CommandInvocations"]] == sent[::-1][:3]


def test_a_command_is_cancelled(ssm, instance):
    command = send(ssm, instance, "echo before; sleep 60")["CommandId"]
    until(lambda: ssm.get_command_invocation(CommandId=command, InstanceId=instance)["Status"] == "InProgress", 20)
    ssm.cancel_command(CommandId=command)
    invocation = finished(ssm, instance, command)
    assert (invocation["Status"], invocation["StatusDetails"]) == ("Cancelled", "Cancelled")
    assert refused(ssm.cancel_command, CommandId="00000000-0000-4000-8000-000000000000")[0] == "InvalidCommandId"
