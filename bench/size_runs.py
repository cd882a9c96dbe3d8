#!/usr/bin/env python3
"""How small images get, beside what the tools lz4 and zstd make of the same bytes: size_runs.py BUILD

Two processes of about 200 MiB: a redis-server that holds JSON texts, and a Python that holds what such texts say, parsed.
Each is stopped while it is saved again and again, so that all images hold the same. The tools get the image that
--compress none writes, in blocks of their own size (4 MiB and more, where the image's are 32 KiB, so that a page can be
read by itself): what they reach is what long blocks are worth.
"""

import argparse
import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time

RECORDS = 150_000
WORDS = ("state order pending shipped customer note please leave parcel at the door north south invoice paid "
         "return refund warehouse carrier delayed confirmed item blue green large small with without").split()
CODECS = ["none", "lz4:8", "lz4:1", "zstd:-1", "zstd:1", "zstd:3"]
TOOLS = [["lz4", "--fast=8"], ["lz4", "-1"], ["zstd", "--fast=1"], ["zstd", "-1"], ["zstd", "-3"]]


def record(number):
    chance = random.Random(number)
    return {"id": number, "customer": f"{chance.getrandbits(96):024x}", "total": round(chance.random() * 500, 2),
            "items": [{"sku": chance.randrange(10**9), "name": " ".join(chance.choices(WORDS, k=3))}
                      for _ in range(chance.randrange(1, 6))],
            "note": " ".join(chance.choices(WORDS, k=chance.randrange(5, 40)))}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def redis(directory):
    port = free_port()
    server = subprocess.Popen(["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", directory],
                              stdout=subprocess.DEVNULL)
    for _ in range(100):  # 10 s; if it never answers, the first command says so
        if subprocess.run(["redis-cli", "-p", str(port), "ping"], capture_output=True).stdout == b"PONG\n":
            break
        time.sleep(0.1)
    commands = bytearray()
    for number in range(RECORDS):
        parts = [b"SET", b"order:%d" % number, json.dumps(record(number)).encode()]
        commands += b"*3\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)
    filled = subprocess.run(["redis-cli", "-p", str(port), "--pipe"], input=commands, stdout=subprocess.DEVNULL)
    if filled.returncode != 0:
        server.kill()
        sys.exit("filling redis-server failed")
    return server


def python(_):
    held = subprocess.Popen([sys.executable, __file__, "--hold"], stdout=subprocess.PIPE)
    held.stdout.readline()
    return held


def hold():
    kept = [json.loads(json.dumps(record(number))) for number in range(RECORDS)]
    print(len(kept), flush=True)
    signal.pause()


def sizes(build, process, directory):
    os.kill(process.pid, signal.SIGSTOP)
    found = {}
    for codec in CODECS:
        image = pathlib.Path(directory, "image")
        subprocess.run([build / "bin/stillframe", "save", str(process.pid), "-o", image, "--force", "--quiet",
                        "--compress", codec], check=True)
        found[codec] = image.stat().st_size
        if codec != "none":
            continue
        for tool in TOOLS:
            with open(image, "rb") as raw:
                packed = subprocess.run([*tool, "-c"], stdin=raw, stdout=subprocess.PIPE, check=True).stdout
            found["tool " + " ".join(tool)] = len(packed)
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build", nargs="?", type=pathlib.Path)
    parser.add_argument("--hold", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.hold:
        return hold()
    if arguments.build is None:
        parser.error("which build?")
    columns = {}
    for name, start in {"redis": redis, "python": python}.items():
        with tempfile.TemporaryDirectory(prefix="stillframe-size.", dir="/var/tmp") as directory:
            process = start(directory)
            try:
                columns[name] = sizes(arguments.build, process, directory)
            finally:
                process.kill()
                process.wait()
    print("| | " + " | ".join(f"{name}, {found['none'] / 2**20:.0f} MiB" for name, found in columns.items()) + " |")
    print("|---|" + "---|" * len(columns))
    for row in [codec for codec in CODECS if codec != "none"] + ["tool " + " ".join(tool) for tool in TOOLS]:
        shares = (f"{found[row] / found['none']:.3f}" for found in columns.values())
        print(f"| {row if row.startswith('tool') else '--compress ' + row} | " + " | ".join(shares) + " |")


if __name__ == "__main__":
    main()
