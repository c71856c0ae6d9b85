"""Parameter Store, row by row: what each operation answers, each of its errors, its pages; secrets; what a kill leaves."""

import base64
import contextlib
import dataclasses
import itertools
import json
import os
import re
import threading
import time
import typing
import urllib.request

import botocore.session
import pytest

import harness
import model
from harness import ended, history, machine, refused, until

SSM = botocore.session.get_session().get_service_model("ssm")
CANARY = "canary-4f1d9b"

MISNAMED = "Parameter name: can't be prefixed with \"ssm\" (case-insensitive)."
NO_PATH = "The parameter doesn't meet the parameter name requirements. The parameter name must begin with a forward slash \"/\"."
RESERVED = "No access to reserved parameter name: /aws/a."
NO_VERSION = "Systems Manager could not find version 9 of /net/a. Verify the version and try again."
GARBAGE = "The specified token is not valid."
EXPIRES = {"Type": "Expiration", "Version": "1.0", "Attributes": {"Timestamp": "2099-12-02T21:34:33.000Z"}}


class World:
    """An account with a hierarchy in it."""

    def __init__(self, server):
        self.server, self.account = server, harness.account()
        self.ssm = server.client("ssm", self.account)
        self.numbers = itertools.count()
        for name in ("/net/a", "/net/b", "/net/night/c", "/net/night/deep/d", "plain"):
            self.ssm.put_parameter(Name=name, Value=f"value of {name}", Type="String", Tags=[{"Key": "Team", "Value": name[-1]}])
        self.ssm.put_parameter(Name="/net/secret", Value=CANARY, Type="SecureString", Description="a secret", AllowedPattern="can.*")
        self.ssm.put_parameter(Name="/net/list", Value="1,2,3", Type="StringList", Tier="Advanced", Policies=json.dumps([EXPIRES]))
        for value in ("two", "three"):
            self.ssm.put_parameter(Name="/net/a", Value=value, Overwrite=True)
        self.ssm.label_parameter_version(Name="/net/a", ParameterVersion=2, Labels=["prod"])

    def name(self):
        return f"/new/n{next(self.numbers)}"

    def arn(self, name):
        return f"arn:aws:ssm:{harness.REGION}:{self.account}:parameter/{name.removeprefix('/')}"


@pytest.fixture(scope="module")
def w(server):
    return World(server)


@dataclasses.dataclass
class Row:
    asks: typing.Callable
    # The members of the answer: all of them.
    gives: str
    # For each error what brings it about, and how its words begin. A code may have several, told apart by a number.
    errors: dict = dataclasses.field(default_factory=dict)
    # The members of each item of the lists.
    items: dict = dataclasses.field(default_factory=dict)
    # Errors of the model that do not occur, with the reason.
    absent: dict = dataclasses.field(default_factory=dict)
    pages: typing.Callable | None = None


NO_FAULT = {"InternalServerError": "Only when the machinery fails."}
NO_KMS = {"InvalidKeyId": "Only when the master key is another: see below."}
ONE_AT_A_TIME = {"TooManyUpdates": "What changes a parameter is done one after another."}
SHOWN = "Name Type Value Version LastModifiedDate ARN DataType"
TOLD = "Name ARN Type LastModifiedDate LastModifiedUser Version Tier Policies DataType"


def putting(words, **more):
    return lambda w: ({"Name": w.name(), "Value": "v", "Type": "String", **more}, words)


