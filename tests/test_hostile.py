"""What wants to hurt, over the wire: each gets an answer or an end soon, in bounded memory, and the execution beside it notices nothing."""

import contextlib
import json
import pathlib
import time

import pytest

import harness
from harness import ended, machine, raw, request, until

ROLE = "arn:aws:iam::000000000000:role/tests"
PASS = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}}
CREATE = "AWSStepFunctions.CreateStateMachine"

# An optimised build needs a fraction of this; the build under test is none, on a machine that does other things too.
SECONDS_MAX = 5
BESIDE_SECONDS_MAX = 2
RSS_BYTES_MAX = 1 << 30


@pytest.fixture(scope="module")
def server(directories):
    """One of its own, so that its memory is what these tests cost."""
    directory = directories.make("hostile")
    bucket = directory / "bucket"
    bucket.mkdir()
    server = harness.Server(directory, config=f'[buckets]\nlarge = "{bucket}"\n').start()
    yield server
    server.stop()
    panics = [line for line in server.log.read_text(errors="replace").splitlines() if "panicked" in line or "overflowed" in line]
    assert not panics, f"the server panicked: {panics}"


def rss_peak(server):
    status = pathlib.Path(f"/proc/{server.process.child.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


@pytest.fixture(autouse=True)
def memory_has_an_end(server, request):
    pathlib.Path(f"/proc/{server.process.child.pid}/clear_refs").write_text("5")  # The peak counts from here.
    yield
    peak = rss_peak(server)
    print(f"{request.node.name}: {peak >> 20} MiB")
    assert peak < RSS_BYTES_MAX


@pytest.fixture
def beside(server):
    """An execution in an account of its own, started when it is entered, that has to end in time whatever goes on."""
    sfn = server.client("stepfunctions", harness.account())
    arn = machine(sfn, {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 1, "Next": "A"}, "A": {"Type": "Pass", "End": True}}})

    @contextlib.contextmanager
    def running():
        began = time.monotonic()
        execution = sfn.start_execution(stateMachineArn=arn)["executionArn"]
        yield
        described = ended(sfn, execution, 1 + BESIDE_SECONDS_MAX)
        took = (described["stopDate"] - described["startDate"]).total_seconds()
        print(f"beside: {took:.2f} s, start answered and end seen within {time.monotonic() - began:.2f} s")
        assert described["status"] == "SUCCEEDED" and took < 1 + BESIDE_SECONDS_MAX
    return running


@contextlib.contextmanager
def soon(what, seconds=SECONDS_MAX):
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    print(f"{what}: {took:.2f} s")
    assert took < seconds, f"{what} took {took:.1f} s"


def run(sfn, definition, text="{}", seconds=SECONDS_MAX):
    """The execution of a machine, once it has ended."""
    arn = machine(sfn, definition, f"m{time.monotonic_ns()}")
    return ended(sfn, sfn.start_execution(stateMachineArn=arn, input=text)["executionArn"], seconds)


def created(sfn, definition):
    """The code with which a definition is refused, or `None`."""
    text = definition if isinstance(definition, str) else json.dumps(definition)
    try:
        sfn.create_state_machine(name=f"m{time.monotonic_ns()}", definition=text, roleArn=ROLE)
    except sfn.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return None


def one(state):
    return {"StartAt": "A", "States": {"A": {**state, "End": True}}}


def jsonata(expression):
    return one({"QueryLanguage": "JSONata", "Type": "Pass", "Output": "{% " + expression + " %}"})


# Loops.

def loop(*names, out="Z"):
    """Choices, each the Default of the one before, the first that of the last."""
    states = {name: {"Type": "Choice", "Choices": [{"Variable": "$.never", "IsPresent": True, "Next": out}], "Default": after}
              for name, after in zip(names, (*names[1:], names[0]))}
    return {"StartAt": names[0], "States": {**states, out: {"Type": "Succeed"}}}


def around(state):
    """That state again and again."""
    back = {"Type": "Choice", "Choices": [{"Variable": "$.never", "IsPresent": True, "Next": "Z"}], "Default": "A"}
    return {"StartAt": "A", "States": {"A": {**state, "Next": "B"}, "B": back, "Z": {"Type": "Succeed"}}}


