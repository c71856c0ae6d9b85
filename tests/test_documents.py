"""Documents and tags of Systems Manager, row by row: what each operation answers, each of its errors, its pages; and what a
command makes of a document. The rows are held against the model that AWS publishes."""

import hashlib
import itertools
import json

import pytest

import harness
import model
from harness import until

SSM = model.service("ssm")

OPERATIONS = ("CreateDocument UpdateDocument UpdateDocumentDefaultVersion DescribeDocument GetDocument ListDocuments ListDocumentVersions DeleteDocument "
              "ModifyDocumentPermission DescribeDocumentPermission AddTagsToResource RemoveTagsFromResource ListTagsForResource").split()


def document(*commands, schema="2.2", **more):
    step = {"action": "aws:runShellScript", "name": "run", "inputs": {"runCommand": list(commands) or ["true"]}}
    return json.dumps({"schemaVersion": schema, "mainSteps": [step], **more})


OLD = json.dumps({"schemaVersion": "1.2", "runtimeConfig": {"aws:runShellScript": {"properties": [{"id": "0.aws:runShellScript", "runCommand": ["true"]}]}}})
YAML = """schemaVersion: "2.2"
description: Greets somebody
parameters:
  who:
    type: String
    description: Whom
    default: you
mainSteps:
  - action: aws:runShellScript
    name: greet
    precondition:
      StringEquals: [platformType, Linux]
    inputs:
      runCommand:
        - echo hello {{ who }}
"""
TAGS = [{"Key": "team", "Value": "storage"}, {"Key": "部署", "Value": ""}]
MANY = [{"Key": str(number), "Value": ""} for number in range(51)]


class World:
    def __init__(self, server):
        self.server, self.account = server, harness.account()
        self.ssm = model.watch(server.client("ssm", self.account))
        self.numbers = itertools.count()

    def name(self):
        return f"Document-{next(self.numbers)}"

    def create(self, content=None, **more):
        name = more.pop("Name", None) or self.name()
        self.ssm.create_document(Name=name, Content=content or document(), **more)
        return name

    def versions(self, count=3):
        """A document of some versions; the first is the default."""
        name = self.create(document("echo 1"), VersionName="one")
        for number in range(2, count + 1):
            self.ssm.update_document(Name=name, Content=document(f"echo {number}"), DocumentVersion="$LATEST", VersionName=f"v{number}")
        return name

    def arn(self, name, account=None):
        return f"arn:aws:ssm:{harness.REGION}:{account or self.account}:document/{name}"


@pytest.fixture(scope="module")
def w(server):
    return World(server)


def call(client, name, parameters):
    answer = client._make_api_call(name, parameters)
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def check_refusal(client, name, code, parameters, words=None):
    with pytest.raises(client.exceptions.ClientError) as refusal:
        call(client, name, parameters)
    error = refusal.value.response["Error"]
    assert error["Code"] == code, error
    assert error.get("Message", "") == (words or ""), error


GONE = {"Name": "gone"}, "Document with name gone does not exist."


def no_version(version):
    return f"Document version {version} is not valid or does not exist."


