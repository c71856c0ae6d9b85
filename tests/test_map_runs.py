"""Maps in distributed mode with the real binary: a folder as a bucket, its objects as items, results as files."""

import json
import time

import pytest

import harness
from harness import ended, history, machine, names, until

PASS = {"StartAt": "One", "States": {"One": {"Type": "Pass", "End": True}}}
PICKY = {"StartAt": "Check", "States": {
    "Check": {"Type": "Choice", "Choices": [{"Variable": "$.n", "StringEquals": "bad", "Next": "No"}], "Default": "Yes"},
    "No": {"Type": "Fail", "Error": "Bad", "Cause": "on purpose"}, "Yes": {"Type": "Succeed"}}}
WAIT = {"StartAt": "W", "States": {"W": {"Type": "Wait", "Seconds": 2, "End": True}}}


def each(processor=PASS, **fields):
    config = {"Mode": "DISTRIBUTED", "ExecutionType": fields.pop("children", "STANDARD")}
    state = {"Type": "Map", "Label": "each", "ItemProcessor": {"ProcessorConfig": config, **processor}, "End": True, **fields}
    return {"StartAt": "Each", "States": {"Each": state}}


def reader(key, kind, **config):
    return {"Resource": "arn:aws:states:::s3:getObject", "ReaderConfig": {"InputType": kind, **config}, "Parameters": {"Bucket": "night", "Key": key}}


@pytest.fixture
def own(directories):
    directory = directories.make("maps")
    (directory / "night").mkdir()
    server = harness.Server(directory, config=f"[buckets]\nnight = '{directory / 'night'}'\n")
    server.bucket = directory / "night"
    server.start()
    yield server
    server.kill()


def run_of(sfn, execution):
    listed = sfn.list_map_runs(executionArn=execution)["mapRuns"]
    return sfn.describe_map_run(mapRunArn=listed[0]["mapRunArn"]) if listed else None


def start(sfn, definition, value=None, name="maps"):
    arn = machine(sfn, definition, name)
    return sfn.start_execution(stateMachineArn=arn, input=json.dumps(value if value is not None else {}))["executionArn"]


def test_items_of_the_input_are_executions_of_their_own(own):
    sfn = own.client("stepfunctions")
    execution = start(sfn, each(ItemSelector={"v.$": "$$.Map.Item.Value", "at.$": "$$.Map.Item.Index"}), ["a", "b"])
    assert json.loads(ended(sfn, execution)["output"]) == [{"v": "a", "at": 0}, {"v": "b", "at": 1}]
    assert names(history(sfn, execution)) == ["ExecutionStarted", "MapStateEntered", "MapStateStarted", "MapRunStarted",
                                              "MapRunSucceeded", "MapStateSucceeded", "MapStateExited", "ExecutionSucceeded"]
    run = run_of(sfn, execution)
    assert run["status"] == "SUCCEEDED" and run["itemCounts"]["succeeded"] == run["executionCounts"]["total"] == 2
    children = sfn.list_executions(mapRunArn=run["mapRunArn"])["executions"]
    assert len(children) == 2 and all(":execution:maps/each:" in child["executionArn"] for child in children)
    child = sfn.describe_execution(executionArn=children[0]["executionArn"])
    assert child["mapRunArn"] == run["mapRunArn"] and child["stateMachineArn"].endswith(":stateMachine:maps/each")
    shown = sfn.describe_state_machine_for_execution(executionArn=children[0]["executionArn"])
    assert (shown["mapRunArn"], shown["label"]) == (run["mapRunArn"], "each")


def test_a_document_and_a_table_are_read_and_results_are_written(own):
    sfn = own.client("stepfunctions")
    (own.bucket / "rows.json").write_text(json.dumps([{"n": number} for number in range(3000)]))
    (own.bucket / "rows.csv").write_text("n,name\n1,one\n2,two\n")
    table = start(sfn, each(ItemReader=reader("rows.csv", "CSV", CSVHeaderLocation="FIRST_ROW")), name="table")
    assert json.loads(ended(sfn, table)["output"]) == [{"n": "1", "name": "one"}, {"n": "2", "name": "two"}]

    writer = {"Resource": "arn:aws:states:::s3:putObject", "Parameters": {"Bucket": "night", "Prefix": "out"}}
    batcher = {"MaxItemsPerBatch": 7, "BatchInput": {"why": "test"}}
    document = start(sfn, each(ItemReader=reader("rows.json", "JSON"), ItemBatcher=batcher, ResultWriter=writer), name="document")
    output = json.loads(ended(sfn, document, seconds=60)["output"])
    run = run_of(sfn, document)
    assert output["MapRunArn"] == run["mapRunArn"]
    assert run["itemCounts"]["succeeded"] == 3000 and run["executionCounts"]["succeeded"] == 429
    manifest = json.loads((own.bucket / output["ResultWriterDetails"]["Key"]).read_text())
    results = [one for file in manifest["ResultFiles"]["SUCCEEDED"] for one in json.loads((own.bucket / file["Key"]).read_text())]
    items = [item["n"] for result in results for item in json.loads(result["Input"])["Items"]]
    assert items == list(range(3000)) and len(results) == run["executionCounts"]["resultsWritten"] == 429