@pytest.mark.parametrize("names_", [("A",), ("A", "B", "C")], ids=["itself", "three"])
def test_a_loop_of_defaults_ends_with_its_history(sfn, beside, names_):
    with beside(), soon("25,000 events", 4 * SECONDS_MAX):
        described = run(sfn, loop(*names_), seconds=4 * SECONDS_MAX)
    assert (described["status"], described["error"]) == ("FAILED", "States.Runtime")
    assert described["cause"] == "The execution reached the maximum number of history events (25000)."


def test_a_loop_over_a_large_payload_holds_nobody_up(sfn, beside):
    """Its history would be gigabytes: it may take its time, others do not wait for it, and it can be stopped."""
    arn = machine(sfn, around({"Type": "Pass"}))
    with beside():
        execution = sfn.start_execution(stateMachineArn=arn, input=json.dumps({"x": "y" * 260_000}))["executionArn"]
        time.sleep(1)
        with soon("stopping it"):
            sfn.stop_execution(executionArn=execution)
            assert ended(sfn, execution)["status"] in ("ABORTED", "FAILED")


def test_twenty_five_levels_of_parallel(sfn, beside):
    state = {"Type": "Pass", "End": True}
    for level in range(25):
        state = {"Type": "Parallel", "Branches": [{"StartAt": f"S{level}", "States": {f"S{level}": state}}], "End": True}
    with beside(), soon("25 levels"):
        described = run(sfn, {"StartAt": "A", "States": {"A": state}}, "1")
    assert described["status"] == "SUCCEEDED"


def test_parallels_that_multiply(sfn, beside):
    """Four branches in four in four …: they end with their history."""
    count = iter(range(10**6))

    def nested(levels):
        if levels == 0:
            return {"Type": "Pass", "End": True}
        branches = []
        for _ in range(4):
            name = f"S{next(count)}"
            branches.append({"StartAt": name, "States": {name: nested(levels - 1)}})
        return {"Type": "Parallel", "Branches": branches, "End": True}

    with beside(), soon("4^6 branches", 4 * SECONDS_MAX):
        definition = json.dumps({"StartAt": "A", "States": {"A": nested(6)}}, separators=(",", ":"))
        described = run(sfn, definition, seconds=4 * SECONDS_MAX)
    assert described["status"] in ("SUCCEEDED", "FAILED")


# Expressions.

EXPLODING = [
    ("($f := function($s,$n){$n = 0 ? $s : $f($s & $s, $n - 1)}; $f('x', 60))", "memory"),
    ("$pad('x', 10000000000)", "memory"),
    ("$pad('x', -1e10, '#')", "memory"),
    ("[1..1000000000]", "D2014"),
    ("$range(1, 1000000000, 1)", "memory"),
    ("($f := function(){$f()}; $f())", "timeout"),
    ("($f := function($n){1 + $f($n)}; $f(1))", "Depth"),
    ("$map([1..360145], function($i){[1..360145]})", "memory"),
    ("$contains($pad('', 6000000, 'a'), /(a+)+(a+)+b/)", "timeout"),
    ("$power(10, 400)", "D3061"),
    ("$number('1e400')", "D3030"),
    ("$eval('1')", "T1006"),
]


@pytest.mark.parametrize("expression, words", EXPLODING, ids=[expression[:28] for expression, _ in EXPLODING])
def test_expressions_that_explode(sfn, beside, expression, words):
    with beside(), soon(expression):
        described = run(sfn, jsonata(expression))
    assert (described["status"], described["error"]) == ("FAILED", "States.QueryEvaluationError"), described
    assert words in described["cause"], described["cause"]


def test_patterns_that_explode_elsewhere(sfn, beside):
    text = json.dumps({"s": "a" * 50_000 + "!", "o": [{"s": "a" * 2000 + "!"}] * 20})
    for definition in [one({"Type": "Pass", "Parameters": {"x.$": "$.o[?(@.s =~ /(a+)+(a|aa)*$/)]"}}),
                       {"StartAt": "A", "States": {"A": {"Type": "Choice", "Choices": [{"Variable": "$.s", "StringMatches": "*a" * 40 + "*b", "Next": "B"}],
                                                         "Default": "B"}, "B": {"Type": "Succeed"}}},
                       one({"Type": "Pass", "Parameters": {"x.$": "$..*..*..*..*"}})]:
        with beside(), soon("a pattern"):
            assert run(sfn, definition, text)["status"] in ("SUCCEEDED", "FAILED")