# For each operation the errors, each with what brings it about and its words.
ERRORS = {
    "CreateDocument": {
        "DocumentAlreadyExists": lambda w: (lambda name: ({"Name": name, "Content": document()}, f"Document with same name {name} already exists"))(w.create()),
        "MaxDocumentSizeExceeded": lambda w: ({"Name": "large", "Content": document("x" * 65_536)}, "The size limit of a document is 64 KB."),
        "InvalidDocumentContent": lambda w: ({"Name": "none", "Content": "{}"}, None),
        "InvalidDocumentSchemaVersion": lambda w: ({"Name": "none", "Content": document(schema="9.9")}, None),
    },
    "UpdateDocument": {
        "InvalidDocument": lambda w: ({**GONE[0], "Content": document()}, GONE[1]),
        "MaxDocumentSizeExceeded": lambda w: ({"Name": w.create(), "Content": document("x" * 65_536)}, "The size limit of a document is 64 KB."),
        "InvalidDocumentContent": lambda w: ({"Name": w.create(), "Content": "{}"}, None),
        "InvalidDocumentSchemaVersion": lambda w: (lambda name: ({"Name": name, "Content": document()}, f"Document {name} has the schema version 1.2: only "
                                                                 "documents of the schema version 2.0 or later can be updated."))(w.create(OLD)),
        "InvalidDocumentVersion": lambda w: (lambda name: ({"Name": name, "Content": document(), "DocumentVersion": "1"}, f"Version provided for document {name} "
                                                           f"is not latest. Please provide the latest version to update document {name}"))(w.versions()),
        "DuplicateDocumentContent": lambda w: ({"Name": w.create(), "Content": document()}, "The content of the association document matches another document. "
                                               "Change the content of the document and try again."),
        "DuplicateDocumentVersionName": lambda w: ({"Name": w.versions(), "Content": document(), "VersionName": "one"}, "The version name has already been used in "
                                                   "this document. Specify a different version name, and then try again."),
    },
    "UpdateDocumentDefaultVersion": {
        "InvalidDocument": lambda w: ({**GONE[0], "DocumentVersion": "1"}, GONE[1]),
        "InvalidDocumentVersion": lambda w: ({"Name": w.versions(), "DocumentVersion": "9"}, no_version("9")),
    },
    "DescribeDocument": {
        "InvalidDocument": lambda w: GONE,
        "InvalidDocumentVersion": lambda w: ({"Name": w.versions(), "DocumentVersion": "2", "VersionName": "one"}, no_version("2")),
    },
    "GetDocument": {
        "InvalidDocument": lambda w: GONE,
        "InvalidDocumentVersion": lambda w: ({"Name": "AWS-RunShellScript", "DocumentVersion": "9"}, no_version("9")),
    },
    "ListDocuments": {
        "InvalidNextToken": lambda w: ({"NextToken": "garbage"}, "The specified token is not valid."),
        "InvalidFilterKey": lambda w: ({"Filters": [{"Key": "Colour", "Values": ["red"]}]}, "The filter key Colour is not valid."),
    },
    "ListDocumentVersions": {
        "InvalidDocument": lambda w: GONE,
        "InvalidNextToken": lambda w: ({"Name": w.versions(), "NextToken": "garbage"}, "The specified token is not valid."),
    },
    "DeleteDocument": {
        "InvalidDocument": lambda w: GONE,
        "InvalidDocumentOperation": lambda w: ({"Name": w.versions(), "VersionName": "one"}, "Default version of the document can't be deleted."),
    },
    "ModifyDocumentPermission": {
        "InvalidDocument": lambda w: ({**GONE[0], "PermissionType": "Share", "AccountIdsToAdd": ["all"]}, GONE[1]),
        "DocumentPermissionLimit": lambda w: ({"Name": public(w), "PermissionType": "Share", "AccountIdsToAdd": ["All"]},
                                              "The document can't be shared with more Amazon Web Services accounts."),
    },
    "DescribeDocumentPermission": {
        "InvalidDocument": lambda w: ({**GONE[0], "PermissionType": "Share"}, GONE[1]),
        "InvalidNextToken": lambda w: ({"Name": w.create(), "PermissionType": "Share", "NextToken": "garbage"}, "The specified token is not valid."),
    },
    "AddTagsToResource": {
        "InvalidResourceType": lambda w: ({"ResourceType": "OpsItem", "ResourceId": "x", "Tags": TAGS}, None),
        "InvalidResourceId": lambda w: ({"ResourceType": "Document", "ResourceId": "gone", "Tags": TAGS}, None),
        "TooManyTagsError": lambda w: ({"ResourceType": "Document", "ResourceId": w.create(), "Tags": MANY}, None),
    },
    "RemoveTagsFromResource": {
        "InvalidResourceType": lambda w: ({"ResourceType": "OpsItem", "ResourceId": "x", "TagKeys": ["a"]}, None),
        "InvalidResourceId": lambda w: ({"ResourceType": "Document", "ResourceId": "AWS-RunShellScript", "TagKeys": ["a"]}, None),
    },
    "ListTagsForResource": {
        "InvalidResourceType": lambda w: ({"ResourceType": "OpsItem", "ResourceId": "x"}, None),
        "InvalidResourceId": lambda w: ({"ResourceType": "ManagedInstance", "ResourceId": "mi-0123456789abcdef0"}, None),
    },
}
# Brought about by a test of their own.
ELSEWHERE = {("CreateDocument", "DocumentLimitExceeded")}
ONE_AT_A_TIME = "What changes a document is done one after another."
ABSENT = {
    "InternalServerError": "Nothing asks for it.",
    "TooManyUpdates": ONE_AT_A_TIME,
    "AssociatedInstances": "There are no associations.",
    "NoLongerSupportedException": "Nothing is out of support.",
    "InvalidPermissionType": "The member's constraint leaves no other.",
    ("UpdateDocument", "InvalidDocumentOperation"): "Nothing is deleted.",
    ("UpdateDocument", "DocumentVersionLimitExceeded"): "A thousand versions are many: the rule has its own test.",
    ("UpdateDocumentDefaultVersion", "InvalidDocumentSchemaVersion"): "What has several versions has a schema that can.",
    ("ModifyDocumentPermission", "DocumentLimitExceeded"): "Sharing makes no document.",
    ("DescribeDocumentPermission", "InvalidDocumentOperation"): "Nothing is deleted.",
}


