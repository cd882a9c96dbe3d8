#!/usr/bin/env python3
"""Real saves under each throttle policy, beside the simulator: throttle_runs.py BUILD [--runs N] [--only TEXT]

Of each case: the same workload saved under all policies in turn, N times, each run beginning with another policy; what
bench/throttle_table says of such a save; and its replay of one trace of each policy. Durations are without attaching and
pause. Prints the tables of docs/throttling.md. Takes 5 minutes, and wants a quiet machine of 2 CPUs.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

POLICIES = ["off", "skip", "ramp", "adaptive"]
READER = pathlib.Path(__file__).parent / "compare" / "reader.py"
# Name, options of the workload, where the image goes, what throttle_table calls it.
CASES = [
    ("2 writers, 2,000/s", "-t 2 -r 2000 --only random", "free", "1G/2 uniform-paced free"),
    ("2 writers, max", "-t 2 -r max --only random", "free", "1G/2 uniform-max free"),
    ("8 writers, max", "-t 8 -r max --only random", "free", "1G/8 uniform-max free"),
    ("2 writers, sequential, max", "-t 2 -r max --only sequential", "free", "1G/2 sequential-max free"),
    ("2 writers, 2,000/s", "-t 2 -r 2000 --only random", "100M", "1G/2 uniform-paced 100M"),
    ("2 writers, max", "-t 2 -r max --only random", "100M", "1G/2 uniform-max 100M"),
    ("2 writers, 2,000/s", "-t 2 -r 2000 --only random", "stall", "1G/2 uniform-paced stall"),
    ("2 writers, max", "-t 2 -r max --only random", "stall", "1G/2 uniform-max stall"),
    ("2 writers, sequential, max", "-t 2 -r max --only sequential", "stall", "1G/2 sequential-max stall"),
]


def save(build, pid, policy, output, trace):
    """(seconds, p99 in us, percent of the pages that faulted)"""
    command = [build / "bin/stillframe", "save", str(pid), "--throttle", policy, "--compress", "none", "--trace", trace, "--json", "--quiet"]
    if output == "stall":
        saving = subprocess.Popen(command + ["-o", "-"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with subprocess.Popen([sys.executable, READER, "stall"], stdin=saving.stdout):
            saving.stdout.close()
            report = saving.stderr.read()
        saving.wait()
    else:
        limit = ["--max-bandwidth", "100M"] if output == "100M" else []
        saving = subprocess.run(command + ["-o", "/dev/null"] + limit, stdout=subprocess.PIPE, check=False)
        report = saving.stdout
    if saving.returncode not in (0, 9):
        raise SystemExit(f"throttle_runs: a save ended with {saving.returncode}")
    summary = json.loads(report.splitlines()[-1])
    pages = summary["pages"]
    with open(trace, encoding="ascii") as lines:
        length = next(int(line.split()[1]) for line in lines if line.startswith("length "))
    return length / 1e9, summary["wait_us"]["p99"], 100 * pages["faulted"] / pages["total"]


def simulated(build, arguments):
    """The same of one line of throttle_table."""
    table = subprocess.run([build / "bench/throttle_table"] + arguments, stdout=subprocess.PIPE, text=True, check=True)
    words = table.stdout.splitlines()[-1].split()
    first = next(i for i, word in enumerate(words) if word in POLICIES) + 1
    percents = [word for word in words if word.endswith("%")]
    return float(words[first].rstrip("s")), int(words[first + 2].rstrip("us")), float(percents[1].rstrip("%"))


def run_case(build, case, runs, directory):
    """{policy: (rounds, simulated, replayed)}"""
    _, options, output, name = case
    workload = subprocess.Popen([build / "bin/stillframe-workload", "--memory", "1G"] + options.split(),
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    traces = {policy: str(pathlib.Path(directory) / policy) for policy in POLICIES}
    rounds = {policy: [] for policy in POLICIES}
    try:
        time.sleep(3)
        for run in range(runs):
            for i in range(len(POLICIES)):
                policy = POLICIES[(run + i) % len(POLICIES)]
                rounds[policy].append(save(build, workload.pid, policy, output, traces[policy]))
    finally:
        workload.terminate()
        workload.wait()
    results = {}
    for policy in POLICIES:
        model = simulated(build, ["--only", name, "--policies", policy])
        # A trace doesn't know what its output took, unless there was a limit.
        again = None if output == "stall" else simulated(build, ["--replay", traces[policy], "--policies", policy])
        length = rounds[policy][-1][0]
        results[policy] = (rounds[policy], model, (again, length))
    return results


def cell(result):
    rounds, model, (again, length) = result
    seconds = [r[0] for r in rounds]
    text = f"{statistics.median(seconds):.2f} ({min(seconds):.2f}–{max(seconds):.2f}), {model[0]:.2f}"
    text += f", {again[0] / length:.2f}" if again else ", –"
    return text + f"; {statistics.median(r[1] for r in rounds):.0f}, {model[1]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", default="", help="cases whose name or output holds this")
    args = parser.parse_args()
    print("Seconds: real median (lowest–highest), simulated, replay over what was recorded; p99 in us: real, simulated\n")
    print("| save | output | " + " | ".join(f"`{policy}`" for policy in POLICIES) + " |")
    print("|---|---" + "|---" * len(POLICIES) + "|")
    with tempfile.TemporaryDirectory(prefix="stillframe-throttle.") as directory:
        for case in CASES:
            if args.only not in f"{case[0]}, {case[2]}":
                continue
            results = run_case(args.build, case, args.runs, directory)
            print(f"| {case[0]} | {case[2]} | " + " | ".join(cell(results[p]) for p in POLICIES) + " |", flush=True)


if __name__ == "__main__":
    main()