def test_intrinsics_that_make_much(sfn):
    for call in ["States.ArrayRange(0, 1000000000, 1)", "States.ArrayPartition($.a, 0)", "States.Format('{}{}', $.s, $.s)", "States.MathRandom(0, 0)",
                 "States.Hash($.s, 'SHA-512')", "States.Base64Encode($.s)", "States.StringSplit($.s, '')", "States.MathAdd(9223372036854775807, 1)"]:
        with soon(call):
            assert run(sfn, one({"Type": "Pass", "Parameters": {"x.$": call}}), json.dumps({"a": [1, 2], "s": "x" * 200_000}))["status"] in ("SUCCEEDED", "FAILED")


# Texts.

DEEP = 10_000


@pytest.mark.parametrize("text, is_json", [
    ("[" * DEEP + "]" * DEEP, False), ('{"a":' * DEEP + "1" + "}" * DEEP, False), ("[" * DEEP, False), ("1e400", None), ("-1e400", None), ("1" * 400, None),
    ("[" + "9" * 200_000 + "]", None), ('"\\ud83d"', None), ('"\\udc00\\ud83d"', None), ('{"a":1,"a":2}', True), ('"\\u0000"', True), ('"a\x00b"', False), ("\ufeff{}", False),
    ("{}\x00", False), ("\x00", False), ('"\\u12"', False), ("NaN", False), ("[1,]", False), ("1e-400", True), ('{"' + "k" * 200_000 + '":1}', True)],
    ids=["arrays", "objects", "open", "1e400", "-1e400", "400 digits", "200,000 digits", "half", "halves", "twice", "nul", "raw nul", "bom", "nul after", "nul alone", "short", "nan", "comma",
         "1e-400", "long key"])
def test_odd_json_as_input_definition_and_output(sfn, text, is_json):
    """As an input it is refused or goes through; as a definition it is refused; as an output that an expression makes it is either."""
    with soon("input"):
        arn = machine(sfn, PASS)
        try:
            execution = sfn.start_execution(stateMachineArn=arn, input=text)["executionArn"]
            assert is_json is not False, "it is no JSON, and was taken"
            assert ended(sfn, execution)["status"] == "SUCCEEDED"
            harness.history(sfn, execution)
        except sfn.exceptions.ClientError as error:
            assert error.response["Error"]["Code"] == "InvalidExecutionInput" and not is_json, error
    with soon("definition"):
        assert created(sfn, text) == "InvalidDefinition"
        assert created(sfn, json.dumps(one({"Type": "Pass", "Result": "HERE"})).replace('"HERE"', text)) in (None, "InvalidDefinition")
    with soon("output"):
        parsed = run(sfn, one({"Type": "Pass", "Parameters": {"x.$": "States.StringToJson($)"}, "ResultPath": "$"}), json.dumps(text))
        assert parsed["status"] in ("SUCCEEDED", "FAILED")
        # What ends well can be read again, by any client.
        assert parsed["status"] == "FAILED" or json.loads(parsed["output"]) is not None
    with soon("output of the other language"):
        assert run(sfn, jsonata("$parse($states.input)"), json.dumps(text))["status"] in ("SUCCEEDED", "FAILED")


def test_values_that_are_built_deep(sfn):
    grow = "($f := function($v,$n){$n = 0 ? $v : $f([[$v]], $n - 1)}; $f(1, 100000))"
    with soon("arrays by an expression"):
        assert run(sfn, jsonata(grow))["status"] == "FAILED"
    with soon("a level by each state"):
        assert run(sfn, around({"Type": "Pass", "Parameters": {"a.$": "$"}}))["status"] == "FAILED"


# Bodies.

def told(answer):
    status, _, body = answer
    return status, json.loads(body)["__type"] if body else None


