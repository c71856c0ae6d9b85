"""Runs the cases recorded on AWS against a server of its own: `conformance.py RUNNER`. Fails below the share that has to pass."""

import re
import shutil
import subprocess
import sys
import tempfile

import harness

KINDS = "execution,output,error"
WITHOUT = "jsonata,Assign,DistributedMap,Label,ItemReader,mock"
PASSED_MIN = 0.98


def main(runner):
    directory = tempfile.mkdtemp(prefix="dandori-conformance-")
    server = harness.Server(directory).start()
    try:
        ran = subprocess.run([sys.executable, runner, server.url, "--kind", KINDS, "--without", WITHOUT], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                             timeout=900)
    finally:
        server.stop()
    print(ran.stdout, end="")
    passed, failed = map(int, re.search(r"(\d+) passed, (\d+) failed", ran.stdout.splitlines()[-1]).groups())
    share = passed / (passed + failed)
    print(f"{share:.1%} passed; {PASSED_MIN:.0%} has to")
    if share < PASSED_MIN:
        print(f"the server's log is in {server.log}")
        return 1
    shutil.rmtree(directory)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