def public(w):
    """A document of an account that shares five others with all."""
    for _ in range(5):
        w.ssm.modify_document_permission(Name=w.create(), PermissionType="Share", AccountIdsToAdd=["all"])
    return w.create()


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_error_is_brought_about_or_cannot_be(name):
    told = {shape.name for shape in SSM.operation_model(name).error_shapes}
    absent = {code for code in told if code in ABSENT or (name, code) in ABSENT}
    elsewhere = {code for operation, code in ELSEWHERE if operation == name}
    assert set(ERRORS[name]) | elsewhere | absent == told
    assert not set(ERRORS[name]) & absent


@pytest.mark.parametrize("name, code", [(name, code) for name in OPERATIONS for code in ERRORS[name]])
def test_an_error_is_aws_s(server, name, code):
    w = World(server)
    parameters, words = ERRORS[name][code](w)
    with pytest.raises(w.ssm.exceptions.ClientError) as refusal:
        call(w.ssm, name, parameters)
    error = refusal.value.response["Error"]
    assert error["Code"] == code, error
    if words is not None:
        assert error["Message"] == words


# Constraints.

def told(path):
    return ".".join(part[:1].lower() + part[1:] for part in path.split("."))


def ask(w, name, body):
    status, _, body = harness.request(w.server, json.dumps(body), f"AmazonSSM.{name}", "application/x-amz-json-1.1", account=w.account, service="ssm")
    answer = json.loads(body)
    return status, answer.get("__type"), answer.get("message", answer.get("Message", ""))


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_member_beyond_its_constraint_is_refused_in_aws_s_words(w, name):
    for request, path, shape, _ in model.members(SSM.operation_model(name).input_shape):
        for value, constraint in model.breaches(shape):
            status, code, words = ask(w, name, request(value))
            assert (status, code) == (400, "ValidationException"), (path, str(value)[:80], code, words)
            assert f" at '{told(path)}' failed to satisfy constraint: {constraint}" in words, (path, words)


@pytest.mark.parametrize("name", OPERATIONS)
def test_a_member_that_is_needed_is_missed(w, name):
    for request, path, _, needed in model.members(SSM.operation_model(name).input_shape):
        if needed:
            constraint = f"Value null at '{told(path)}' failed to satisfy constraint: Member must not be null"
            assert ask(w, name, request(None)) == (400, "ValidationException", f"1 validation error detected: {constraint}")


@pytest.mark.parametrize("member, value, words", [
    ("DocumentType", "Automation", "Documents of the type Automation are not available in this version of Dandori."),
    ("Requires", [{"Name": "other"}], "Requires is not available in this version of Dandori."),
    ("Attachments", [{"Key": "SourceUrl", "Values": ["s3://b/p"]}], "Attachments is not available in this version of Dandori."),
    ("Name", "aws-mine", "Invalid document name aws-mine"),
    ("Name", "AMAZON-mine", "Invalid document name AMAZON-mine"),
    ("Name", "Dandori-mine", "Invalid document name Dandori-mine"),
    ("Tags", [{"Key": "aws:a", "Value": "b"}], "Invalid tag: 'aws:a' = 'b'"),
])
def test_what_is_not_taken_is_said(w, member, value, words):
    check_refusal(w.ssm, "CreateDocument", "ValidationException", {"Name": "mine", "Content": document(), member: value}, words)


# What is kept.

