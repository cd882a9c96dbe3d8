"""Reads its standard input to the end and throws it away: reader.py discard|stall|limit [FILE]

stall: 50 ms in every 250 it reads nothing. limit: 100 MB a second. How many bytes came goes to FILE at the end,
so that an output that went nowhere is noticed.
"""

import fcntl
import os
import sys
import time

PIPE = 1 << 20
STALL, PERIOD = 0.050, 0.250
BANDWIDTH = 100_000_000
F_SETPIPE_SZ = 1031


def main():
    kind = sys.argv[1]
    try:
        fcntl.fcntl(0, F_SETPIPE_SZ, PIPE)
    except OSError:
        pass
    block = PIPE if kind != "limit" else BANDWIDTH // 100
    total = 0
    start = paid = time.monotonic()
    while True:
        if kind == "stall":
            phase = (time.monotonic() - start) % PERIOD
            if phase >= PERIOD - STALL:
                time.sleep(PERIOD - phase)
        size = len(os.read(0, block))
        if size == 0:
            break
        total += size
        if kind == "limit":
            # A sleep that ended late is made up for, an output that had nothing to say is not.
            paid = max(paid, time.monotonic() - 0.02) + size / BANDWIDTH
            time.sleep(max(0, paid - time.monotonic()))
    if len(sys.argv) > 2:
        with open(sys.argv[2], "w", encoding="ascii") as file:
            file.write(str(total))
    return 0


if __name__ == "__main__":
    sys.exit(main())