TABLE = {
    "PutParameter": Row(
        lambda w: {"Name": w.name(), "Value": "v", "Type": "String", "Tags": [{"Key": "a", "Value": ""}], "DataType": "text"},
        "Version Tier",
        {
            "ParameterAlreadyExists": putting("The parameter already exists. To overwrite this value, set the overwrite option in the request to true.",
                                              Name="/net/a"),
            "ParameterAlreadyExists 2": putting("The parameter already exists.", Name="/plain"),
            "HierarchyLevelLimitExceededException": putting("A hierarchy can have a maximum of 15 levels.", Name="/l" * 16),
            "HierarchyTypeMismatchException": putting("Parameter Store doesn't support changing a parameter type", Name="/net/secret", Overwrite=True),
            "InvalidAllowedPatternException": putting("The request does not meet the regular expression requirement: ", AllowedPattern="["),
            "ParameterPatternMismatchException": putting("Parameter value, cannot be validated against allowedPattern: ^\\d+$", AllowedPattern="^\\d+$"),
            "ParameterPatternMismatchException 2": lambda w: ({"Name": "/net/secret", "Value": "other", "Overwrite": True}, "Parameter value, cannot be"),
            "PoliciesLimitExceededException": putting("You specified more than the maximum number", Tier="Advanced", Policies=json.dumps([EXPIRES] * 11)),
            "InvalidPolicyTypeException": putting("The policy type isn't supported.", Tier="Advanced", Policies='[{"Type":"Dance"}]'),
            "InvalidPolicyTypeException 2": putting("The policy type NoChangeNotification is not available in this version of Dandori",
                                                    Tier="Advanced", Policies='[{"Type":"NoChangeNotification","Version":"1.0"}]'),
            "InvalidPolicyAttributeException": putting("The Timestamp of an Expiration must be in the future.", Tier="Advanced",
                                                       Policies=json.dumps([{**EXPIRES, "Attributes": {"Timestamp": "2018-12-02T21:34:33.000Z"}}])),
            "IncompatiblePolicyException": putting("There is a conflict in the policies", Tier="Advanced", Policies=json.dumps([EXPIRES] * 2)),
            "TooManyTagsError": putting("", Tags=[{"Key": str(number), "Value": ""} for number in range(51)]),
            "AccessDeniedException": putting(RESERVED, Name="/aws/a"),
            "ValidationException": putting(MISNAMED, Name="a b"),
            "ValidationException 2": putting("Parameter name must be a fully qualified name.", Name="net/a"),
            "ValidationException 3": lambda w: ({"Name": w.name(), "Value": "v"}, "A parameter type is required when you create a parameter."),
            "ValidationException 4": putting("Standard tier parameters support a maximum parameter value of 4096 characters.", Value="x" * 4097),
            "ValidationException 5": putting("Advanced tier parameters support a maximum parameter value of 8192 characters.", Value="x" * 8193, Tier="Advanced"),
            "ValidationException 6": putting("Parameter value can't nest another parameter.", Value="{{ssm:a}}"),
            "ValidationException 7": putting("Invalid request: tags and overwrite can't be used together.", Overwrite=True, Tags=[{"Key": "a", "Value": ""}]),
            "ValidationException 8": putting("The following data type is not supported: aws:ec2:image", DataType="aws:ec2:image"),
            "ValidationException 9": putting("Parameter policies are available for parameters that use the advanced-parameter tier.",
                                             Policies=json.dumps([EXPIRES])),
            "ValidationException 10": lambda w: ({"Name": "/net/list", "Value": "v", "Overwrite": True, "Tier": "Standard"},
                                                 "This parameter uses the advanced-parameter tier. You can't downgrade"),
            "ValidationException 11": putting("KeyId is required for SecureString type parameter only.", KeyId="alias/k"),
            "ValidationException 12": putting("The parameter's ARN has ", Name="n" * 1000),
            "ValidationException 13": putting("Invalid tag: ", Tags=[{"Key": "aws:a", "Value": ""}]),
        },
        absent={**NO_FAULT, **ONE_AT_A_TIME, "InvalidKeyId": "A key is kept and told; nothing asks for it.",
                "ParameterLimitExceeded": "See below.", "ParameterMaxVersionLimitExceeded": "See below.",
                "UnsupportedParameterType": "Another type is none of the enum's."},
    ),
    "GetParameter": Row(
        lambda w: {"Name": "/net/b"},
        "Parameter",
        {
            "ParameterNotFound": lambda w: ({"Name": "/net/none"}, ""),
            "ParameterNotFound 2": lambda w: ({"Name": w.arn("net/a").replace(w.account, "999999999999")}, ""),
            "ParameterNotFound 3": lambda w: ({"Name": "/aws/service/none"}, ""),
            "ParameterVersionNotFound": lambda w: ({"Name": "/net/a:9"}, NO_VERSION),
            "ParameterVersionNotFound 2": lambda w: ({"Name": "/net/a:test"}, "Systems Manager could not find label test of /net/a."),
            "ValidationException": lambda w: ({"Name": "net/a"}, MISNAMED),
            "ValidationException 2": lambda w: ({"Name": "/net/a:"}, MISNAMED),
        },
        items={"Parameter": SHOWN},
        absent={**NO_FAULT, **NO_KMS},
    ),
    "GetParameters": Row(
        lambda w: {"Names": ["/net/none", "/net/b", "plain"]},
        "Parameters InvalidParameters",
        {"ValidationException": lambda w: ({"Names": ["/net/a", "a b"]}, MISNAMED)},
        items={"Parameters": SHOWN},
        absent={**NO_FAULT, **NO_KMS},
    ),
    "GetParametersByPath": Row(
        lambda w: {"Path": "/net/night"},
        "Parameters",
        {
            "InvalidFilterKey": lambda w: ({"Path": "/", "ParameterFilters": [{"Key": "Name", "Values": ["a"]}]}, "The following filter key is not valid: Name."),
            "InvalidFilterOption": lambda w: ({"Path": "/", "ParameterFilters": [{"Key": "Label", "Option": "BeginsWith", "Values": ["a"]}]},
                                              "The following filter option is not valid: BeginsWith."),
            "InvalidFilterValue": lambda w: ({"Path": "/", "ParameterFilters": [{"Key": "Type", "Values": ["Text"]}]}, "The following filter value is not valid: Text."),
            "InvalidNextToken": lambda w: ({"Path": "/", "NextToken": "garbage"}, GARBAGE),
            "ValidationException": lambda w: ({"Path": "net"}, NO_PATH),
            "ValidationException 2": lambda w: ({"Path": "/", "ParameterFilters": [{"Key": "Type"}]}, "The following filter values are missing : null for filter key Type"),
        },
        items={"Parameters": SHOWN},
        absent={**NO_FAULT, **NO_KMS},
        pages=lambda w: {"Path": "/net", "Recursive": True},
    ),
    "DeleteParameter": Row(
        lambda w: {"Name": made(w)},
        "",
        {
            "ParameterNotFound": lambda w: ({"Name": "/net/none"}, ""),
            "AccessDeniedException": lambda w: ({"Name": "/aws/a"}, RESERVED),
            "ValidationException": lambda w: ({"Name": w.arn("net/a")}, MISNAMED),
        },
        absent=NO_FAULT,
    ),
    "DeleteParameters": Row(
        lambda w: {"Names": [made(w), "/net/none"]},
        "DeletedParameters InvalidParameters",
        {"ValidationException": lambda w: ({"Names": ["a b"]}, MISNAMED)},
        absent=NO_FAULT,
    ),
    "DescribeParameters": Row(
        lambda w: {"ParameterFilters": [{"Key": "Name", "Values": ["plain"]}]},
        "Parameters",
        {
            "InvalidFilterKey": lambda w: ({"ParameterFilters": [{"Key": "Label", "Values": ["a"]}]}, "The following filter key is not valid: Label."),
            "InvalidFilterOption": lambda w: ({"ParameterFilters": [{"Key": "Type", "Option": "Contains", "Values": ["S"]}]}, "The following filter option is not valid"),
            "InvalidFilterValue": lambda w: ({"ParameterFilters": [{"Key": "Tier", "Values": ["Free"]}]}, "The following filter value is not valid: Free."),
            "InvalidNextToken": lambda w: ({"NextToken": "garbage"}, GARBAGE),
            "ValidationException": lambda w: ({"Filters": [{"Key": "Name", "Values": ["a"]}], "ParameterFilters": [{"Key": "Name", "Values": ["a"]}]},
                                              "You can use either Filters or ParameterFilters in a single request."),
        },
        items={"Parameters": TOLD},
        absent=NO_FAULT,
        pages=lambda w: {"ParameterFilters": [{"Key": "Path", "Option": "Recursive", "Values": ["/net"]}]},
    ),
    "GetParameterHistory": Row(
        lambda w: {"Name": "/net/a"},
        "Parameters",
        {
            "ParameterNotFound": lambda w: ({"Name": "/net/none"}, ""),
            "InvalidNextToken": lambda w: ({"Name": "/net/a", "NextToken": "garbage"}, GARBAGE),
            "ValidationException": lambda w: ({"Name": "a b"}, MISNAMED),
        },
        items={"Parameters": "Name Type LastModifiedDate LastModifiedUser Value Version Labels Tier Policies DataType"},
        absent={**NO_FAULT, **NO_KMS},
        pages=lambda w: {"Name": "/net/a"},
    ),
    "LabelParameterVersion": Row(
        lambda w: {"Name": "/net/b", "Labels": ["one", "1st", "aws", "two"]},
        "InvalidLabels ParameterVersion",
        {
            "ParameterNotFound": lambda w: ({"Name": "/net/none", "Labels": ["a"]}, ""),
            "ParameterVersionNotFound": lambda w: ({"Name": "/net/a", "ParameterVersion": 9, "Labels": ["a"]}, NO_VERSION),
            "ParameterVersionLabelLimitExceeded": lambda w: (labelled(w), "A parameter version can have maximum 10 labels."),
            "AccessDeniedException": lambda w: ({"Name": "/aws/a", "Labels": ["a"]}, RESERVED),
        },
        absent={**NO_FAULT, **ONE_AT_A_TIME},
    ),
    "UnlabelParameterVersion": Row(
        lambda w: {"Name": "/net/a", "ParameterVersion": 1, "Labels": ["prod"]},
        "RemovedLabels InvalidLabels",
        {
            "ParameterNotFound": lambda w: ({"Name": "/net/none", "ParameterVersion": 1, "Labels": ["a"]}, ""),
            "ParameterVersionNotFound": lambda w: ({"Name": "/net/a", "ParameterVersion": 9, "Labels": ["a"]}, NO_VERSION),
            "AccessDeniedException": lambda w: ({"Name": "/aws/a", "ParameterVersion": 1, "Labels": ["a"]}, RESERVED),
        },
        absent={**NO_FAULT, **ONE_AT_A_TIME},
    ),
}
# What AWS answers besides what its model names.
BESIDES = {"ValidationException", "AccessDeniedException", "TooManyTagsError"}


