#!/usr/bin/env python3
"""The two bounds, held against outputs and writers that try them: bound_runs.py BUILD [--runs N] [--only PART]

Each part takes its cases in turn, N times, so that the figures of a part are of one run; medians are printed, the lowest and
highest behind them. The parts:
  stall       late writes with an output that stalls or is slow, beside one that discards, and beside no save
  sequential  faults of one writer that goes through its memory in order at full speed
  throughput  what writers at full speed keep of theirs, in each way of saving
  churn       pages lost in a program that frees 1,000 blocks a second
  huge        transparent huge pages that a program keeps
Takes half an hour, and wants a quiet machine.
"""

import argparse
import json
import mmap
import os
import pathlib
import random
import statistics
import subprocess
import sys
import tempfile
import time

OUTPUTS = ["null", "stall:50ms/250ms", "stall:1s/once", "limit:100M"]
WAYS = {
    "now": [],
    "late": ["--instant", "late"],
    "precopy": ["--via", "precopy"],
    "fork": ["--via", "fork"],
    "stop": ["--via", "stop"],
}
SAVED = (0, 9)  # whole, or with pages that were lost


def spread(values, form):
    values = sorted(values)
    return f"{form(statistics.median(values))} ({form(values[0])}–{form(values[-1])})"


def count(value):
    return f"{value:,.0f}"


def percent(value):
    return f"{100 * value:.1f}%"


def microseconds(value):
    return f"{value / 1000:,.0f} us"


def bench(build, *arguments):
    """{method: the figures of its one round}"""
    with tempfile.NamedTemporaryFile(prefix="stillframe-bound.") as report:
        subprocess.run([build / "bin/stillframe", "bench", "--runs", "1", "--json", report.name, *arguments],
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        methods = json.load(report)["methods"]
    return {method["name"]: method["figures"] for method in methods}


def median_of(figures, name):
    return figures[name]["median"] if figures[name] else 0


def save(build, pid, *arguments):
    """What the summary of a save says."""
    command = [build / "bin/stillframe", "save", str(pid), "-o", "/dev/null", "--compress", "none", "--json", "--quiet", *arguments]
    saving = subprocess.run(command, stdout=subprocess.PIPE, check=False)
    if saving.returncode not in SAVED:
        raise SystemExit(f"bound_runs: a save ended with {saving.returncode}")
    return json.loads(saving.stdout.splitlines()[-1])


def start_workload(build, *arguments):
    workload = subprocess.Popen([build / "bin/stillframe-workload", *arguments], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    workload.stdout.readline()  # "ready"
    time.sleep(1)
    return workload


def end(process):
    process.terminate()
    process.wait()


def stall(build, runs):
    names = ["none", *OUTPUTS]
    late = {name: [] for name in names}
    slowest = {name: [] for name in names}
    for _ in range(runs):
        for output in OUTPUTS:
            figures = bench(build, "--method", "skip", "--output", output, "--memory", "512M")
            late[output].append(median_of(figures["skip"], "over_5ms"))
            slowest[output].append(median_of(figures["skip"], "p999_ns"))
            if output == OUTPUTS[0]:
                late["none"].append(median_of(figures["none"], "over_5ms"))
                slowest["none"].append(median_of(figures["none"], "p999_ns"))
    print("| output | writes over 5 ms | p99.9 | of that with `null` |\n|---|---:|---:|---:|")
    base = statistics.median(slowest["null"])
    for name in names:
        ratio = statistics.median(slowest[name]) / base
        label = "no save" if name == "none" else f"`{name}`"
        print(f"| {label} | {spread(late[name], count)} | {spread(slowest[name], microseconds)} | {ratio:.2f} |")


def sequential(build, runs):
    workload = start_workload(build, "--memory", "1G", "-t", "1", "--only", "sequential", "-r", "max")
    try:
        shares = []
        for _ in range(runs):
            summary = save(build, workload.pid)
            shares.append(summary["wait_us"]["count"] / max(1, summary["pages"]["faulted"]))
    finally:
        end(workload)
    print(f"faults of a writer in order, of the pages it wrote: 1/{1 / statistics.median(shares):.0f} "
          f"(1/{1 / max(shares):.0f}–1/{1 / min(shares):.0f})")


def throughput(build, runs):
    methods = ["skip", "late", "precopy", "fork"]
    print("| writers | " + " | ".join(f"`{method}`" for method in methods) + " |")
    print("|---" + "|---:" * len(methods) + "|")
    for kind in ["sequential", "uniform", "zipf"]:
        kept = {method: [] for method in methods}
        for _ in range(runs):
            figures = bench(build, "--method", ",".join(methods), "--workload", kind, "--rate", "max", "--memory", "1G")
            for method in methods:
                kept[method].append(median_of(figures[method], "throughput_kept"))
        print(f"| {kind} | " + " | ".join(spread(kept[method], percent) for method in methods) + " |", flush=True)


def churn(build, runs):
    workload = start_workload(build, "--memory", "512M", "-t", "2", "-r", "2000", "--only", "random,churn",
                              "--churn-rate", "1000")
    lost = {way: [] for way in WAYS}
    try:
        for _ in range(runs):
            for way, arguments in WAYS.items():
                lost[way].append(save(build, workload.pid, *arguments)["pages"]["lost"])
    finally:
        end(workload)
    print("| way | pages lost |\n|---|---:|")
    for way in WAYS:
        print(f"| `{way}` | {spread(lost[way], count)} |")


def keep_huge_pages_busy():
    """What is saved in `huge`: half a gigabyte in huge pages, a write to any of them each half a millisecond."""
    size = 512 << 20
    memory = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE)
    for at in range(0, size, mmap.PAGESIZE):
        memory[at] = 1
    while True:
        memory[random.randrange(size)] = 2
        time.sleep(0.0005)


def huge_pages_of(pid):
    for line in pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("AnonHugePages:"):
            return int(line.split()[1])
    return 0


def huge(build, runs):
    kept = {way: [] for way in WAYS}
    for _ in range(runs):
        for way, arguments in WAYS.items():
            target = subprocess.Popen([sys.executable, __file__, str(build), "--only", "huge-target"])
            try:
                while huge_pages_of(target.pid) < 500 << 10:
                    time.sleep(0.1)
                before = huge_pages_of(target.pid)
                save(build, target.pid, *arguments)
                kept[way].append(huge_pages_of(target.pid) / before)
            finally:
                end(target)
    print("| way | huge pages kept |\n|---|---:|")
    for way in WAYS:
        print(f"| `{way}` | {spread(kept[way], percent)} |")


PARTS = {"stall": stall, "sequential": sequential, "throughput": throughput, "churn": churn, "huge": huge}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--only", choices=[*PARTS, "huge-target"])
    args = parser.parse_args()
    if args.only == "huge-target":
        keep_huge_pages_busy()
    if os.geteuid() != 0:
        raise SystemExit("bound_runs: root is needed")
    for name, part in PARTS.items():
        if args.only in (None, name):
            print(f"{name}:\n", flush=True)
            part(args.build, args.runs)
            print(flush=True)


if __name__ == "__main__":
    main()
