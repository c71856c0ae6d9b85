"""Runs the recorded cases that call other services: `conformance_services.py RUNNER`.

What a case needs (objects in S3, activities with a worker, state machines that are started, log groups) is made from
the case itself: from its definition, its input, and what its history shows. A case whose needs cannot be met is counted
as not prepared, with the reason, and never as passed. moto stands in for S3.

Fails when a case fails that is not in `conformance-services-later.txt`, or when fewer pass than have to.
"""

import collections
import concurrent.futures
import contextlib
import csv
import importlib.util
import io
import json
import logging
import pathlib
import re
import shutil
import sys
import tempfile
import threading

import boto3
import botocore.config
import botocore.exceptions
import moto.server
import werkzeug.serving

import harness

PASSED_MIN = 97
LATER = pathlib.Path(__file__).with_name("conformance-services-later.txt")
WAIT_SECONDS = 30
MACHINE = re.compile(r"arn:aws:states:[\w-]+:(\d+):stateMachine:([\w-]+)(:\d+)?")
ACTIVITY = re.compile(r"arn:aws:states:[\w-]+:(\d+):activity:([\w-]+)")

# What tasks reach here. S3 is where the configuration says; `states` and `sfn` are ours.
REACHED = {"s3", "states", "sfn"}


class NotPrepared(Exception):
    """Why a case cannot be run."""


class World:
    """The server, and the S3 that it was told of."""

    def __init__(self, runner, server, s3):
        self.runner, self.server, self.s3 = runner, server, s3

    def client(self, service, account=None, **config):
        return self.server.client(service, account or self.runner.ACCOUNT, **config)


class Watched:
    """The runner's API: adds to requests what the case configures besides, and keeps what was refused."""

    def __init__(self, api, requests, created):
        self.api, self.requests, self.created, self.refused = api, requests, created, None

    def __call__(self, operation, **parameters):
        try:
            answer = self.api(operation, **{**parameters, **self.requests.get(operation, {})})
        except Exception as error:
            self.refused = error.args
            raise
        if operation == "CreateStateMachine":
            self.created(answer["stateMachineArn"])
        return answer


def main(runner_path):
    runner = load(runner_path)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="dandori-conformance-"))
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    stand_in = werkzeug.serving.make_server("127.0.0.1", 0, as_s3(moto.server.DomainDispatcherApplication(moto.server.create_backend_app)), threaded=True)
    threading.Thread(target=stand_in.serve_forever, daemon=True).start()
    s3_url = f"http://127.0.0.1:{stand_in.server_port}"
    server = harness.Server(directory, config=configuration(s3_url)).start()
    try:
        world = World(runner, server, s3_client(s3_url))
        cases = load_cases(pathlib.Path(runner_path).parent / "asl")
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda case: judge(world, case), cases))
    finally:
        server.stop()
        stand_in.shutdown()
    good = report(cases, results)
    if good:
        shutil.rmtree(directory)
    else:
        print(f"the server's log is in {server.log}")
    return 0 if good else 1


def as_s3(application):
    """moto with what it leaves out of S3's answers: the names of a request, and that a checksum is of the whole object."""

    def answer(environ, start):
        def started(status, headers, *rest):
            told = {"x-amz-request-id": "request", "x-amz-id-2": "extended"}
            if environ["REQUEST_METHOD"] == "PUT":
                told["x-amz-checksum-type"] = "FULL_OBJECT"
            return start(status, [*headers, *told.items()], *rest)

        return application(environ, started)

    return answer


def load(path):
    spec = importlib.util.spec_from_file_location("run_cases", path)
    runner = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(runner)
    return runner


def load_cases(directory):
    return [json.loads(file.read_text()) for folder in ("services", "driven") for file in sorted((directory / folder).glob("*.json"))]


def configuration(s3_url):
    return f'[s3]\nendpoint = "{s3_url}"\nregion = "{harness.REGION}"\naccess_key = "s3"\nsecret = "any"\n'


