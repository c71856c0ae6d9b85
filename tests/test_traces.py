"""Traces of executions, as a collector gets them by OTLP over HTTP."""

import http.server
import json
import threading

import pytest
from harness import Server, ended, machine, until


class Collector(http.server.ThreadingHTTPServer):
    """Takes what is sent, after refusing the first as one that is busy."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests, self.refuse = [], 1

    @property
    def spans(self):
        batches = [body["resourceSpans"][0] for _, _, body in self.requests]
        return [span for batch in batches for span in batch["scopeSpans"][0]["spans"]]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        busy, self.server.refuse = self.server.refuse > 0, self.server.refuse - 1
        if not busy:
            self.server.requests.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
        self.send_response(503 if busy else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


@pytest.fixture
def collector():
    with Collector() as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        yield collector
        collector.shutdown()


@pytest.fixture
def traced(directories, collector):
    config = f'[telemetry]\notlp_endpoint = "http://127.0.0.1:{collector.server_port}"\notlp_headers = {{ x-key = "k" }}\n'
    server = Server(directories.make("traces"), config=config).start()
    yield server
    server.stop()


NET = {
    "StartAt": "Both",
    "States": {
        "Both": {
            "Type": "Parallel",
            "Next": "Fails",
            "Branches": [
                {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}},
                {"StartAt": "B", "States": {"B": {"Type": "Wait", "Seconds": 1, "End": True}}},
            ],
        },
        "Fails": {"Type": "Fail", "Error": "E", "Cause": "c"},
    },
}


def attributes(span):
    return {one["key"]: one["value"]["stringValue"] for one in span["attributes"]}


def test_an_execution_is_a_trace(traced, collector):
    sfn = traced.client("stepfunctions")
    header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
    arn = sfn.start_execution(stateMachineArn=machine(sfn, NET, "net"), input="{}", traceHeader=header)["executionArn"]
    ended(sfn, arn)
    until(lambda: len(collector.spans) == 5, 10, lambda: f"the spans did not come: {collector.requests}")
    spans = {span["name"]: span for span in collector.spans}
    assert set(spans) == {"net", "Both", "A", "B", "Fails"}
    assert {span["traceId"] for span in spans.values()} == {"5759e988bd862e3fe1be46a994272793"}
    parents = {name: span["parentSpanId"] for name, span in spans.items()}
    assert parents["net"] == "53995c3f42cd8ad8"
    assert parents["Both"] == parents["Fails"] == spans["net"]["spanId"] and parents["A"] == parents["B"] == spans["Both"]["spanId"]
    assert int(spans["B"]["endTimeUnixNano"]) - int(spans["B"]["startTimeUnixNano"]) >= 10**9
    assert spans["net"]["status"] == {"code": 2, "message": "E: c"} and spans["A"]["status"] == {"code": 1}
    root = attributes(spans["net"])
    assert (root["aws.step_functions.execution.arn"], root["aws.step_functions.execution.status"], root["error.type"]) == (arn, "FAILED", "E")
    assert attributes(spans["B"])["aws.step_functions.state.type"] == "Wait"
    ((path, headers, _),) = collector.requests
    assert (path, headers["content-type"], headers["x-key"]) == ("/v1/traces", "application/json", "k")


def test_who_does_not_want_a_trace_gets_none(traced, collector):
    sfn = traced.client("stepfunctions")
    net = machine(sfn, {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}, "net")
    sfn.start_execution(stateMachineArn=net, traceHeader="Sampled=0")
    arn = sfn.start_execution(stateMachineArn=net, name="traced")["executionArn"]
    until(lambda: len(collector.spans) >= 2, 10, "the spans did not come")
    assert {attributes(span)["aws.step_functions.execution.arn"] for span in collector.spans} == {arn}
    assert len({span["traceId"] for span in collector.spans}) == 1


def test_a_collector_that_is_gone_holds_nobody_up(directories):
    server = Server(directories.make("traces"), config='[telemetry]\notlp_endpoint = "http://127.0.0.1:9"\n').start()
    try:
        sfn = server.client("stepfunctions")
        net = machine(sfn, {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}, "net")
        for _ in range(5):
            assert ended(sfn, sfn.start_execution(stateMachineArn=net)["executionArn"], seconds=5)["status"] == "SUCCEEDED"
    finally:
        server.stop()