def test_a_document_from_creation_to_deletion(w):
    name, content = w.name(), document("echo {{ who }}", description="Greets", parameters={
        "who": {"type": "String", "description": "Whom", "default": "you"}, "times": {"type": "StringList", "default": ["a", "b"]}})
    created = w.ssm.create_document(Name=name, Content=content, DisplayName="Greeting", VersionName="first", TargetType="/AWS::EC2::Instance",
                                    Tags=TAGS)["DocumentDescription"]
    assert {key: created[key] for key in created if key != "CreatedDate"} == {
        "Hash": hashlib.sha256(content.encode()).hexdigest(), "HashType": "Sha256", "Name": name, "DisplayName": "Greeting", "VersionName": "first",
        "Owner": w.account, "Status": "Active", "DocumentVersion": "1", "Description": "Greets",
        "Parameters": [{"Name": "who", "Type": "String", "Description": "Whom", "DefaultValue": "you"},
                       {"Name": "times", "Type": "StringList", "DefaultValue": '["a","b"]'}],
        "PlatformTypes": ["Linux", "MacOS"], "DocumentType": "Command", "SchemaVersion": "2.2", "LatestVersion": "1", "DefaultVersion": "1",
        "DocumentFormat": "JSON", "TargetType": "/AWS::EC2::Instance", "Tags": TAGS}
    assert w.ssm.describe_document(Name=name)["Document"] == created

    other = document("echo other")
    updated = w.ssm.update_document(Name=name, Content=other, DocumentVersion="1", VersionName="second")["DocumentDescription"]
    assert (updated["DocumentVersion"], updated["LatestVersion"], updated["DefaultVersion"]) == ("2", "2", "1")
    assert (updated["DisplayName"], updated["TargetType"], updated["VersionName"]) == ("Greeting", "/AWS::EC2::Instance", "second")
    for version, choice in [("1", {}), ("1", {"DocumentVersion": "$DEFAULT"}), ("1", {"DocumentVersion": "1"}), ("2", {"DocumentVersion": "$LATEST"}),
                            ("2", {"VersionName": "second"}), ("1", {"VersionName": "first", "DocumentVersion": "1"})]:
        for who in (name, w.arn(name)):
            assert w.ssm.describe_document(Name=who, **choice)["Document"]["DocumentVersion"] == version
            got = w.ssm.get_document(Name=who, **choice)
            assert (got["Content"], got["DocumentVersion"], got["DocumentFormat"]) == ({"1": content, "2": other}[version], version, "JSON")

    default = w.ssm.update_document_default_version(Name=name, DocumentVersion="2")["Description"]
    assert default == {"Name": name, "DefaultVersion": "2", "DefaultVersionName": "second"}
    assert [(version["DocumentVersion"], version["IsDefaultVersion"]) for version in w.ssm.list_document_versions(Name=name)["DocumentVersions"]] \
        == [("2", True), ("1", False)]

    w.ssm.delete_document(Name=name, VersionName="first")
    check_refusal(w.ssm, "DescribeDocument", "InvalidDocumentVersion", {"Name": name, "DocumentVersion": "1"}, no_version("1"))
    check_refusal(w.ssm, "DeleteDocument", "InvalidDocument", {"Name": name, "DocumentVersion": "1"}, f"Document with name {name} does not exist.")
    w.ssm.delete_document(Name=name)
    check_refusal(w.ssm, "GetDocument", "InvalidDocument", {"Name": name}, f"Document with name {name} does not exist.")
    w.create(Name=name)


def test_a_document_in_the_other_format(w):
    name = w.create(YAML, DocumentFormat="YAML")
    assert w.ssm.describe_document(Name=name)["Document"]["DocumentFormat"] == "YAML"
    assert w.ssm.get_document(Name=name, DocumentFormat="YAML")["Content"] == YAML
    as_json = w.ssm.get_document(Name=name)
    assert as_json["DocumentFormat"] == "JSON"
    read = json.loads(as_json["Content"])
    assert read["mainSteps"][0]["inputs"] == {"runCommand": ["echo hello {{ who }}"]}
    twin = w.create(as_json["Content"])
    again = w.ssm.get_document(Name=twin, DocumentFormat="YAML")
    assert again["DocumentFormat"] == "YAML"
    third = w.create(again["Content"], DocumentFormat="YAML")
    assert json.loads(w.ssm.get_document(Name=third)["Content"]) == read


def test_what_comes_with_dandori(w):
    for name, owner in [("AWS-RunShellScript", "Amazon"), ("AWS-RunPowerShellScript", "Amazon"), ("AWS-RunRemoteScript", "Amazon"), ("Dandori-RunJob", "Dandori")]:
        described = w.ssm.describe_document(Name=name)["Document"]
        assert (described["Owner"], described["DocumentType"], described["Status"], described["DefaultVersion"]) == (owner, "Command", "Active", "1")
        assert described["Parameters"] and described["PlatformTypes"]
        got = w.ssm.get_document(Name=f"arn:aws:ssm:{harness.REGION}::document/{name}")
        assert hashlib.sha256(got["Content"].encode()).hexdigest() == described["Hash"]
        assert json.loads(got["Content"])["schemaVersion"] == described["SchemaVersion"]
        (version,) = w.ssm.list_document_versions(Name=name)["DocumentVersions"]
        assert version["IsDefaultVersion"]
        for operation, more in [("UpdateDocument", {"Content": document()}), ("DeleteDocument", {}), ("UpdateDocumentDefaultVersion", {"DocumentVersion": "1"})]:
            check_refusal(w.ssm, operation, "InvalidDocument", {"Name": name, **more}, f"Document with name {name} does not exist.")