def made(w):
    name = w.name()
    w.ssm.put_parameter(Name=name, Value="v", Type="String")
    return name


def labelled(w):
    """A request for the eleventh label."""
    name = made(w)
    w.ssm.label_parameter_version(Name=name, Labels=[f"l{number}" for number in range(10)])
    return {"Name": name, "Labels": ["l10"]}


def call(client, name, parameters):
    answer = client._make_api_call(name, parameters)
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def refusal(client, name, parameters):
    with pytest.raises(client.exceptions.ClientError) as told:
        call(client, name, parameters)
    assert told.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
    return told.value.response["Error"]["Code"], told.value.response["Error"]["Message"]


@pytest.mark.parametrize("name", TABLE)
def test_every_error_is_brought_about_or_cannot_be(name):
    provoked = {code.split(" ")[0] for code in TABLE[name].errors}
    assert not provoked & set(TABLE[name].absent)
    assert (provoked | set(TABLE[name].absent)) - BESIDES == {shape.name for shape in SSM.operation_model(name).error_shapes}


@pytest.mark.parametrize("name", TABLE)
def test_an_answer_has_the_members_that_it_should(w, name):
    row = TABLE[name]
    answer = call(w.ssm, name, row.asks(w))
    assert set(answer) == set(row.gives.split())
    for member, keys in row.items.items():
        items = answer[member] if isinstance(answer[member], list) else [answer[member]]
        assert items and all(set(item) == set(keys.split()) for item in items), items


