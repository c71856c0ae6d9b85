"""The web server: serves HOME/web/content on a port that the system chooses.

    web.py start HOME | stop HOME
"""

import functools
import http.server
import os
import sys
import threading
import time

from service import Service, until_terminated

INDEX = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Night shop</title>
<h1>Night shop</h1><p>Open day and night, but for the minutes in which it is backed up.</p>
<p>夜間も営業中（バックアップの間を除く）。</p></html>
"""


def prepare(content):
    """Makes the content on the first start, and changes it on each: a backup of yesterday is not one of today."""
    os.makedirs(content, exist_ok=True)
    index = os.path.join(content, "index.html")
    if not os.path.exists(index):
        with open(index, "w") as file:
            file.write(INDEX)
        os.makedirs(os.path.join(content, "prices"), exist_ok=True)
        for number in range(1, 41):
            with open(os.path.join(content, "prices", f"item-{number:03}.txt"), "w") as file:
                file.write(f"item {number}: {number * 120} yen\n" * 200)
    with open(os.path.join(content, "opened.txt"), "a") as file:
        file.write(time.strftime("opened at %Y-%m-%dT%H:%M:%SZ\n", time.gmtime()))


def run(content, ready):
    asked = until_terminated()
    prepare(content)
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=content)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    serving = threading.Thread(target=server.serve_forever, args=(0.05,))
    serving.start()
    ready(server.server_address[1])
    asked.wait()
    server.shutdown()
    serving.join()
    server.server_close()


def main():
    verb, home = sys.argv[1:]
    service = Service("web server", os.path.join(home, "web"))
    if verb == "start":
        service.start(functools.partial(run, os.path.join(home, "web", "content")))
    elif verb == "stop":
        service.stop()
    else:
        sys.exit(__doc__)


main()