def names(client, *filters, **more):
    given = [{"Key": key, "Values": values} for key, values in filters]
    pages = client.get_paginator("list_documents").paginate(Filters=given, **more)
    return [one["Name"] for page in pages for one in page["DocumentIdentifiers"]]


def test_documents_are_listed_and_found(server):
    w = World(server)
    mine = [w.create(Name="Backup-A", Tags=TAGS), w.create(Name="Backup-B", DisplayName="Nightly"), w.create(Name="Report", TargetType="/")]
    assert names(w.ssm, ("Owner", ["Self"])) == mine
    everything = names(w.ssm)
    assert everything[:3] == mine and "AWS-RunShellScript" in everything and everything[-1] == "Dandori-RunJob"
    assert names(w.ssm, PaginationConfig={"PageSize": 1}) == everything
    assert names(w.ssm, ("Owner", ["Amazon"]), ("Name", ["AWS-RunS"])) == ["AWS-RunShellScript"]
    assert names(w.ssm, ("Owner", ["ThirdParty"])) == ["Dandori-RunJob"]
    assert names(w.ssm, ("Name", ["Back"])) == mine[:2]
    assert names(w.ssm, ("tag:team", ["web", "storage"])) == mine[:1]
    assert names(w.ssm, ("SearchKeyword", ["nightly"])) == mine[1:2]
    assert names(w.ssm, ("Owner", ["Self"]), ("PlatformTypes", ["Windows"])) == []
    assert names(w.ssm, ("Owner", ["Self"]), ("PlatformTypes", ["Windows", "Linux"]), ("DocumentType", ["Command"])) == mine
    old = w.ssm.list_documents(DocumentFilterList=[{"key": "Owner", "value": "Self"}, {"key": "Name", "value": "Rep"}])["DocumentIdentifiers"]
    assert [(one["Name"], one["Owner"], one["TargetType"], one["DocumentVersion"], one["SchemaVersion"]) for one in old] == [("Report", w.account, "/", "1", "2.2")]
    page = w.ssm.list_documents(MaxResults=1)
    check_refusal(w.ssm, "ListDocuments", "InvalidNextToken", {"NextToken": page["NextToken"], "Filters": [{"Key": "Owner", "Values": ["Self"]}]},
                  "The specified token is not valid.")
    w.ssm.delete_document(Name="Backup-A")
    assert names(w.ssm, ("Owner", ["Self"])) == mine[1:]


def test_versions_come_in_pages(w):
    name = w.versions(4)
    pages = list(w.ssm.get_paginator("list_document_versions").paginate(Name=name, PaginationConfig={"PageSize": 3}))
    assert [[(one["DocumentVersion"], one["VersionName"]) for one in page["DocumentVersions"]] for page in pages] \
        == [[("4", "v4"), ("3", "v3"), ("2", "v2")], [("1", "one")]]


def test_a_shared_document_is_there_for_others(w):
    other = World(w.server)
    name = w.versions(2)
    arn = w.arn(name)
    share = {"Name": name, "PermissionType": "Share"}
    check_refusal(other.ssm, "GetDocument", "InvalidDocument", {"Name": arn}, f"Document with name {arn} does not exist.")
    w.ssm.modify_document_permission(**share, AccountIdsToAdd=[other.account, "333333333333"])
    told = w.ssm.describe_document_permission(**share)
    assert sorted(told["AccountIds"]) == sorted([other.account, "333333333333"])
    assert {one["SharedDocumentVersion"] for one in told["AccountSharingInfoList"]} == {"$DEFAULT"}
    first = w.ssm.describe_document_permission(**share, MaxResults=1)
    second = w.ssm.describe_document_permission(**share, MaxResults=1, NextToken=first["NextToken"])
    assert first["AccountIds"] + second["AccountIds"] == told["AccountIds"] and "NextToken" not in second
    assert json.loads(other.ssm.get_document(Name=arn)["Content"])["mainSteps"][0]["inputs"]["runCommand"] == ["echo 1"]
    assert other.ssm.describe_document(Name=arn)["Document"]["Owner"] == w.account
    check_refusal(other.ssm, "GetDocument", "InvalidDocumentVersion", {"Name": arn, "DocumentVersion": "2"}, no_version("2"))
    assert names(other.ssm, ("Owner", ["Private"])) == [name] and name in names(other.ssm)
    check_refusal(w.ssm, "DeleteDocument", "InvalidDocumentOperation", {"Name": name}, "You attempted to delete a document while it is still shared. "
                  "You must stop sharing the document before you can delete it.")
    w.ssm.modify_document_permission(**share, AccountIdsToAdd=["ALL"], AccountIdsToRemove=[other.account, "333333333333"], SharedDocumentVersion="$ALL")
    assert w.ssm.describe_document_permission(**share)["AccountSharingInfoList"] == [{"AccountId": "all", "SharedDocumentVersion": "$ALL"}]
    assert other.ssm.get_document(Name=arn, DocumentVersion="2")["DocumentVersion"] == "2"
    assert name in names(other.ssm, ("Owner", ["Public"])) and name not in names(other.ssm)
    w.ssm.modify_document_permission(**share, AccountIdsToRemove=["all"])
    check_refusal(other.ssm, "GetDocument", "InvalidDocument", {"Name": arn}, f"Document with name {arn} does not exist.")
    w.ssm.delete_document(Name=name)
    check_refusal(w.ssm, "ModifyDocumentPermission", "ValidationException", share, "You must specify a value for AccountIdsToAdd or for AccountIdsToRemove.")


