"""What a service's own model (botocore's, which AWS publishes) says of requests and answers."""

import json

import botocore.session



def service(name):
    return botocore.session.get_session().get_service_model(name)


SFN = service("stepfunctions")

# Who may stand for which type in JSON 1.0: times are seconds.
TYPES = {"string": str, "integer": int, "long": int, "float": (int, float), "double": (int, float), "timestamp": (int, float), "boolean": bool,
         "list": list, "map": dict, "structure": dict}


# An enum's member that Run Command answers with an empty text when nothing was said (its guide's examples).
EMPTY = ".NotificationConfig.NotificationType"


def faults(value, shape, at=""):
    """Where `value` is not what `shape` says: members that are unknown or missing, wrong types, values that no enum has."""
    wanted = TYPES[shape.type_name]
    if not isinstance(value, wanted) or isinstance(value, bool) and wanted is not bool:
        return [f"{at or 'answer'}: {value!r} is no {shape.type_name}"]
    if shape.type_name == "structure":
        found = [f"{at}.{key} is not in the model" for key in value if key not in shape.members]
        found += [f"{at}.{key} is missing" for key in shape.required_members if key not in value]
        for key, member in value.items():
            if key in shape.members:
                found += faults(member, shape.members[key], f"{at}.{key}")
        return found
    if shape.type_name == "list":
        return [fault for number, item in enumerate(value) for fault in faults(item, shape.member, f"{at}[{number}]")]
    if shape.type_name == "map":
        return [fault for key, item in value.items() for fault in faults(item, shape.value, f"{at}.{key}")]
    if value not in (shape.metadata.get("enum") or [value]) and not (value == "" and at.endswith(EMPTY)):
        return [f"{at}: {value!r} is none of {shape.metadata['enum']}"]
    return []


def watch(client):
    """Has every good answer in JSON that `client` gets checked, before boto3 takes from it what it knows and drops the rest."""

    def check(operation_model, response_dict, **_):
        if response_dict["status_code"] != 200 or operation_model.output_shape is None:
            return
        found = faults(json.loads(response_dict["body"] or b"{}"), operation_model.output_shape)
        assert not found, f"{operation_model.name} does not answer as its model says: {found}"

    if client.meta.service_model.metadata["protocol"] != "query":
        client.meta.events.register("before-parse", check)
    return client


# Values that each pattern of the model refuses, and, where "a" is none, one that it lets pass.
REFUSED = {r"^(?=.*[a-zA-Z_\-\.])[a-zA-Z0-9_\-\.]+$": "123", "[!-~]+": "a b", r"\p{ASCII}*": "é",
           # Systems Manager.
           r"^[a-zA-Z0-9_\-.]{3,128}$": "a b", r"^[a-zA-Z0-9_\-.:/]{3,128}$": "a b", r"^[a-zA-Z0-9_\-.]{1,128}$": "a b", "(^[1-9][0-9]*$)": "0",
           "([$]LATEST|[$]DEFAULT|^[1-9][0-9]*$)": "0", "([$]LATEST|[$]DEFAULT|[$]ALL)": "1", r"^[\w\.\-\:\/ ]*$": "a+b", r"^\/[\w\.\-\:\/]*$": "a",
           r"(^i-(\w{8}|\w{17})$)|(^mi-\w{17}$)": "web-1", r"^(?!\s*$).+": " ",
           r"^[\p{L}\p{Z}\p{N}_.:/=\-@]*$|resource-groups:ResourceTypeFilters|resource-groups:Name": "a+b",
           r"^([1-9][0-9]*|[1-9][0-9]%|[1-9]%|100%)$": "0", r"^([1-9][0-9]*|[0]|[1-9][0-9]%|[0-9]%|100%)$": "101%",
           "(?i)all|[0-9]{12}": "nobody", r"^([\p{L}\p{Z}\p{N}_.:/=+\-@]*)$": "a<b"}
FITTING = {r"^[a-zA-Z0-9_\-.]{3,128}$": "name", r"^[a-zA-Z0-9_\-.:/]{3,128}$": "name", "(^[1-9][0-9]*$)": "1",
           r"(^i-(\w{8}|\w{17})$)|(^mi-\w{17}$)": "mi-00000000000000000"}


def valid(shape):
    """A value with nothing but what has to be there."""
    if shape.type_name == "structure":
        return {key: valid(shape.members[key]) for key in shape.required_members}
    if shape.type_name == "list":
        return [valid(shape.member)] * shape.metadata.get("min", 0)
    if shape.type_name == "string":
        fitting = FITTING.get(shape.metadata.get("pattern"), "a" * max(shape.metadata.get("min", 0), 1))
        return (shape.metadata.get("enum") or [fitting])[0]
    return {"boolean": True, "map": {}}.get(shape.type_name, shape.metadata.get("min", 0))


def members(shape):
    """Every member of a request, however deep: the request with nothing but it and what has to be there as a function of its
    value, how AWS tells where it is, and its shape."""

    def deeper(shape, within, told):
        if shape.type_name == "structure":
            for key, member in shape.members.items():
                around = lambda value, key=key: within({**valid(shape), key: value})
                yield around, f"{told}{key}", member, key in shape.required_members
                yield from deeper(member, around, f"{told}{key}.")
        if shape.type_name == "list" and shape.member.type_name == "structure":
            yield from deeper(shape.member, lambda value: within([value]), f"{told}1.member.")

    yield from deeper(shape, lambda value: value, "")


def breaches(shape):
    """Values that break one constraint of a plain member or of a list's length, and the constraint in AWS's words."""
    limits, counts = shape.metadata, shape.type_name in ("integer", "long", "float")
    if counts:
        make, words = (lambda number: number), "have value"
    elif shape.type_name == "list":
        make, words = (lambda number: [valid(shape.member)] * number), "have length"
    else:
        make, words = (lambda number: "a" * number), "have length"
    if "max" in limits:
        yield make(limits["max"] + 1), f"Member must {words} less than or equal to {limits['max']}"
    if limits.get("min", 0) > 0 or counts and "min" in limits:
        yield make(limits["min"] - 1), f"Member must {words} greater than or equal to {limits['min']}"
    if limits.get("pattern"):
        yield REFUSED[limits["pattern"]], f"Member must satisfy regular expression pattern: {limits['pattern']}"
    if limits.get("enum"):
        yield "NOTHING", "Member must satisfy enum value set: ["
    if shape.type_name == "list" and shape.member.type_name == "string":
        for value, constraint in breaches(shape.member):
            yield [value], "Member must satisfy constraint: [Member must"