def test_bodies_that_are_too_much(server):
    for body in [b"x" * 10_000_000, b"[" * 10_000_000, b'{"name":"' + b"\\u0041" * 1_600_000 + b'"}']:
        with soon("10 MB"):
            assert request(server, body, CREATE)[0] in (400, 413)
    for body in [b"[" * 7_000_000, b'{"a":' * 1_000_000, b'{"name":"' + b"\\u0041" * 1_000_000 + b'"}', b'{"name":' + b"9" * 7_000_000 + b"}", b"{" + b'"a":1,' * 900_000 + b'"a":1}',
                 b"\xff" * 7_000_000, b"\x00" * 7_000_000, b'{"name":"\x00"}', b'{"name":"\\u0000","definition":"\\u0000","roleArn":"\\u0000"}', b'{"name":"\\ud800"}', b'{"name":1e400}']:
        with soon(repr(body[:12])):
            status, code = told(request(server, body, CREATE))
            assert status == 400 and code in ("SerializationException", "ValidationException", "InvalidName", "InvalidArn"), (status, code)


def test_heads_that_are_too_much(server):
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
    for more in [b"x: " + b"y" * 1_000_000 + b"\r\n", b"".join(b"x%d: y\r\n" % i for i in range(5000)), b"x" * 100_000 + b": y\r\n", b"x-amz-target: \xff\xfe\r\n", b"authorization: " + b"," * 60_000 + b"\r\n",
                 b"authorization: AWS4-HMAC-SHA256 Credential=" + b"/" * 50_000 + b"\r\n", b"x-amz-target: AWSStepFunctions." + b"A" * 60_000 + b"\r\n", b"transfer-encoding: chunked\r\n"]:
        with soon("a head"):
            answer = raw(server, head + more + b"\r\n{}", half_close=True)
            assert answer == b"" or answer.startswith(b"HTTP/1.1 4"), answer[:100]


# Definitions.

def large(states):
    return json.dumps({"StartAt": "s0", "States": states}, separators=(",", ":"))


def choices(count):
    rule = {"Variable": "$.a", "IsNull": True, "Next": "Z"}
    return json.dumps({"StartAt": "s0", "States": {"s0": {"Type": "Choice", "Choices": [rule] * count, "Default": "Z"}, "Z": {"Type": "Succeed"}}}, separators=(",", ":"))


DEFINITIONS = {
    "a name of 1 MB": (large({"s0": {"Type": "Pass", "Next": "n" * 1_000_000}, "n" * 40_000: {"Type": "Succeed"}}), {"InvalidDefinition", "ValidationException"}),
    "10,000 states": (large({f"s{i}": {"Type": "Pass", "Next": f"s{i + 1}"} for i in range(10_000)} | {"s10000": {"Type": "Succeed"}}), {None}),
    "100,000 rules": (choices(100_000), {"ValidationException"}),
    "17,000 rules": (choices(17_000), {None}),
    "a rule of 25,000 tests": (json.dumps({"StartAt": "C", "States": {"C": {"Type": "Choice", "Choices": [{"And": [{"Variable": "$", "IsNull": True}] * 25_000, "Next": "Z"}]}, "Z": {"Type": "Succeed"}}}), {None}),
    "deep states": ('{"StartAt":"A","States":{"A":{"Type":"Parallel","Branches":[' * 10_000, {"InvalidDefinition"}),
    "deep rules": ('{"StartAt":"A","States":{"A":{"Type":"Choice","Choices":[' + '{"Not":' * 10_000 + "1" + "}" * 10_000 + "]}}}", {"InvalidDefinition"}),
    "deep parameters": ('{"StartAt":"A","States":{"A":{"Type":"Pass","End":true,"Parameters":' + '{"a":' * 10_000 + "1" + "}" * 10_000 + "}}}", {"InvalidDefinition"}),
    "a deep path": (json.dumps(one({"Type": "Pass", "InputPath": "$" + ".a" * 200_000})), {"InvalidDefinition"}),
    "a deep filter": (json.dumps(one({"Type": "Pass", "InputPath": "$[?(" + "(" * 100_000 + "@" + ")" * 100_000 + ")]"})), {"InvalidDefinition"}),
    "a deep call": (json.dumps(one({"Type": "Pass", "Parameters": {"a.$": "States.Array(" * 50_000 + "1" + ")" * 50_000}})), {"InvalidDefinition"}),
    "a deep expression": (json.dumps(jsonata("(" * 200_000 + "1" + ")" * 200_000)), {"InvalidDefinition"}),
    "a long expression": (json.dumps(jsonata("1" + "+1" * 200_000)), {"InvalidDefinition", None}),
    "a long chain": (json.dumps(jsonata("a" + ".a" * 200_000)), {"InvalidDefinition", None}),
    "many expressions": (json.dumps(one({"QueryLanguage": "JSONata", "Type": "Pass", "Output": ["{% 1 %}"] * 80_000})), {None}),
    "many errors": (large({f"s{i}": {"Type": "Nope"} for i in range(40_000)}), {"InvalidDefinition"}),
    "a retry of 30,000": (json.dumps(one({"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Retry": [{"ErrorEquals": ["E"]}] * 30_000})), {None}),
    "numbers beyond": ('{"StartAt":"A","TimeoutSeconds":1e400,"States":{"A":{"Type":"Wait","Seconds":1e400,"End":true}}}', {"InvalidDefinition"}),
    "400 digits": ('{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":' + "9" * 400 + ',"End":true}}}', {"InvalidDefinition"}),
    "a name with nul": ('{"StartAt":"\\u0000","States":{"\\u0000":{"Type":"Succeed"}}}', {None}),
    "half a name": ('{"StartAt":"\\ud800","States":{"\\ud800":{"Type":"Succeed"}}}', {"InvalidDefinition"}),
    "states twice": ('{"StartAt":"A","States":{' + '"A":{"Type":"Succeed"},' * 30_000 + '"A":{"Type":"Succeed"}}}', {"InvalidDefinition"}),
}