@pytest.mark.parametrize("name, code", [(name, code) for name, row in TABLE.items() for code in row.errors])
def test_an_error_is_aws_s(w, name, code):
    parameters, words = TABLE[name].errors[code](w)
    told = refusal(w.ssm, name, parameters)
    assert told[0] == code.split(" ")[0] and told[1].startswith(words) and (words or not told[1]), told


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row.pages])
def test_pages_of_one_give_what_one_page_gives(w, name):
    parameters = TABLE[name].pages(w)
    whole = call(w.ssm, name, parameters)
    assert len(whole["Parameters"]) >= 3 and "NextToken" not in whole
    found, tokens = [], []
    while True:
        page = call(w.ssm, name, {**parameters, "MaxResults": 1, **({"NextToken": tokens[-1]} if tokens else {})})
        assert len(page["Parameters"]) == 1
        found += page["Parameters"]
        if "NextToken" not in page:
            break
        tokens.append(page["NextToken"])
    assert found == whole["Parameters"]
    stranger = w.server.client("ssm", harness.account())
    for client, token in ((w.ssm, "garbage"), (w.ssm, tokens[0][:-2]), (stranger, tokens[0])):
        assert refusal(client, name, {**parameters, "NextToken": token})[0] in ("InvalidNextToken", "ParameterNotFound")


REFUSED = {r"^([a-zA-Z0-9:/_-]+)$": "a b", r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$": "<", "tag:.+|Name|Type|KeyId|Path|Label|Tier|DataType": "Dance",
           "^(tag:.+|Name|Type|KeyId|Path|Label|Tier|DataType)$": "Dance"}


@pytest.mark.parametrize("name", TABLE)
def test_a_member_beyond_its_constraint_is_refused_in_aws_s_words(w, name, monkeypatch):
    monkeypatch.setattr(model, "REFUSED", REFUSED)
    for request, path, shape, _ in model.members(SSM.operation_model(name).input_shape):
        where = ".".join(part[0].lower() + part[1:] for part in path.split("."))
        for value, constraint in model.breaches(shape):
            status, _, body = harness.request(w.server, json.dumps(request(value)), f"AmazonSSM.{name}", account=w.account, service="ssm")
            told = json.loads(body)
            assert (status, told.get("__type")) == (400, "ValidationException"), (path, str(value)[:80], told)
            bare = lambda text: text.replace("(", "").replace(")", "").replace("^", "").replace("$", "")
            assert bare(f" at '{where}' failed to satisfy constraint: {constraint}") in bare(told["message"]), (path, told["message"])


def test_a_member_that_is_needed_is_missed(w):
    for name in TABLE:
        for request, path, _, needed in model.members(SSM.operation_model(name).input_shape):
            if needed:
                status, _, body = harness.request(w.server, json.dumps(request(None)), f"AmazonSSM.{name}", account=w.account, service="ssm")
                assert (status, json.loads(body)["__type"]) == (400, "ValidationException") and b"Member must not be null" in body, (name, path)


# What parameters are.

def names(answer):
    return [parameter["Name"] for parameter in answer["Parameters"]]


def test_a_parameter_is_found_by_name_version_label_and_arn(w):
    for name, version, selector in (("/net/a", 3, None), ("/net/a:1", 1, ":1"), ("/net/a:prod", 2, ":prod"), (w.arn("/net/a"), 3, None),
                                    (w.arn("/net/a") + ":1", 1, ":1"), (" /net/a ", 3, None)):
        found = w.ssm.get_parameter(Name=name)["Parameter"]
        assert (found["Name"], found["Version"], found.get("Selector"), found["ARN"]) == ("/net/a", version, selector, w.arn("/net/a"))
    assert w.ssm.get_parameter(Name="/net/a:1")["Parameter"]["Value"] == "value of /net/a"
    # A leading slash alone does not make another parameter.
    assert w.ssm.get_parameter(Name="/plain")["Parameter"]["Name"] == "plain"
    answer = w.ssm.get_parameters(Names=["plain", "/net/a:2", "/net/a", "plain", "/net/a:9", "none"])
    assert [(one["Name"], one["Version"]) for one in answer["Parameters"]] == [("/net/a", 3), ("/net/a", 2), ("plain", 1)]
    assert answer["InvalidParameters"] == ["/net/a:9", "none"]


