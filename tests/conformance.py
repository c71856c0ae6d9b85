"""Runs the cases recorded on AWS against a server of its own: `conformance.py RUNNER`.

Fails when a case fails that is not in `conformance-later.txt`, or when fewer pass than have to.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import harness

PASSED_MIN = 0.995
LATER = pathlib.Path(__file__).with_name("conformance-later.txt")


def main(runner):
    directory = pathlib.Path(tempfile.mkdtemp(prefix="dandori-conformance-"))
    server = harness.Server(directory).start()
    try:
        results = run(runner, server.url, directory / "results.json")
    finally:
        server.stop()
    later = {line for line in LATER.read_text().splitlines() if line and not line.startswith("#")}
    failed = {name: why for name, why in results.items() if why is not None}
    known = failed.keys() & later
    share = 1 - len(failed) / max(1, len(results))
    print(f"{share:.1%} of all pass, {PASSED_MIN:.1%} have to; {len(known)} that fail need what comes later (tests/conformance-later.txt)")
    for name in sorted(later & results.keys() - failed.keys()):
        print(f"passes now: take it out of tests/conformance-later.txt: {name}")
    unexpected = sorted(failed.keys() - later)
    for name in unexpected:
        print(f"FAILED {name}\n       {failed[name]}")
    if unexpected or not results or share < PASSED_MIN:
        print(f"the server's log is in {server.log}")
        return 1
    shutil.rmtree(directory)
    return 0


def run(runner, url, file):
    """What came of each case that needs no other service: why it failed, or None."""
    subprocess.run([sys.executable, runner, url, "--json", file], stdin=subprocess.DEVNULL, timeout=900, check=False)
    return {case["id"]: case["why"] for case in json.loads(file.read_text())}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
