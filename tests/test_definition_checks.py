"""`definition lint` and `definition test`: no server, the real binary."""

import json
import subprocess

from harness import BINARY, ROOT, environment

EXAMPLE = ROOT / "examples" / "backup-net"


def dandori(*arguments, **variables):
    ran = subprocess.run([BINARY, "definition", *map(str, arguments)], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                         env={**environment(), **variables}, timeout=20)
    return ran.returncode, ran.stdout, ran.stderr


def test_the_examples_are_clean_and_their_table_passes():
    assert dandori("lint", *EXAMPLE.glob("*.asl.json"), "--strict")[0] == 0
    code, out, _ = dandori("test", EXAMPLE / "backup-net.test.json", "--output", "json")
    assert code == 0
    assert [(case["case"], case["passed"], case["virtualMs"]) for case in json.loads(out)] == [
        ("a good night", True, 600_000), ("the database does not stop", True, 0)]


def test_findings_decide_how_it_ends(tmp_path):
    doubtful = tmp_path / "doubtful.json"
    doubtful.write_text('{"StartAt":"A","States":{"A":{"Type":"Choice","Choices":[{"Variable":"$.x","IsNull":true,"Next":"Z"}]},"Z":{"Type":"Succeed"}}}')
    wrong = tmp_path / "wrong.json"
    wrong.write_text('{"StartAt":"B","States":{}}')
    code, out, _ = dandori("lint", doubtful, "--output", "json")
    assert (code, [found["code"] for found in json.loads(out)]) == (0, ["CHOICE_WITHOUT_DEFAULT"])
    assert dandori("lint", doubtful, "--strict")[0] == 10
    assert dandori("lint", wrong)[0] == 10
    assert "Default がありません" in dandori("lint", doubtful, "--output", "table", "--lang", "ja")[1]
    assert "DN0107" in dandori("lint", tmp_path / "none.json")[2]


def test_a_case_that_fails_says_what_was_expected(tmp_path):
    (tmp_path / "net.json").write_text('{"StartAt":"A","States":{"A":{"Type":"Wait","Seconds":7200,"End":true}}}')
    table = tmp_path / "table.json"
    table.write_text(json.dumps({"StateMachines": {"net": {"Definition": "net.json", "TestCases": {
        "good": {"Expect": {"Seconds": 7200}}, "bad": {"Expect": {"Output": 1}}}}}}))
    code, out, err = dandori("test", table, "--output", "table", "--lang", "en")
    assert code == 1
    assert "✕ net / bad" in out and "expected: 1" in out and "1 passed, 1 failed" in err
    assert dandori("test", table, "--case", "good")[0] == 0
    assert dandori("test", table, "--case", "nothing")[0] == 2
    table.write_text('{"StateMachines":{"net":{"TestCases":{"x":{"A":"None"}}}}}')
    code, _, err = dandori("test", table)
    assert code == 10 and "DN0108" in err and "/StateMachines/net/TestCases/x/A" in err
