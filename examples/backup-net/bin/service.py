"""What both services share: starting in the background, stopping cleanly, and knowing which of the two is so.

A service holds a lock on its pid file for as long as it lives. Whoever wants to know whether it runs tries the
lock, so a pid file that a crash left behind, or a pid that the system has given to somebody else, fools nobody.

    service.py running DIRECTORY    ends with 0 when the service that keeps its files there runs, else with 1
"""

import fcntl
import os
import signal
import sys
import time

STOP_SECONDS_MAX = 20
START_SECONDS_MAX = 20


class Service:
    def __init__(self, name, directory):
        self.name = name
        self.directory = directory
        self.pid_file = os.path.join(directory, "pid")
        self.port_file = os.path.join(directory, "port")
        self.log_file = os.path.join(directory, "log")

    def pid(self):
        """The pid of the running service; None when it does not run."""
        try:
            with open(self.pid_file) as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                    return None
                except BlockingIOError:
                    return int(file.read() or 0) or None
        except (FileNotFoundError, ValueError):
            return None

    def port(self):
        with open(self.port_file) as file:
            return int(file.read())

    def start(self, run):
        """Runs `run(ready)` in the background; returns once it has called `ready(port)`, or `ready()` without one."""
        if self.pid() is not None:
            print(f"{self.name}: already running{self._at(self.port())}")
            return
        os.makedirs(self.directory, exist_ok=True)
        receiver, sender = os.pipe()
        if os.fork() == 0:
            os.close(receiver)
            os.setsid()
            if os.fork() != 0:
                os._exit(0)
            self._become(run, sender)
        os.close(sender)
        os.wait()
        os.set_blocking(receiver, False)
        port = self._await_port(receiver)
        print(f"{self.name}: started{self._at(port)}")

    def _at(self, port):
        return f", port {port}" if port else ""

    def _await_port(self, receiver):
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            try:
                told = os.read(receiver, 16)
            except BlockingIOError:
                time.sleep(0.02)
                continue
            if told:
                return int(told)
            break  # It ended before it was ready.
        sys.exit(f"{self.name}: did not start; see {self.log_file}")

    def _become(self, run, sender):
        # Nothing of the starter stays open: whoever waits for the starter's output must not wait for the service.
        null = os.open(os.devnull, os.O_RDONLY)
        log = os.open(self.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(null, 0)
        os.dup2(log, 1)
        os.dup2(log, 2)
        os.chdir("/")
        code = 1
        try:
            lock = os.open(self.pid_file, os.O_RDWR | os.O_CREAT, 0o644)
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(lock, 0)
            os.write(lock, str(os.getpid()).encode())

            def ready(port=0):
                with open(self.port_file + ".new", "w") as file:
                    file.write(str(port))
                os.rename(self.port_file + ".new", self.port_file)
                os.write(sender, str(port).encode())
                os.close(sender)

            run(ready)
            for file in (self.port_file, self.pid_file):
                os.unlink(file)
            code = 0
        except BaseException as error:
            print(f"{self.name}: {error!r}", file=sys.stderr, flush=True)
        finally:
            os._exit(code)

    def stop(self):
        """Asks the service to end and waits until it has. It is never killed: a stop that is not clean is a failure."""
        pid = self.pid()
        if pid is None:
            print(f"{self.name}: already stopped")
            return
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS_MAX
        while self.pid() is not None:
            if time.monotonic() > deadline:
                sys.exit(f"{self.name}: still running {STOP_SECONDS_MAX} s after it was asked to stop (pid {pid})")
            time.sleep(0.02)
        print(f"{self.name}: stopped")


def until_terminated():
    """An event that is set when the service is asked to end."""
    import threading

    asked = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: asked.set())
    return asked


if __name__ == "__main__":
    sys.exit(0 if Service("", sys.argv[2]).pid() else 1)