def test_paths(w):
    by_path = lambda path, **more: names(w.ssm.get_parameters_by_path(Path=path, **more))
    assert by_path("/net") == by_path("/net/") == ["/net/a", "/net/b", "/net/list", "/net/secret"]
    assert by_path("/net/night") == ["/net/night/c"]
    assert by_path("/net", Recursive=True) == ["/net/a", "/net/b", "/net/list", "/net/night/c", "/net/night/deep/d", "/net/secret"]
    assert "plain" in by_path("/") and "/net/a" not in by_path("/")
    assert by_path("/net/a") == by_path("/ne") == by_path("/none") == []
    assert by_path("/net", ParameterFilters=[{"Key": "Type", "Values": ["SecureString", "StringList"]}]) == ["/net/list", "/net/secret"]
    assert by_path("/net", ParameterFilters=[{"Key": "KeyId", "Option": "BeginsWith", "Values": ["alias/"]}]) == ["/net/secret"]
    (labelled,) = w.ssm.get_parameters_by_path(Path="/", Recursive=True, ParameterFilters=[{"Key": "Label", "Values": ["prod"]}])["Parameters"]
    assert (labelled["Name"], labelled["Version"], labelled["Value"]) == ("/net/a", 2, "two")


def test_what_there_is_is_described(w):
    def described(*filters, **more):
        given = [{"Key": key, **({"Option": option} if option else {}), **({"Values": values} if values else {})} for key, option, *values in filters]
        return [one for one in names(w.ssm.describe_parameters(ParameterFilters=given, **more)) if not one.startswith("/new/")]

    everything = ["/net/a", "/net/b", "/net/list", "/net/night/c", "/net/night/deep/d", "/net/secret", "plain"]
    assert [one for one in names(w.ssm.describe_parameters()) if not one.startswith("/new/")] == everything
    assert described(("Name", None, "/net/a", "plain")) == ["/net/a", "plain"]
    assert described(("Name", "BeginsWith", "/net/n")) == described(("Name", "BeginsWith", "net/n")) == ["/net/night/c", "/net/night/deep/d"]
    assert described(("Name", "Contains", "ight")) == ["/net/night/c", "/net/night/deep/d"]
    assert described(("Type", None, "StringList")) == described(("Tier", None, "Advanced")) == ["/net/list"]
    assert described(("KeyId", None, "alias/aws/ssm")) == ["/net/secret"]
    assert described(("Path", None, "/net")) == described(("Path", "OneLevel", "/net")) == ["/net/a", "/net/b", "/net/list", "/net/secret"]
    assert described(("Path", "Recursive", "/net/night", "/none")) == ["/net/night/c", "/net/night/deep/d"]
    assert described(("tag:Team", None)) == ["/net/a", "/net/b", "/net/night/c", "/net/night/deep/d", "plain"]
    assert described(("tag:Team", None, "n"), ("DataType", None, "text")) == ["plain"]
    assert names(w.ssm.describe_parameters(Filters=[{"Key": "Type", "Values": ["SecureString"]}])) == ["/net/secret"]
    assert names(w.ssm.describe_parameters(Shared=True)) == []
    (secret,) = w.ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": ["/net/secret"]}])["Parameters"]
    assert (secret["KeyId"], secret["Description"], secret["AllowedPattern"]) == ("alias/aws/ssm", "a secret", "can.*")
    assert secret["LastModifiedUser"] == f"arn:aws:iam::{w.account}:root" and "Value" not in secret
    (policy,) = w.ssm.describe_parameters(ParameterFilters=[{"Key": "Name", "Values": ["/net/list"]}])["Parameters"][0]["Policies"]
    assert (json.loads(policy["PolicyText"]), policy["PolicyType"], policy["PolicyStatus"]) == (EXPIRES, "Expiration", "Pending")


def test_history_and_labels(w):
    name = made(w)
    for value in ("two", "three"):
        w.ssm.put_parameter(Name=name, Value=value, Overwrite=True, Description=value)
    assert w.ssm.label_parameter_version(Name=name, Labels=["prod", "9", "ssm-x"])["InvalidLabels"] == ["9", "ssm-x"]
    assert w.ssm.label_parameter_version(Name=name, ParameterVersion=1, Labels=["prod", "old"])["ParameterVersion"] == 1
    versions = w.ssm.get_parameter_history(Name=name)["Parameters"]
    assert [(one["Version"], one["Value"], one.get("Description"), one["Labels"]) for one in versions] == [
        (1, "v", None, ["prod", "old"]), (2, "two", "two", []), (3, "three", "three", [])]
    answer = w.ssm.unlabel_parameter_version(Name=name, ParameterVersion=1, Labels=["prod", "other"])
    assert (answer["RemovedLabels"], answer["InvalidLabels"]) == (["prod"], ["other"])
    assert refused(w.ssm.get_parameter, Name=f"{name}:prod")[0] == "ParameterVersionNotFound"
    w.ssm.delete_parameter(Name=name)
    assert refused(w.ssm.get_parameter_history, Name=name) == ("ParameterNotFound", "")
    assert w.ssm.put_parameter(Name=name, Value="v", Type="String")["Version"] == 1
    assert [one["Version"] for one in w.ssm.get_parameter_history(Name=name)["Parameters"]] == [1]