def test_what_cannot_be_read_fails_the_state(own):
    sfn = own.client("stepfunctions")
    execution = start(sfn, each(ItemReader=reader("none.json", "JSON")))
    assert ended(sfn, execution)["error"] == "States.ItemReaderFailed"
    assert "MapRunFailed" in names(history(sfn, execution))


def test_so_many_may_fail(own):
    sfn = own.client("stepfunctions")
    items = [{"n": "good"}, {"n": "bad"}, {"n": "good"}]
    strict = start(sfn, each(PICKY), items, "strict")
    assert ended(sfn, strict)["error"] == "States.ExceedToleratedFailureThreshold"
    mild = start(sfn, each(PICKY, ToleratedFailurePercentage=40), items, "mild")
    good, bad, _ = json.loads(ended(sfn, mild)["output"])
    assert (good, bad["Status"], bad["Error"]) == ({"n": "good"}, "FAILED", "Bad")
    counts = run_of(sfn, mild)["executionCounts"]
    assert (counts["succeeded"], counts["failed"]) == (2, 1)


def test_a_run_is_changed_while_it_runs(own):
    sfn = own.client("stepfunctions")
    execution = start(sfn, each(WAIT, MaxConcurrency=1), list(range(6)))
    run = until(lambda: (run := run_of(sfn, execution)) and run["executionCounts"]["running"] == 1 and run, 10)
    sfn.update_map_run(mapRunArn=run["mapRunArn"], maxConcurrency=6, toleratedFailurePercentage=12.5, toleratedFailureCount=1)
    changed = run_of(sfn, execution)
    assert (changed["maxConcurrency"], changed["toleratedFailurePercentage"], changed["toleratedFailureCount"]) == (6, 12.5, 1)
    until(lambda: run_of(sfn, execution)["executionCounts"]["running"] >= 5, 10)
    assert ended(sfn, execution)["status"] == "SUCCEEDED"
    with pytest.raises(sfn.exceptions.ValidationException):
        sfn.update_map_run(mapRunArn=run["mapRunArn"], maxConcurrency=1)


def test_stopping_an_execution_stops_its_children(own):
    sfn = own.client("stepfunctions")
    execution = start(sfn, each(WAIT), [1, 2])
    until(lambda: (run := run_of(sfn, execution)) and run["executionCounts"]["running"] == 2, 10)
    sfn.stop_execution(executionArn=execution)
    run = until(lambda: (run := run_of(sfn, execution))["status"] == "ABORTED" and run, 10)
    assert run["executionCounts"]["aborted"] == 2


def test_two_thousand_items_survive_a_kill(own):
    sfn = own.client("stepfunctions")
    (own.bucket / "many.json").write_text(json.dumps(list(range(2000))))
    execution = start(sfn, each(WAIT, ItemReader=reader("many.json", "JSON"), MaxConcurrency=500))
    until(lambda: (run := run_of(sfn, execution)) and run["executionCounts"]["succeeded"] > 0, 60)
    own.kill()
    own.start()
    time.sleep(1)
    own.kill()
    own.start()
    assert json.loads(ended(sfn, execution, seconds=90)["output"]) == list(range(2000))
    run = run_of(sfn, execution)
    assert run["executionCounts"]["succeeded"] == run["executionCounts"]["total"] == 2000
    pages = sfn.get_paginator("list_executions").paginate(mapRunArn=run["mapRunArn"], PaginationConfig={"PageSize": 500})
    children = [child["executionArn"] for page in pages for child in page["executions"]]
    assert len(children) == len(set(children)) == 2000
