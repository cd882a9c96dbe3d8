"""A redis-server with a dataset, cores of which are taken while clients ask it."""

import contextlib
import csv
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import tempfile
import threading
import time

VALUE = 4000
PER_KEY = 4250  # bytes of memory, about, with all that belongs to it
RATE = 2000
SETTLE = 0.5
LOOK = 1.0  # how long a server of which no core is taken is looked at
LONGEST = 240.0
GRACE = 5.0  # how long what is told to end may take
BENCHMARK = ["-t", "set,get", "-c", "20", "-d", "1000", "--csv"]
BENCHMARK_REQUESTS = 20000  # of one round of redis-benchmark, by kind


def say_missing():
    """What is not installed; empty when all is."""
    return [p for p in ("redis-server", "redis-cli", "redis-benchmark", "gcc") if not shutil.which(p)]


def build_client(directory):
    program = pathlib.Path(directory) / "redis_client"
    source = pathlib.Path(__file__).parent / "redis_client.c"
    subprocess.run(["gcc", "-O1", "-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-o", str(program), str(source)],
                   check=True)
    return program


class Server:
    """Filled and answering when this is made; killed, by its pid, when the `with` ends."""

    def __init__(self, memory):
        self.directory = tempfile.TemporaryDirectory(prefix="stillframe-compare.")
        self.process = None
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        try:
            self.process = subprocess.Popen(
                ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
                 "--enable-debug-command", "local", "--dir", self.directory.name],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            self._await()
            self.keys = max(1, memory // PER_KEY)
            if self.ask("debug", "populate", str(self.keys), "key", str(VALUE)).strip() != "OK":
                raise RuntimeError("redis-server can't be filled")
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        if self.process:
            self.process.kill()
            self.process.wait()
        self.directory.cleanup()

    def ask(self, *words):
        return subprocess.run(["redis-cli", "-p", str(self.port), *words], stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, text=True,
                              timeout=LONGEST, check=False).stdout

    def resident(self):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        return 0

    def _await(self):
        for _ in range(1000):
            if self.ask("ping").strip() == "PONG":
                return
            if self.process.poll() is not None:
                raise RuntimeError("redis-server ended at once")
            time.sleep(0.01)
        raise RuntimeError("redis-server does not answer")


class EvenClient:
    """redis_client; `latencies` of what was due in a time, in seconds."""

    def __init__(self, program, server, directory):
        self.log = pathlib.Path(directory) / "answers"
        self.process = subprocess.Popen(
            [str(program), str(server.port), str(RATE), str(server.keys), str(VALUE), str(self.log)],
            stdout=subprocess.PIPE)
        self.process.stdout.readline()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def latencies(self, begin, end):
        time.sleep(SETTLE + (end - begin) / 4)  # for what waited to be asked and answered
        self.process.send_signal(signal.SIGTERM)
        if self.process.wait(LONGEST) != 0:
            raise RuntimeError("the client lost its server")
        late = []
        for due, answered in struct.iter_unpack("<qq", self.log.read_bytes()):
            if begin <= due / 1e9 < end:
                late.append((answered - due) / 1e9)
        return late


class BenchmarkClient:
    """redis-benchmark, round after round."""

    def __init__(self, server):
        self.command = ["redis-benchmark", "-p", str(server.port), "-r", str(server.keys),
                        "-n", str(BENCHMARK_REQUESTS), *BENCHMARK]
        self.rounds = []

    def run_while(self, busy):
        """At least one round, and the next until `busy` says no."""
        while True:
            out = subprocess.run(self.command, stdout=subprocess.PIPE, text=True, timeout=LONGEST, check=True).stdout
            lines = [line for line in out.splitlines() if line.startswith('"')]
            self.rounds += list(csv.DictReader(lines))
            if not busy():
                return

    def figures(self):
        def column(name):
            return [float(row[name]) / 1e3 for row in self.rounds]
        return {"p50": statistics.median(column("p50_latency_ms")), "p99": max(column("p99_latency_ms")),
                "max": max(column("max_latency_ms")),
                "rate": len(self.rounds) / sum(1 / float(row["rps"]) for row in self.rounds)}


def core_command(way, stillframe, pid, file):
    """What takes the core, and where it will be."""
    if way == "gcore":
        return ["gcore", "-o", file, str(pid)], f"{file}.{pid}"
    command = [stillframe, "core", str(pid), "-o", file, "--json", "--progress", "none"]
    return command, file


class Taking:
    """A core that is being taken. When the `with` ends, it no longer is, and there is no file of it."""

    def __init__(self, way, stillframe, server, directory):
        command, self.file = core_command(way, stillframe, server.process.pid, str(pathlib.Path(directory) / "core"))
        self.way = way
        self.out = tempfile.TemporaryFile()
        self.begin = time.monotonic()
        self.end = None
        # In a group of its own: gcore is a script, and gdb has to end with it.
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=self.out, stderr=subprocess.DEVNULL,
                                        start_new_session=True)
        self.waiter = threading.Thread(target=self._wait, daemon=True)
        self.waiter.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.busy():
            self._signal(signal.SIGTERM)  # first, so that it can let go of the server
            self.waiter.join(GRACE)
            self._signal(signal.SIGKILL)
            self.waiter.join()
        self.out.close()
        pathlib.Path(self.file).unlink(missing_ok=True)

    def _signal(self, number):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def _wait(self):
        self.process.wait()
        self.end = time.monotonic()

    def busy(self):
        return self.waiter.is_alive()

    def result(self):
        """Waits for it."""
        self.waiter.join(LONGEST)
        if self.busy():
            raise RuntimeError(f"{self.way} takes too long")
        if self.process.returncode not in (0, 9):
            raise RuntimeError(f"{self.way} ended with {self.process.returncode}")
        self.out.seek(0)
        printed = self.out.read().decode()
        return {"begin": self.begin, "end": self.end, "bytes": pathlib.Path(self.file).stat().st_blocks * 512,
                "pause": json.loads(printed)["pause_us"] / 1e6 if self.way == "stillframe core" else None}


