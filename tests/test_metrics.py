"""`/metrics` as Prometheus reads it."""

import re
import urllib.error
import urllib.request

import pytest
from harness import ended, machine, until


def scrape(server, **headers):
    request = urllib.request.Request(f"{server.url}/metrics", headers=headers)
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read().decode()
        assert "openmetrics-text" in answer.headers["Content-Type"] and text.endswith("# EOF\n")
    samples = (re.fullmatch(r"([a-z_]+)(?:\{(.*)\})? (\S+)", line) for line in text.splitlines() if not line.startswith("#"))
    return {(found[1], found[2] or ""): float(found[3]) for found in samples}


def test_executions_are_counted(server, sfn):
    arn = machine(sfn, {"StartAt": "P", "States": {"P": {"Type": "Pass", "End": True}}}, "counted")
    waits = machine(sfn, {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 600, "End": True}}}, "waits")
    for _ in range(3):
        ended(sfn, sfn.start_execution(stateMachineArn=arn)["executionArn"])
    running = sfn.start_execution(stateMachineArn=waits)["executionArn"]
    label = f'state_machine_arn="{arn}"'
    counted = lambda: scrape(server).get(("states_executions_succeeded_total", label)) == 3
    until(counted, 5, "the executions were not counted")
    samples = scrape(server)
    assert samples[("states_executions_started_total", label)] == samples[("states_execution_time_seconds_count", label)] == 3
    assert samples[("states_open_execution_count", "")] >= 1
    assert samples[("dandori_commits_total", 'outcome="committed"')] > 0
    assert samples[("process_resident_memory_bytes", "")] > 1_000_000
    sfn.stop_execution(executionArn=running)
    aborted = ("states_executions_aborted_total", f'state_machine_arn="{waits}"')
    until(lambda: scrape(server).get(aborted) == 1, 5, "the stop was not counted")


@pytest.mark.parametrize("headers", [{"Host": "evil.example"}, {"Origin": "http://evil.example"}, {"X-Forwarded-For": "192.0.2.7"}])
def test_metrics_are_for_this_host(server, headers):
    with pytest.raises(urllib.error.HTTPError) as refused:
        scrape(server, **headers)
    with refused.value as error:
        assert error.code == 403


def test_open_executions_are_counted_after_a_restart(directories):
    import harness

    server = harness.Server(directories.make("metrics")).start()
    try:
        sfn = server.client("stepfunctions")
        waits = machine(sfn, {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 600, "End": True}}}, "waits")
        running = [sfn.start_execution(stateMachineArn=waits)["executionArn"] for _ in range(3)]
        server.kill()
        server.start()
        count = lambda: scrape(server)[("states_open_execution_count", "")]
        until(lambda: count() == 3, 5, "the executions that were running are not counted")
        server.client("stepfunctions").stop_execution(executionArn=running[0])
        until(lambda: count() == 2, 5, "the one that ended is still counted")
    finally:
        server.stop()
