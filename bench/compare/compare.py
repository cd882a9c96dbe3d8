#!/usr/bin/env python3
"""Stillframe beside what people use today, on the same jobs: compare.py STILLFRAME [--quick] [--runs N] [--memory SIZE] [--json FILE]

Job "process": the workload of `stillframe bench`, saved by the bench in turn with gcore and with a fork of its own.
Job "guest": a QEMU with a bare guest that times its own writes, saved by QEMU's background-snapshot and by
`stillframe save` of the QEMU process, to three outputs. Every round has a fresh QEMU; ways take turns.
Job "redis": cores of a redis-server that clients ask meanwhile, by gcore and by `stillframe core`, in turn.
"""

import argparse
import json
import os
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import guest  # noqa: E402
import redis_job  # noqa: E402

READER = pathlib.Path(__file__).parent / "reader.py"
OUTPUTS = {"discard": "discard", "stall": "stall 50 ms in 250", "limit": "100 MB/s"}
ENDING = (signal.SIGTERM, signal.SIGINT)
LATE = 0.005
SETTLE = 1.0
LOOK = 3.0  # how long a guest that nobody saves is looked at
LONGEST = 240.0


def percentile(values, share):
    """The smallest value that at least this share of all do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else None


def figures(latencies, seconds, written):
    return {
        "seconds": seconds,
        "writes": len(latencies),
        "p50": percentile(latencies, 0.5),
        "p99": percentile(latencies, 0.99),
        "p999": percentile(latencies, 0.999),
        "max": max(latencies, default=None),
        "over_5ms": sum(1 for late in latencies if late > LATE),
        "rate": len(latencies) / seconds,
        "bytes": written,
    }


def by_background_snapshot(vm, kind, count_file):
    vm.qmp.run("migrate-set-capabilities", capabilities=[{"capability": "background-snapshot", "state": True}])
    vm.qmp.run("migrate", uri=f"exec:exec {sys.executable} {READER} {kind} {count_file}")
    end = time.monotonic() + LONGEST
    while time.monotonic() < end:
        status = vm.qmp.run("query-migrate").get("status")
        if status == "completed":
            return
        if status in ("failed", "cancelled"):
            raise RuntimeError(f"background-snapshot {status}")
        time.sleep(0.01)
    raise RuntimeError("background-snapshot takes too long")


def by_stillframe(vm, kind, count_file, stillframe):
    reader = subprocess.Popen([sys.executable, READER, kind, count_file], stdin=subprocess.PIPE)
    save = subprocess.run([stillframe, "save", str(vm.process.pid), "-o", "-", "--compress", "none", "--quiet", "--progress", "none"],
                          stdout=reader.stdin, timeout=LONGEST, check=False)
    reader.stdin.close()
    reader.wait()
    if save.returncode not in (0, 9):
        raise RuntimeError(f"stillframe save ended with {save.returncode}")


def guest_round(program, accelerator, way, kind, stillframe):
    """One guest, one save of it."""
    with guest.Guest(program, accelerator) as vm, tempfile.NamedTemporaryFile() as count_file:
        time.sleep(SETTLE)
        first, begin = vm.count(), time.monotonic()
        if way == "none":
            time.sleep(LOOK)
        elif way == "background-snapshot":
            by_background_snapshot(vm, kind, count_file.name)
        else:
            by_stillframe(vm, kind, count_file.name, stillframe)
        seconds, last = time.monotonic() - begin, vm.count()
        written = int(pathlib.Path(count_file.name).read_text() or 0)
        return figures(vm.latencies(first, last), seconds, written)


def run_guests(args, directory):
    """{(output, way): rounds}"""
    program = guest.build_guest(directory)
    accelerator = args.accel or choose_accelerator(program)
    results = {}
    ways = ["none", "stillframe save", "background-snapshot"]
    for run in range(args.runs):
        for kind in OUTPUTS:
            for way in ways[run % 3:] + ways[:run % 3]:
                if way == "none" and kind != "discard":
                    continue
                say(f"guest ({accelerator}), run {run + 1} of {args.runs}, {OUTPUTS[kind]}: {way}")
                try:
                    round_ = guest_round(program, accelerator, way, kind, args.stillframe)
                except (RuntimeError, subprocess.TimeoutExpired, OSError) as failure:
                    say(f"  failed: {failure}")
                    round_ = {"error": str(failure)}
                results.setdefault((kind, way), []).append(round_)
    return accelerator, results


def choose_accelerator(program):
    if os.access("/dev/kvm", os.R_OK | os.W_OK):
        try:
            with guest.Guest(program, "kvm"):
                return "kvm"
        except (RuntimeError, OSError) as failure:
            say(f"no guest under KVM ({failure}); TCG instead")
    return "tcg"


def run_process(args, directory):
    """The object of `stillframe bench --json`."""
    result = pathlib.Path(directory) / "process.json"
    core = pathlib.Path(directory) / "core"
    methods = ["skip", "fork", "stop", "self-fork"]
    if shutil.which("gcore"):
        methods.append(f"gcore=gcore -o {core} $PID; code=$?; rm -f {core}.*; exit $code")
    else:
        say("gcore is left out: it is not installed (Debian package gdb)")
    # stderr shows how far it is.
    bench = subprocess.run(
        [args.stillframe, "bench", "--memory", args.memory, "--runs", str(args.runs),
         "--method", ",".join(methods), "--json", str(result)],
        stdout=subprocess.DEVNULL, check=False)
    if not result.exists():
        raise RuntimeError(f"stillframe bench ended with {bench.returncode}")
    return json.loads(result.read_text(encoding="utf-8"))


def median(rounds, key):
    values = [r[key] for r in rounds if r.get(key) is not None]
    return statistics.median(values) if values else None


def process_rows(result):
    rows = []
    for method in result["methods"]:
        spread = {key: value["median"] if value else None for key, value in method["figures"].items()}
        names = {"skip": "stillframe save", "fork": "stillframe save --via fork", "stop": "stillframe save --via stop",
                 "self-fork": "fork() in the program itself", "none": "none"}

        def seconds(key, spread=spread):
            return spread[key] / 1e9 if spread[key] is not None else None
        rows.append({"job": "process", "output": "discard", "way": names.get(method["name"], method["name"]),
                     "seconds": seconds("total_ns"), "p50": seconds("p50_ns"), "p99": seconds("p99_ns"),
                     "p999": seconds("p999_ns"), "max": seconds("max_ns"), "over_5ms": spread["over_5ms"],
                     "kept": spread["throughput_kept"]})
    return rows


def guest_rows(accelerator, results):
    rows = []
    free = median(results.get(("discard", "none"), []), "rate")
    for (kind, way), rounds in results.items():
        row = {"job": f"guest ({accelerator})", "output": OUTPUTS[kind], "way": way}
        for key in ("seconds", "p50", "p99", "p999", "max", "over_5ms"):
            row[key] = median(rounds, key)
        rate = median(rounds, "rate")
        row["kept"] = rate / free if rate is not None and free else None
        if way == "none":
            row["seconds"] = None
        add_note(row, rounds)
        rows.append(row)
    return rows


def add_note(row, rounds):
    errors = [r["error"] for r in rounds if "error" in r]
    if errors:
        row["note"] = f"{len(errors)} of {len(rounds)} failed: {errors[0]}"


def bytes_of(text):
    """"2G" and the like."""
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    return int(text[:-1]) * units[text[-1].upper()] if text[-1:].upper() in units else int(text)


def redis_figures(kind, round_):
    if kind == "benchmark" or "error" in round_:
        return round_
    counted = figures(round_["latencies"], round_["seconds"], round_["bytes"])
    # Answered in time, not just asked.
    answered = sum(1 for late in round_["latencies"] if late <= LATE)
    return {**counted, "rate": answered / round_["seconds"], "pause": round_["pause"]}


def run_redis(args, directory):
    """{(client, way): figures of each run}, and the memory of the server."""
    results, resident = redis_job.run(args.stillframe, bytes_of(args.memory), args.runs, directory, say)
    return {key: [redis_figures(key[0], r) for r in rounds] for key, rounds in results.items()}, resident


def redis_rows(results, resident):
    rows = []
    for (kind, way), rounds in results.items():
        row = {"job": f"redis ({resident / (1 << 30):.1f} GiB)", "output": redis_job.CLIENTS[kind], "way": way}
        for key in ("seconds", "p50", "p99", "p999", "max", "over_5ms", "pause"):
            row[key] = median(rounds, key)
        free, rate = median(results.get((kind, "none"), []), "rate"), median(rounds, "rate")
        row["kept"] = rate / free if rate is not None and free else None
        if way == "none":
            row["seconds"] = None
        add_note(row, rounds)
        rows.append(row)
    return rows


def redis_verdicts(results):
    """`stillframe core` against gcore within each run: medians of the ratios."""
    verdicts = {}
    for kind in redis_job.CLIENTS:
        pairs = [pair for pair in zip(results.get((kind, "stillframe core"), []), results.get((kind, "gcore"), []))
                 if not any("error" in round_ for round_ in pair)]
        if not pairs:
            continue
        verdicts[kind] = {
            # The pause as the command says it; gcore's is as long as its slowest request, but for that.
            "freeze": statistics.median(ours["pause"] / theirs["max"] for ours, theirs in pairs),
            "pause": statistics.median(ours["pause"] for ours, _ in pairs),
            "slowest": statistics.median(ours["max"] / theirs["max"] for ours, theirs in pairs),
            "seconds": statistics.median(ours["seconds"] / theirs["seconds"] for ours, theirs in pairs)}
    return verdicts


def verdict_lines(verdicts):
    return [f"redis, {redis_job.CLIENTS[kind]}: `stillframe core` against gcore: freeze {text_of(ratio['pause'], 'time')}, "
            f"1/{1 / ratio['freeze']:,.0f}; "
            f"slowest request 1/{1 / ratio['slowest']:,.0f}; total time {ratio['seconds']:.2f}x"
            for kind, ratio in verdicts.items()]


OURS = ("stillframe save", "stillframe core")


def add_ratios(rows):
    """How many times as long, or as many, as with `stillframe save` (of a redis: `core`) on the same job and output."""
    for row in rows:
        ours = next((r for r in rows if r["way"] in OURS and
                     (r["job"], r["output"]) == (row["job"], row["output"])), None)
        for key in ("seconds", "p999", "over_5ms"):
            if ours and row["way"] not in (*OURS, "none") and ours.get(key) and row.get(key) is not None:
                row[key + "_ratio"] = row[key] / ours[key]


def text_of(value, kind):
    if value is None:
        return "-"
    if kind == "time":
        return f"{value:.2f} s" if value >= 1 else f"{value * 1e3:.2f} ms" if value >= 1e-3 else f"{value * 1e6:.0f} us"
    if kind == "ratio":
        return f"{value:.2f}x" if value < 10 else f"{value:.0f}x"
    return f"{value:.0f}" if kind == "count" else f"{value:.2f}"


COLUMNS = [("seconds", "total", "time"), ("seconds_ratio", "ratio", "ratio"), ("p50", "p50", "time"),
           ("p99", "p99", "time"), ("p999", "p99.9", "time"), ("p999_ratio", "ratio", "ratio"),
           ("max", "longest", "time"), ("over_5ms", "over 5 ms", "count"), ("over_5ms_ratio", "ratio", "ratio"),
           ("kept", "kept", "share")]


def table(rows):
    lines = ["| job | output | way | " + " | ".join(title for _, title, _ in COLUMNS) + " |",
             "|" + "---|" * (3 + len(COLUMNS))]
    for row in rows:
        cells = [row["job"], row["output"], row["way"]]
        cells += [text_of(row.get(key), kind) for key, _, kind in COLUMNS]
        lines.append("| " + " | ".join(cells) + " |" + (f" {row['note']}" if "note" in row else ""))
    return "\n".join(lines)


def say(text):
    print(f"compare: {text}", file=sys.stderr, flush=True)


def end_by(number, _):
    """What was started is ended on the way out, undisturbed."""
    for ending in ENDING:
        signal.signal(ending, signal.SIG_IGN)
    sys.exit(128 + number)


def main():
    for ending in ENDING:
        signal.signal(ending, end_by)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("stillframe")
    parser.add_argument("--quick", action="store_true",
                        help="that it works, in seconds: one run of 64M, without QEMU and without what is not installed")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--memory", default="2G", help="of the jobs \"process\" and \"redis\"")
    parser.add_argument("--accel", choices=["kvm", "tcg"], help="of the guest; unless given KVM where it works")
    parser.add_argument("--json", help="all figures")
    parser.add_argument("--job", choices=["process", "guest", "redis", "all"], default="all")
    args = parser.parse_args()
    jobs = ["process", "guest", "redis"] if args.job == "all" else [args.job]
    if args.quick:
        args.runs, args.memory = 1, "64M"
        jobs = ["process", "redis"]
        say("QEMU is left out: --quick; figures of one short run say little")
    missing = redis_job.say_missing()
    if "redis" in jobs and missing:
        jobs.remove("redis")
        say(f"redis is left out: not installed: {', '.join(missing)}")
    rows, everything, verdicts = [], {}, {}
    with tempfile.TemporaryDirectory(prefix="stillframe-compare.", dir="/var/tmp") as directory:
        if "process" in jobs:
            everything["process"] = run_process(args, directory)
            rows += process_rows(everything["process"])
        if "guest" in jobs:
            accelerator, results = run_guests(args, directory)
            everything["guest"] = {f"{kind}, {way}": rounds for (kind, way), rounds in results.items()}
            rows += guest_rows(accelerator, results)
        if "redis" in jobs:
            results, resident = run_redis(args, directory)
            verdicts = redis_verdicts(results)
            everything["redis"] = {f"{kind}, {way}": rounds for (kind, way), rounds in results.items()}
            everything["redis_verdicts"] = verdicts
            rows += redis_rows(results, resident)
    add_ratios(rows)
    print(f"medians of {args.runs} runs; ratios to `stillframe save`, of a redis `stillframe core`, on the same job and output; "
          f"{time.strftime('%Y-%m-%d', time.gmtime())}, {os.cpu_count()} CPUs, Linux {os.uname().release}\n")
    print(table(rows))
    for line in verdict_lines(verdicts):
        print(f"\n{line}")
    if args.json:
        pathlib.Path(args.json).write_text(json.dumps({"rows": rows, **everything}), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