def test_a_hundred_versions_are_kept(w):
    name = made(w)
    for _ in range(101):
        last = w.ssm.put_parameter(Name=name, Value="v", Overwrite=True)["Version"]
    pages = list(w.ssm.get_paginator("get_parameter_history").paginate(Name=name))
    assert [len(page["Parameters"]) for page in pages] == [50, 50]
    assert (pages[0]["Parameters"][0]["Version"], pages[1]["Parameters"][-1]["Version"], last) == (3, 102, 102)
    w.ssm.label_parameter_version(Name=name, ParameterVersion=3, Labels=["keep"])
    code, words = refused(w.ssm.put_parameter, Name=name, Value="v", Overwrite=True)
    assert code == "ParameterMaxVersionLimitExceeded"
    assert words == (f"You attempted to create a new version of {name} by calling the PutParameter API with the overwrite flag. Version 3, the oldest "
                     "version, can't be deleted because it has a label associated with it. Move the label to another version of the parameter, and try again.")
    w.ssm.label_parameter_version(Name=name, Labels=["keep"])
    assert w.ssm.put_parameter(Name=name, Value="v", Overwrite=True)["Version"] == 103


def test_tiers_have_quotas_and_room(directories):
    limits = "[limits]\nstandard_parameters = 2\nadvanced_parameters = 2\n"
    server = harness.Server(directories.make("quotas"), config=limits).start()
    try:
        ssm = server.client("ssm")
        put = lambda name, **more: ssm.put_parameter(Name=name, Value="v", **{"Type": "String", **more})["Tier"]
        assert [put("a"), put("b", Tier="Intelligent-Tiering"), put("c", Tier="Intelligent-Tiering")] == ["Standard", "Standard", "Advanced"]
        assert refused(ssm.put_parameter, Name="d", Value="v", Type="String") == (
            "ParameterLimitExceeded", "You have reached the maximum number of standard parameters for this AWS account and Region (2). To add more "
            "parameters, either delete existing parameters or upgrade to the advanced-parameter tier.")
        assert put("a", Overwrite=True, Tier="Advanced") == "Advanced"
        assert put("d") == "Standard"
        assert refused(ssm.put_parameter, Name="b", Value="v", Overwrite=True, Tier="Advanced")[0] == "ParameterLimitExceeded"
        ssm.delete_parameter(Name="c")
        assert ssm.put_parameter(Name="b", Value="x" * 8192, Overwrite=True, Tier="Intelligent-Tiering")["Tier"] == "Advanced"
        # In another account there is room.
        assert server.client("ssm", harness.account()).put_parameter(Name="d", Value="v", Type="String")["Version"] == 1
    finally:
        server.stop()