def s3_client(url):
    config = botocore.config.Config(s3={"addressing_style": "path"}, max_pool_connections=32)
    return boto3.Session("s3", "any", region_name=harness.REGION).client("s3", endpoint_url=url, config=config)


def report(cases, results):
    """Prints the table, the misses, and what could not be prepared. Returns whether all is as it has to be."""
    counts = collections.defaultdict(collections.Counter)
    for case, (verdict, _) in zip(cases, results):
        counts[", ".join(case["services"]) or "none"][verdict] += 1
    print(f"{'services':24}{'passed':>10}{'failed':>10}{'not prepared':>14}")
    for services, count in sorted(counts.items()):
        print(f"{services:24}{count['passed']:>10}{count['failed']:>10}{count['not prepared']:>14}")
    reasons = collections.Counter(why for verdict, why in results if verdict == "not prepared")
    for why, number in sorted(reasons.items()):
        print(f"{number:5} not prepared: {why}")

    later = {line for line in LATER.read_text().splitlines() if line and not line.startswith("#")}
    of = collections.defaultdict(dict)
    for case, (verdict, why) in zip(cases, results):
        of[verdict][case["id"]] = why
    passed, failed = of["passed"], of["failed"]
    print(f"{len(passed)} passed, {PASSED_MIN} have to; {len(failed)} failed, {len(failed.keys() & later)} of them known (tests/{LATER.name})")
    for name in sorted(later - failed.keys()):
        print(f"fails no longer: take it out of tests/{LATER.name}: {name}")
    unexpected = sorted(failed.keys() - later)
    for name in unexpected:
        print(f"FAILED {name}\n       {failed[name]}")
    return not unexpected and len(passed) >= PASSED_MIN


def judge(world, case):
    """The verdict on a case, and why."""
    try:
        needs(case)
        with contextlib.ExitStack() as stack:
            requests, created = prepare(world, case, stack)
            api = Watched(world.runner.Api(world.server.url), requests, created)
            why = world.runner.run(api, {**case, "expected": compact(case["expected"])}, WAIT_SECONDS)
    except NotPrepared as reason:
        return "not prepared", str(reason)
    except botocore.exceptions.ClientError as error:
        return "failed", f"preparing it: {error}"
    if why is None and case["kind"] == "error":
        why = same_words(world.runner, case, api.refused)
    return ("passed", None) if why is None else ("failed", why)


def same_words(runner, case, refused):
    """The runner compares the code of a refusal; here its words count as well."""
    marks = set(case["replacements"].values()) | set(case.get("placeholders") or [])
    expected = case["expected"]
    words = expected.get("message") or expected["exception_value"].split(" operation: ", 1)[1]
    return runner.same(words, refused[1], marks, set(), "$.message")


def compact(expected):
    """Lists that were written by another program come with spaces: without them, and in the same order."""
    if isinstance(expected, dict):
        return {key: compact(value) for key, value in expected.items()}
    if isinstance(expected, list):
        return [compact(value) for value in expected]
    if isinstance(expected, str) and expected.startswith("["):
        with contextlib.suppress(ValueError):
            text = json.dumps(json.loads(expected), separators=(",", ":"), ensure_ascii=False)
            # The mark that was put in a number's place was a text.
            return text.replace('"LastModified":"<date>"', '"LastModified":<date>')
    return expected


# What a case needs


def needs(case):
    """Refuses a case whose tasks call a service that is not reached."""
    missing = called(case) - REACHED
    if missing:
        raise NotPrepared(f"no connector for {', '.join(sorted(missing))}")


def called(case):
    """The services that a case calls: as its history shows, or else as its definition says."""
    if case["kind"] in ("error", "validate") or "mock" in case.get("request", {}):
        return set()
    history = events(case)
    if history and "DISTRIBUTED" not in case["definition"]:
        types = {event["type"] for event in history}
        services = {details(event)["resourceType"] for event in history if event["type"] == "TaskScheduled"}
        services |= {"lambda"} if "LambdaFunctionScheduled" in types else set()
    else:
        services = {service_of(resource) for resource in every(json.loads(case["definition"]), "Resource")} - {"activity"}
    return {service.removeprefix("aws-sdk:") for service in services}