def take(way, stillframe, server, directory, while_busy=None):
    """One core; with "none" a look at the server as it is."""
    if way == "none":
        begin = time.monotonic()
        if while_busy:
            while_busy(lambda: time.monotonic() < begin + LOOK)
        else:
            time.sleep(LOOK)
        return {"begin": begin, "end": time.monotonic(), "bytes": 0, "pause": None}
    with Taking(way, stillframe, server, directory) as taking:
        if while_busy:
            while_busy(taking.busy)
        return taking.result()


def with_even_client(way, stillframe, client, server, directory):
    with EvenClient(client, server, directory) as even:
        time.sleep(SETTLE)
        taken = take(way, stillframe, server, directory)
        late = even.latencies(taken["begin"], taken["end"])
    return {**taken, "seconds": taken["end"] - taken["begin"], "latencies": late}


def with_benchmark(way, stillframe, server, directory):
    benchmark = BenchmarkClient(server)
    taken = take(way, stillframe, server, directory, benchmark.run_while)
    return {**taken, "seconds": taken["end"] - taken["begin"], **benchmark.figures()}


# What ends one round and no more.
FAILURES = (RuntimeError, subprocess.SubprocessError, OSError, ValueError, LookupError)


def play_round(kind, way, stillframe, client, server, directory, say):
    """Its figures; what went wrong instead, where something did."""
    try:
        if kind == "even":
            return with_even_client(way, stillframe, client, server, directory)
        return with_benchmark(way, stillframe, server, directory)
    except FAILURES as failure:
        say(f"  failed: {failure}")
        return {"error": str(failure)}


WAYS = ["none", "stillframe core", "gcore"]
CLIENTS = {"even": f"{RATE:,} requests/s", "benchmark": "redis-benchmark, 20 clients"}


def run(stillframe, memory, runs, directory, say):
    """{(client, way): rounds}, and the memory of the server."""
    ways = [way for way in WAYS if way != "gcore" or shutil.which("gcore")]
    client = build_client(directory)
    results, resident = {}, 0
    for number in range(runs):
        with Server(memory) as server:
            resident = server.resident()
            for way in ways[number % len(ways):] + ways[:number % len(ways)]:
                for kind in CLIENTS:
                    say(f"redis, run {number + 1} of {runs}, {CLIENTS[kind]}: {way}")
                    round_ = play_round(kind, way, stillframe, client, server, directory, say)
                    results.setdefault((kind, way), []).append(round_)
    return results, resident