def test_a_parameter_expires_even_if_the_server_slept(directories):
    server = harness.Server(directories.make("expiry")).start()
    try:
        ssm = server.client("ssm")
        soon = lambda seconds: json.dumps([{**EXPIRES, "Attributes": {"Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + seconds))}}])
        for name, seconds in (("early", 2), ("late", 4), ("kept", 2)):
            ssm.put_parameter(Name=name, Value="v", Type="String", Tier="Advanced", Policies=soon(seconds))
        ssm.put_parameter(Name="kept", Value="v", Overwrite=True, Policies="[{}]")
        until(lambda: names(ssm.describe_parameters()) == ["kept", "late"], 10)
        server.kill()
        time.sleep(3)
        server.start()
        until(lambda: names(server.client("ssm").describe_parameters()) == ["kept"], 10)
    finally:
        server.stop()


def test_accounts_and_regions_are_apart(w):
    for stranger in (w.server.client("ssm", harness.account()), w.server.client("ssm", w.account, region="us-west-2")):
        assert refused(stranger.get_parameter, Name="/net/a")[0] == "ParameterNotFound"
        assert names(stranger.describe_parameters()) == names(stranger.get_parameters_by_path(Path="/", Recursive=True)) == []
        assert stranger.delete_parameters(Names=["/net/a"])["InvalidParameters"] == ["/net/a"]
        assert stranger.put_parameter(Name="/net/a", Value="theirs", Type="String")["Version"] == 1
    assert w.ssm.get_parameter(Name="/net/a")["Parameter"]["Value"] == "three"


def test_the_aws_cli_drives_all_of_it(w):
    aws = lambda *arguments, **more: w.server.aws("ssm", *arguments, account=harness.ACCOUNT if more.pop("other", False) else w.account, **more)
    assert aws("put-parameter", "--name", "/cli/a", "--value", "一", "--type", "String") == {"Version": 1, "Tier": "Standard"}
    assert aws("put-parameter", "--name", "/cli/a", "--value", "二", "--overwrite")["Version"] == 2
    aws("put-parameter", "--name", "/cli/s", "--value", CANARY, "--type", "SecureString", "--tags", "Key=a,Value=b")
    assert aws("get-parameter", "--name", "/cli/a:1")["Parameter"]["Value"] == "一"
    assert aws("get-parameter", "--name", "/cli/s", "--with-decryption")["Parameter"]["Value"] == CANARY
    assert aws("get-parameters", "--names", "/cli/a", "/cli/none")["InvalidParameters"] == ["/cli/none"]
    assert len(aws("get-parameters-by-path", "--path", "/cli", "--page-size", "1")["Parameters"]) == 2
    assert len(aws("describe-parameters", "--parameter-filters", "Key=Path,Values=/cli", "--page-size", "1")["Parameters"]) == 2
    assert aws("label-parameter-version", "--name", "/cli/a", "--labels", "prod", "7") == {"InvalidLabels": ["7"], "ParameterVersion": 2}
    assert [one["Labels"] for one in aws("get-parameter-history", "--name", "/cli/a")["Parameters"]] == [[], ["prod"]]
    assert aws("unlabel-parameter-version", "--name", "/cli/a", "--parameter-version", "2", "--labels", "prod")["RemovedLabels"] == ["prod"]
    assert aws("delete-parameter", "--name", "/cli/a") in (None, {})
    assert aws("delete-parameters", "--names", "/cli/a", "/cli/s") == {"DeletedParameters": ["/cli/s"], "InvalidParameters": ["/cli/a"]}
    failed = aws("get-parameter", "--name", "/cli/a", check=False)
    assert "(ParameterNotFound) when calling the GetParameter operation" in failed.stderr


def test_tasks_reach_parameters(w):
    sfn = w.server.client("stepfunctions", w.account)

    def task(operation, parameters, **more):
        state = {"Type": "Task", "Resource": f"arn:aws:states:::aws-sdk:ssm:{operation}", "Parameters": parameters, "End": True, **more}
        arn = machine(sfn, {"StartAt": "T", "States": {"T": state}}, f"m{next(w.numbers)}")
        return ended(sfn, sfn.start_execution(stateMachineArn=arn)["executionArn"])

    read = json.loads(task("getParameter", {"Name": "/net/secret", "WithDecryption": True})["output"])
    assert (read["Parameter"]["Value"], read["Parameter"]["Arn"]) == (CANARY, w.arn("net/secret"))
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT.*Z", read["Parameter"]["LastModifiedDate"])
    assert json.loads(task("putParameter", {"Name": "/task/a", "Value": "v", "Type": "String"})["output"]) == {"Version": 1, "Tier": "Standard"}
    assert task("getParameter", {"Name": "/net/none"})["error"] == "Ssm.ParameterNotFoundException"


# Secrets.

def test_a_secret_is_given_plain_or_sealed(w):
    name = w.name()
    w.ssm.put_parameter(Name=name, Value=CANARY, Type="SecureString", KeyId="alias/mine")
    w.ssm.put_parameter(Name=name, Value=CANARY + "2", Overwrite=True)
    plain = w.ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]
    sealed = w.ssm.get_parameter(Name=name)["Parameter"]
    assert (plain["Value"], plain["Type"]) == (CANARY + "2", "SecureString") and sealed["Value"] != plain["Value"]
    assert len(base64.b64decode(sealed["Value"], validate=True)) > len(plain["Value"])
    assert [one["Value"] for one in w.ssm.get_parameter_history(Name=name, WithDecryption=True)["Parameters"]] == [CANARY, CANARY + "2"]
    assert not [one for one in w.ssm.get_parameter_history(Name=name)["Parameters"] if CANARY in one["Value"] or one["KeyId"] != "alias/mine"]
    assert w.ssm.get_parameters(Names=[name], WithDecryption=True)["Parameters"][0]["Value"] == CANARY + "2"
    assert CANARY not in w.ssm.get_parameters(Names=[name])["Parameters"][0]["Value"]
    by_path = lambda **more: [one["Value"] for one in w.ssm.get_parameters_by_path(Path="/new", **more)["Parameters"] if one["Name"] == name]
    assert by_path(WithDecryption=True) == [CANARY + "2"] and CANARY not in by_path()[0]


@pytest.fixture
def own(directories):
    server = harness.Server(directories.make("secrets"), env=harness.environment(DANDORI_LOG="trace")).start()
    yield server
    server.kill()


def test_a_secret_is_nowhere_in_plain_text(own):
    ssm = own.client("ssm")
    ssm.put_parameter(Name="/a", Value=CANARY, Type="SecureString")
    ssm.put_parameter(Name="/a", Value=CANARY + "2", Overwrite=True)
    ssm.get_parameter(Name="/a", WithDecryption=True)
    refusals = [
        dict(Name="/a", Value=CANARY), dict(Name="/a", Value=CANARY, Overwrite=True, Type="String"), dict(Name="/b", Value=CANARY, Type="SecureString", AllowedPattern="x"),
        dict(Name="/b", Value="{{" + CANARY + "}}", Type="SecureString"), dict(Name="/b", Value=CANARY * 500, Type="SecureString"), dict(Name="b b", Value=CANARY, Type="Text"),
        dict(Name="/b", Value=[CANARY], Type="SecureString"), dict(Name="/b", Value={"a": CANARY}, Type="SecureString")]
    for parameters in refusals:
        code, words = refused(ssm.put_parameter, **parameters)
        assert CANARY not in words, (code, words)
    for body in ('{"Name":"/b","Value":"' + CANARY, '{"Name":"/b","Value":"' + CANARY + '","Type":3}', '["' + CANARY + '"]', '"' + CANARY):
        status, _, told = harness.request(own, body, "AmazonSSM.PutParameter", service="ssm")
        assert status == 400 and CANARY.encode() not in told, told
    assert CANARY not in json.dumps(ssm.describe_parameters(), default=str)
    assert CANARY not in urllib.request.urlopen(own.url + "/metrics").read().decode()
    own.stop()
    own.start()
    assert own.client("ssm").get_parameter(Name="/a:1", WithDecryption=True)["Parameter"]["Value"] == CANARY
    own.kill()
    kept = [path for path in own.directory.rglob("*") if path.is_file()]
    assert any("store" in str(path) for path in kept)
    for path in kept:
        assert CANARY.encode() not in path.read_bytes(), path
    assert (own.data / "master.key").stat().st_mode & 0o777 == 0o600


def test_another_master_key_is_told_and_breaks_nothing_else(own):
    ssm = own.client("ssm")
    ssm.put_parameter(Name="/a", Value=CANARY, Type="SecureString")
    ssm.put_parameter(Name="/b", Value="plain", Type="String")
    own.stop()
    key = own.data / "master.key"
    saved = key.read_text()
    key.unlink()
    own.start()
    ssm = own.client("ssm")
    closed = ("InvalidKeyId", "Version 1 of /a cannot be decrypted: it was encrypted with another master key than this server's.")
    assert refused(ssm.get_parameter, Name="/a", WithDecryption=True) == closed
    assert refused(ssm.get_parameters, Names=["/a"], WithDecryption=True) == closed
    assert refused(ssm.get_parameters_by_path, Path="/", WithDecryption=True) == closed
    assert refused(ssm.get_parameter_history, Name="/a", WithDecryption=True) == closed
    assert ssm.get_parameter(Name="/b", WithDecryption=True)["Parameter"]["Value"] == "plain"
    assert ssm.get_parameter(Name="/a")["Parameter"]["Type"] == "SecureString"
    ssm.put_parameter(Name="/a", Value="new", Overwrite=True)
    assert ssm.get_parameter(Name="/a", WithDecryption=True)["Parameter"]["Value"] == "new"
    own.stop()
    key.write_text("not a key")
    with pytest.raises(AssertionError, match="32 bytes in base64"):
        own.start()
    key.write_text(saved)
    own.start()
    assert own.client("ssm").get_parameter(Name="/a:1", WithDecryption=True)["Parameter"]["Value"] == CANARY


def test_the_master_key_may_stand_elsewhere(directories):
    directory = directories.make("key")
    key = directory / "elsewhere"
    server = harness.Server(directory, config=f'[secrets]\nmaster_key_file = "{key}"\n')
    with pytest.raises(AssertionError, match="read the master key"):
        server.start()
    key.write_text(base64.b64encode(os.urandom(32)).decode())
    key.chmod(0o600)
    server.start()
    server.client("ssm").put_parameter(Name="/a", Value=CANARY, Type="SecureString")
    assert not (server.data / "master.key").exists()
    server.stop()


# What a server finds again.

@pytest.mark.parametrize("how", ["ended", "killed"])
def test_everything_is_there_again(own, how):
    ssm = own.client("ssm")
    for number in range(30):
        ssm.put_parameter(Name=f"/p/{number:02}", Value=f"value {number}", Type="String" if number % 2 else "SecureString")
    ssm.put_parameter(Name="/p/00", Value="again", Overwrite=True)
    ssm.label_parameter_version(Name="/p/00", ParameterVersion=1, Labels=["first"])
    ssm.delete_parameter(Name="/p/29")
    page = ssm.get_parameters_by_path(Path="/p", WithDecryption=True)

    def everything(ssm):
        pages = ssm.get_paginator("get_parameters_by_path").paginate(Path="/p", WithDecryption=True)
        found = [one for page in pages for one in page["Parameters"]]
        return found, ssm.describe_parameters()["Parameters"], ssm.get_parameter_history(Name="/p/00", WithDecryption=True)["Parameters"]

    before = everything(ssm)
    assert len(before[0]) == 29
    own.stop() if how == "ended" else own.kill()
    own.start()
    assert everything(own.client("ssm")) == before
    follows = own.client("ssm").get_parameters_by_path(Path="/p", WithDecryption=True, NextToken=page["NextToken"])
    assert follows["Parameters"] == before[0][10:20]


def test_what_was_acknowledged_survives_a_kill(own):
    """Versions are put until the server is killed in the midst of it: what was told is there, and at most one more."""
    ssm, acknowledged = own.client("ssm"), []
    ssm.put_parameter(Name="/a", Value="1", Type="SecureString")

    def put():
        with contextlib.suppress(Exception):
            for number in range(2, 100_000):
                acknowledged.append(ssm.put_parameter(Name="/a", Value=str(number), Overwrite=True)["Version"])

    writer = threading.Thread(target=put)
    writer.start()
    until(lambda: len(acknowledged) > 150, 60)
    own.kill()
    writer.join()
    own.start()
    latest = own.client("ssm").get_parameter(Name="/a", WithDecryption=True)["Parameter"]
    assert latest["Version"] in (acknowledged[-1], acknowledged[-1] + 1) and latest["Value"] == str(latest["Version"])
    versions = [one for page in own.client("ssm").get_paginator("get_parameter_history").paginate(Name="/a", WithDecryption=True) for one in page["Parameters"]]
    assert [one["Value"] for one in versions] == [str(number) for number in range(latest["Version"] - 99, latest["Version"] + 1)]