def service_of(resource):
    parts = resource.split(":")
    if parts[2] == "lambda":
        return "lambda"
    return parts[5] if parts[5] != "aws-sdk" else parts[6]


def prepare(world, case, stack):
    """Makes what a case needs. Returns what its requests say besides, and what happens once its machine is there."""
    requests, created = {}, lambda arn: None
    if case["kind"] == "error":
        return prepare_version(world, case), created
    if case["kind"] not in ("execution", "output", "sync"):
        return requests, created
    prepare_machines(world, case)
    prepare_activities(world, case, stack)
    prepare_objects(world, case)
    if "logs" in case["services"]:
        return prepare_log(world, case)
    return requests, created


# State machines


def prepare_version(world, case):
    """A request that names a version: its state machine is there, with no version."""
    arn = MACHINE.fullmatch(case["request"].get("stateMachineArn", ""))
    if not arn or not arn[3]:
        return {}
    with contextlib.suppress(world.client("stepfunctions").exceptions.StateMachineAlreadyExists):
        machine(world, arn, {"Type": "Pass", "End": True})
    return {"UpdateStateMachine": {"stateMachineArn": arn[0]}}


def prepare_machines(world, case):
    """The state machines that the case starts, which do what the history tells of them."""
    arns = {arn[0]: arn for arn in MACHINE.finditer(case["definition"] + case["input"])}
    errors = [details(event).get("error", "") for event in events(case) if event["type"] == "TaskFailed"]
    if any("StateMachineDoesNotExist" in error for error in errors):
        return
    for arn in arns.values():
        machine(world, arn, child(case))


def machine(world, arn, state):
    sfn = world.client("stepfunctions", arn[1])
    harness.machine(sfn, {"StartAt": "Child", "States": {"Child": state}}, arn[2])


def child(case):
    """A state that ends as the execution that the case started did."""
    ends = [details(event) for event in events(case) if event["type"] in ("TaskSucceeded", "TaskFailed")]
    cause = next((end["cause"] for end in ends if isinstance(end.get("cause"), dict)), None)
    if cause:
        return {"Type": "Fail", **{name: cause[name] for name in ("Error", "Cause") if name in cause}}
    output = next((end["output"]["Output"] for end in ends if "Output" in end.get("output", {})), {})
    return {"Type": "Pass", "Result": json.loads(output) if isinstance(output, str) else output, "End": True}


# Activities


def prepare_activities(world, case, stack):
    """The activities for which tasks were scheduled, each with a worker that answers as the history shows. One for
    which nothing was scheduled had been deleted."""
    scheduled = any(event["type"] == "ActivityScheduled" for event in events(case))
    arns = {arn[0]: arn for arn in ACTIVITY.finditer(case["definition"])} if scheduled else {}
    for arn in arns.values():
        sfn = world.client("stepfunctions", arn[1], read_timeout=70)
        sfn.create_activity(name=arn[2])
        worker = threading.Thread(target=work, args=(sfn, arn[0], events(case)), daemon=True)
        worker.start()
        stack.callback(worker.join, WAIT_SECONDS)


def work(sfn, activity, history):
    name = next((details(event).get("workerName") for event in history if event["type"] == "ActivityStarted"), None)
    outcome = next((event for event in history if event["type"] in ("ActivitySucceeded", "ActivityFailed")), None)
    if name is None:
        return
    token = sfn.get_activity_task(activityArn=activity, workerName=name)["taskToken"]
    if outcome and outcome["type"] == "ActivitySucceeded":
        sfn.send_task_success(taskToken=token, output=json.dumps(details(outcome)["output"]))
    elif outcome:
        sfn.send_task_failure(taskToken=token, **{key: details(outcome)[key] for key in ("error", "cause") if key in details(outcome)})


