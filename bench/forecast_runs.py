#!/usr/bin/env python3
"""What save --dry-run predicts over what a save takes: forecast_runs.py BUILD [--runs N] [--memory SIZE] [--output FILE]

Of a workload that writes 2,000 times a second. Prints the median ratio for each way, with the lowest and highest; 1 is right,
more is too long. FILE is written over; unless given it is /dev/null, which takes everything at once as the forecast supposes.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import time


def stillframe(build, *arguments):
    done = subprocess.run([build / "bin/stillframe", "save", *arguments, "--json"], stdout=subprocess.PIPE, check=False)
    if done.returncode not in (0, 9):
        raise SystemExit(f"forecast_runs: stillframe ended with {done.returncode}")
    return json.loads(done.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("build", type=lambda text: pathlib.Path(text).resolve())
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--memory", default="1G")
    parser.add_argument("--output", default="/dev/null")
    args = parser.parse_args()
    workload = subprocess.Popen([args.build / "bin/stillframe-workload", "--memory", args.memory, "-t", "2", "-r", "2000",
                                 "--only", "random"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ratios = {}
    try:
        time.sleep(3)
        for _ in range(args.runs):
            predicted = stillframe(args.build, str(workload.pid), "--dry-run")
            for way in predicted["ways"]:
                if not way["possible"]:
                    continue
                force = [] if args.output == "/dev/null" else ["--force"]
                real = stillframe(args.build, str(workload.pid), "-o", args.output, "--via", way["via"], "--quiet", *force)
                for key in ("pause_us", "duration_ms"):
                    ratios.setdefault((way["via"], key), []).append(way[key] / max(1, real[key]))
    finally:
        workload.terminate()
        workload.wait()
    for (way, key), values in ratios.items():
        print(f"{way:8s} {key.split('_')[0]:9s} {statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})")


if __name__ == "__main__":
    main()