@pytest.mark.parametrize("kind", ["Document", "Parameter", "ManagedInstance"])
def test_tags(ssm, instance, kind):
    name = {"Document": "Tagged", "Parameter": "/tagged", "ManagedInstance": instance}[kind]
    if kind == "Document":
        ssm.create_document(Name=name, Content=document(), Tags=TAGS[:1])
    elif kind == "Parameter":
        ssm.put_parameter(Name=name, Value="v", Type="String", Tags=TAGS[:1])
    else:
        ssm.add_tags_to_resource(ResourceType=kind, ResourceId=name, Tags=TAGS[:1])
    resource = {"ResourceType": kind, "ResourceId": name}
    assert ssm.list_tags_for_resource(**resource)["TagList"] == TAGS[:1]
    ssm.add_tags_to_resource(**resource, Tags=[{"Key": "team", "Value": "web"}, TAGS[1]])
    assert ssm.list_tags_for_resource(**resource)["TagList"] == [{"Key": "team", "Value": "web"}, TAGS[1]]
    ssm.remove_tags_from_resource(**resource, TagKeys=["team", "gone"])
    assert ssm.list_tags_for_resource(**resource)["TagList"] == TAGS[1:]
    ssm.add_tags_to_resource(**resource, Tags=MANY[:49])
    check_refusal(ssm, "AddTagsToResource", "TooManyTagsError", {**resource, "Tags": MANY[49:50]})
    check_refusal(ssm, "AddTagsToResource", "ValidationException", {**resource, "Tags": [{"Key": "aws:a", "Value": ""}]}, "Invalid tag: 'aws:a' = ''")
    ssm.remove_tags_from_resource(**resource, TagKeys=[tag["Key"] for tag in TAGS + MANY])
    assert ssm.list_tags_for_resource(**resource)["TagList"] == []


# What a command makes of a document.

def sent(ssm, instance, name, seconds=30, **more):
    command = ssm.send_command(InstanceIds=[instance], DocumentName=name, **more)["Command"]["CommandId"]

    def question():
        (one,) = ssm.list_command_invocations(CommandId=command, Details=True)["CommandInvocations"] or [None]
        return one if one and one["Status"] not in ("Pending", "InProgress", "Delayed", "Cancelling") else None

    return until(question, seconds, f"{command} did not end")


def outputs(invocation):
    return {plugin["Name"]: (plugin["Status"], plugin["Output"]) for plugin in invocation["CommandPlugins"]}


def make(ssm, content, name, **more):
    ssm.create_document(Name=name, Content=content, **more)
    return name


def test_a_document_runs_with_its_parameters(ssm, instance, w):
    name = make(ssm, YAML, "Greet", DocumentFormat="YAML")
    assert outputs(sent(ssm, instance, name)) == {"greet": ("Success", "hello you\n")}
    hostile = "$(id) ; `id` 'x' \"y\""
    for who in (name, f"arn:aws:ssm:{harness.REGION}:{harness.ACCOUNT}:document/{name}"):
        assert outputs(sent(ssm, instance, who, Parameters={"who": [hostile]})) == {"greet": ("Success", f"hello {hostile}\n")}
    ssm.update_document(Name=name, Content=document("echo second"), DocumentVersion="$LATEST")
    for version, shown in [("$DEFAULT", "hello you\n"), ("1", "hello you\n"), ("$LATEST", "second\n"), ("2", "second\n")]:
        assert outputs(sent(ssm, instance, name, DocumentVersion=version)) == {"greet" if "hello" in shown else "run": ("Success", shown)}
    ssm.update_document_default_version(Name=name, DocumentVersion="2")
    assert outputs(sent(ssm, instance, name)) == {"run": ("Success", "second\n")}
    check_refusal(ssm, "SendCommand", "InvalidDocumentVersion", {"InstanceIds": [instance], "DocumentName": name, "DocumentVersion": "9"}, no_version("9"))
    check_refusal(ssm, "SendCommand", "InvalidParameters", {"InstanceIds": [instance], "DocumentName": name, "Parameters": {"what": ["x"]}},
                  f"document {name} does not support parameters.")
    check_refusal(w.ssm, "SendCommand", "InvalidDocument", {"Targets": [{"Key": "InstanceIds", "Values": [instance]}], "DocumentName": name},
                  f"Document with name {name} does not exist.")