# Objects


def prepare_objects(world, case):
    """The bucket that the input names, with the object that was read as far as the history shows it."""
    given = json.loads(case["input"])
    bucket = given.get("Bucket") if isinstance(given, dict) else None
    if not bucket or any(details(event).get("error") == "S3.NoSuchBucketException" for event in events(case)):
        return
    world.s3.create_bucket(Bucket=bucket)
    # As S3 does by itself.
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    world.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    for key, body in objects(case, given).items():
        world.s3.put_object(Bucket=bucket, Key=key, Body=body)


def objects(case, given):
    definition = json.loads(case["definition"])
    read = [details(event)["output"] for event in events(case) if event["type"] == "TaskSucceeded"]
    bodies = {given["Key"]: output["Body"] for output in read if "Body" in output}
    for reader in every(definition, "ItemReader"):
        items = json.loads(next((details(event)["output"] for event in events(case) if event["type"] == "MapStateExited"), "[]"))
        if reader["Resource"].endswith(":listObjectsV2"):
            bodies |= {item["Key"]: "x" * item["Size"] for item in items}
        else:
            config = reader["ReaderConfig"]
            surplus = items[-1:] if limit(config, given, definition) == len(items) else []
            bodies[given["Key"]] = {"JSON": json.dumps, "CSV": lambda rows: table(config, rows)}[config["InputType"]](items + surplus)
    return bodies


def limit(config, given, definition):
    """How many items are read at most."""
    path = config.get("MaxItemsPath", "").lstrip("$.")
    known = {name: value for assigned in every(definition, "Assign") for name, value in assigned.items()} | given
    number = re.search(r"-?\d+", str(known.get(path, config.get("MaxItems"))))
    return int(number[0]) if number else None


def table(config, rows):
    """Columns in the order of their names, whatever order a row's members have; one more than the headers name."""
    given = config.get("CSVHeaders")
    columns = given or sorted(rows[0] if rows else ["Column"])
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    if not given:
        writer.writerow(columns)
    for row in rows:
        writer.writerow([*(row[column] for column in columns), *(["surplus"] if given else [])])
    return out.getvalue()


# Logs


def prepare_log(world, case):
    """A log group that exists when the machine is created. The level and whether data is included are parameters of the
    recording and stand in the case's id; the history is the same whatever they are."""
    if case["kind"] != "execution":
        return {}, lambda arn: None
    group = next(name for name, mark in case["replacements"].items() if mark == "log_group_name")
    logs, sfn = world.client("logs"), world.client("stepfunctions")
    logs.create_log_group(logGroupName=group)
    named = re.search(r"_(ALL|ERROR|FATAL|OFF)_(True|False)\]", case["id"])
    level, data = named.groups() if named else ("ALL", "True")
    arn = f"arn:aws:logs:{harness.REGION}:{world.runner.ACCOUNT}:log-group:{group}:*"
    configured = {"level": level, "includeExecutionData": data == "True", "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": arn}}]}

    def created(arn):
        if "UpdateStateMachine" in case["driven_by"]:
            sfn.update_state_machine(stateMachineArn=arn, loggingConfiguration=configured)
        if "deleted_log_group" in case["id"]:
            logs.delete_log_group(logGroupName=group)

    return {} if case["driven_by"] else {"CreateStateMachine": {"loggingConfiguration": configured}}, created


# Reading cases


def events(case):
    expected = case["expected"]
    return expected.get("events", []) if isinstance(expected, dict) else []


def details(event):
    return next((value for key, value in event.items() if key.endswith("EventDetails")), {})


def every(json_value, name):
    """All members of that name, wherever they stand."""
    if isinstance(json_value, dict):
        for key, value in json_value.items():
            if key == name:
                yield value
            yield from every(value, name)
    elif isinstance(json_value, list):
        for value in json_value:
            yield from every(value, name)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