@pytest.mark.parametrize("name", DEFINITIONS)
def test_definitions_that_are_too_much(sfn, beside, name):
    text, codes = DEFINITIONS[name]
    with beside(), soon(f"{name}, {len(text)} bytes"):
        assert created(sfn, text) in codes


def test_ten_thousand_states_run(sfn, beside):
    text, _ = DEFINITIONS["10,000 states"]
    with beside(), soon("10,000 states", 4 * SECONDS_MAX):
        described = run(sfn, text, seconds=4 * SECONDS_MAX)
    assert described["status"] == "SUCCEEDED"


def test_a_map_over_very_many_items(sfn, beside):
    """As many as a payload holds: it ends with its history or well, and others notice nothing."""
    definition = one({"Type": "Map", "ItemProcessor": {"StartAt": "I", "States": {"I": {"Type": "Pass", "End": True}}}})
    with beside(), soon("130,000 items", 4 * SECONDS_MAX):
        described = run(sfn, definition, "[" + ",".join("1" * 130_000) + "]", seconds=4 * SECONDS_MAX)
    assert described["status"] == "FAILED" and described["error"] == "States.Runtime"


def test_a_map_over_ten_million_items_of_a_bucket(server, sfn, beside):
    """It would take hours: what is under way has an end at any time, and it can be stopped."""
    (server.directory / "bucket" / "rows.jsonl").write_bytes(b"1\n" * 10_000_000)
    reader = {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": "JSONL"}, "Parameters": {"Bucket": "large", "Key": "rows.jsonl"}}
    processor = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, "StartAt": "I", "States": {"I": {"Type": "Pass", "End": True}}}
    arn = machine(sfn, one({"Type": "Map", "ItemReader": reader, "ItemProcessor": processor}))
    with beside():
        execution = sfn.start_execution(stateMachineArn=arn)["executionArn"]
        until(lambda: sfn.list_map_runs(executionArn=execution)["mapRuns"], SECONDS_MAX)
        run_ = sfn.list_map_runs(executionArn=execution)["mapRuns"][0]["mapRunArn"]
        until(lambda: sfn.describe_map_run(mapRunArn=run_)["itemCounts"]["succeeded"] > 0, SECONDS_MAX, "no item was done")
        time.sleep(1)
        with soon("stopping it"):
            sfn.stop_execution(executionArn=execution)
            assert ended(sfn, execution)["status"] == "ABORTED"
    print(sfn.describe_map_run(mapRunArn=run_)["itemCounts"])
    (server.directory / "bucket" / "rows.jsonl").unlink()