def test_a_shared_document_runs(ssm, instance, w):
    name = w.create(document("echo shared"))
    w.ssm.modify_document_permission(Name=name, PermissionType="Share", AccountIdsToAdd=[harness.ACCOUNT])
    assert outputs(sent(ssm, instance, w.arn(name))) == {"run": ("Success", "shared\n")}


def test_what_a_document_refers_to_is_looked_up(ssm, instance):
    ssm.put_parameter(Name="/greet/who", Value="the store's $HOME", Type="String")
    ssm.put_parameter(Name="/greet/all", Value="a,b,c", Type="StringList")
    ssm.put_parameter(Name="/greet/secret", Value="canary", Type="SecureString")
    name = make(ssm, document("echo {{ ssm:/greet/who }}"), "Looks-Up")
    assert outputs(sent(ssm, instance, name)) == {"run": ("Success", "the store's $HOME\n")}
    with_list = document("{{ lines }}", parameters={"lines": {"type": "StringList"}})
    name = make(ssm, with_list, "Takes-Lines")
    assert outputs(sent(ssm, instance, name, Parameters={"lines": ["echo {{ssm:/greet/all}}"]})) == {"run": ("Success", "a,b,c\n")}
    for reference in ("/greet/secret", "/greet/none"):
        with pytest.raises(ssm.exceptions.InvalidParameters):
            ssm.send_command(InstanceIds=[instance], DocumentName=name, Parameters={"lines": ["echo {{ssm:" + reference + "}}"]})


def test_steps_and_documents_in_documents(ssm, instance):
    def step(name, *commands, on="Linux", **more):
        return {"action": "aws:runShellScript", "name": name, "precondition": {"StringEquals": ["platformType", on]}, "inputs": {"runCommand": list(commands), **more}}

    inner = make(ssm, json.dumps({"schemaVersion": "2.2", "parameters": {"what": {"type": "String"}}, "mainSteps": [step("say", "echo inner {{ what }}")]}), "Inner")
    outer = json.dumps({"schemaVersion": "2.2", "parameters": {"what": {"type": "String", "default": "it"}}, "mainSteps": [
        step("first", "echo first"),
        step("windows", "echo never", on="Windows"),
        {"action": "aws:runDocument", "name": "nested", "inputs": {"documentType": "SSMDocument", "documentPath": inner, "documentParameters": {"what": "{{ what }}"}}},
        step("last", "echo last"),
    ]})
    name = make(ssm, outer, "Outer")
    invocation = sent(ssm, instance, name, Parameters={"what": ["a 'b' $c"]})
    told = outputs(invocation)
    assert invocation["Status"] == "Success"
    assert [plugin["Name"] for plugin in invocation["CommandPlugins"]] == ["first", "windows", "nested.say", "last"]
    assert (told["first"], told["nested.say"], told["last"]) == (("Success", "first\n"), ("Success", "inner a 'b' $c\n"), ("Success", "last\n"))
    assert told["windows"][0] == "Success" and "never" not in told["windows"][1]
    ssm.delete_document(Name=inner)
    check_refusal(ssm, "SendCommand", "InvalidDocument", {"InstanceIds": [instance], "DocumentName": name}, "Document with name Inner does not exist.")
    failing = make(ssm, json.dumps({"schemaVersion": "2.2", "mainSteps": [step("bad", "exit 3", onFailure="exit"), step("after", "echo after")]}), "Fails")
    invocation = sent(ssm, instance, failing)
    assert invocation["Status"] == "Failed" and "after\n" not in str(outputs(invocation))


def test_the_command_line(w, tmp_path):
    w.server.aws("ssm", "create-document", "--name", "From-Cli", "--content", "file://" + write(tmp_path / "a.json", document("echo 1")), account=w.account)
    w.server.aws("ssm", "update-document", "--name", "From-Cli", "--content", "file://" + write(tmp_path / "a.yaml", YAML), "--document-format", "YAML",
                 "--document-version", "$LATEST", account=w.account)
    listed = w.server.aws("ssm", "list-documents", "--filters", "Key=Name,Values=From-C", account=w.account)
    assert [one["Name"] for one in listed["DocumentIdentifiers"]] == ["From-Cli"]
    assert w.server.aws("ssm", "get-document", "--name", "From-Cli", "--document-version", "2", "--document-format", "YAML", account=w.account)["Content"] == YAML
    w.server.aws("ssm", "update-document-default-version", "--name", "From-Cli", "--document-version", "2", account=w.account)
    w.server.aws("ssm", "add-tags-to-resource", "--resource-type", "Document", "--resource-id", "From-Cli", "--tags", "Key=a,Value=b", account=w.account)
    w.server.aws("ssm", "delete-document", "--name", "From-Cli", account=w.account)


def write(path, text):
    path.write_text(text)
    return str(path)


def test_our_own_command_line(w, tmp_path):
    def dandori(*arguments):
        return w.server.dandori(*arguments, account=w.account)

    put = dandori("document", "put", write(tmp_path / "a.yaml", YAML), "--name", "Greet")
    assert (put.returncode, put.stdout) == (0, "name\tGreet\nversion\t1\n"), put
    assert dandori("document", "get", "Greet").stdout == YAML
    assert json.loads(dandori("document", "get", "Greet", "--form", "json").stdout)["schemaVersion"] == "2.2"
    assert dandori("document", "put", write(tmp_path / "b.json", document("echo 2")), "--name", "Greet").stdout == "name\tGreet\nversion\t2\n"
    assert w.ssm.describe_document(Name="Greet")["Document"]["DefaultVersion"] == "2"
    assert dandori("document", "put", str(tmp_path / "b.json"), "--name", "Greet").stdout == "name\tGreet\nversion\t2\n"
    assert dandori("document", "get", "Greet", "--version", "1", "-o", "json").returncode == 0
    listed = dandori("document", "list").stdout.splitlines()
    assert listed[0].split("\t") == ["name", "owner", "version", "type", "platform", "created"]
    assert any(line.startswith(f"Greet\t{w.account}\t2\tCommand\tLinux,MacOS\t") for line in listed)
    wrong = dandori("document", "put", write(tmp_path / "c.json", "{}"), "--name", "Wrong")
    assert wrong.returncode == 10 and "DN0512" in wrong.stderr
    assert dandori("document", "delete", "Greet").returncode == 2
    assert dandori("document", "delete", "Greet", "--version", "1", "--yes").returncode == 0
    assert dandori("document", "delete", "Greet", "--yes").returncode == 0
    gone = dandori("document", "get", "Greet")
    assert gone.returncode == 3 and "DN0312" in gone.stderr


# Limits and crashes.

def test_documents_survive_a_kill(directories):
    server = harness.Server(directories.make("documents")).start()
    try:
        w = World(server)
        name = w.versions(3)
        w.ssm.update_document_default_version(Name=name, DocumentVersion="2")
        w.ssm.delete_document(Name=name, DocumentVersion="1")
        w.ssm.add_tags_to_resource(ResourceType="Document", ResourceId=name, Tags=TAGS)
        w.ssm.modify_document_permission(Name=name, PermissionType="Share", AccountIdsToAdd=["111111111111"])

        def seen():
            described = [call(w.ssm, "DescribeDocument", {"Name": name, "DocumentVersion": version}) for version in ("$DEFAULT", "$LATEST")]
            lists = call(w.ssm, "ListDocuments", {}), call(w.ssm, "ListDocumentVersions", {"Name": name})
            shared = call(w.ssm, "DescribeDocumentPermission", {"Name": name, "PermissionType": "Share"})
            return described, lists, shared, call(w.ssm, "GetDocument", {"Name": name})

        before = seen()
        server.kill()
        server.start()
        w.ssm = server.client("ssm", w.account)
        assert seen() == before
        assert w.ssm.update_document(Name=name, Content=document("echo new"))["DocumentDescription"]["DocumentVersion"] == "4"
    finally:
        server.kill()


def test_there_are_never_more_documents_than_the_quota(directories):
    directory = directories.make("quota")
    server = harness.Server(directory, config="[limits]\ndocuments = 3\n").start()
    try:
        w = World(server)
        mine = [w.create() for _ in range(3)]
        check_refusal(w.ssm, "CreateDocument", "DocumentLimitExceeded", {"Name": "fourth", "Content": document()}, "You can have at most 3 active SSM documents.")
        check_refusal(w.ssm, "CreateDocument", "DocumentAlreadyExists", {"Name": mine[0], "Content": document()}, f"Document with same name {mine[0]} already exists")
        w.ssm.delete_document(Name=mine[0])
        w.create()
    finally:
        server.kill()
