"""A QEMU with the bare guest of guest.c, and what its log says."""

import json
import pathlib
import socket
import struct
import subprocess
import tempfile
import time

LOG_ADDRESS = 16 << 20
LOG_MAGIC = 0x474F4C454D415246
HEADER = struct.Struct("<5Q")
TICKS_OFFSET = 16
ENTRY = 16
MEMORY_MIB = 2048


def build_guest(directory):
    """Compiles guest.c; returns the path of the program: 64-bit code in the 32-bit file that multiboot asks for."""
    here = pathlib.Path(__file__).parent
    program = pathlib.Path(directory) / "guest.elf"
    wide = pathlib.Path(directory) / "guest64.elf"
    subprocess.run(
        ["gcc", "-m64", "-O1", "-ffreestanding", "-fno-pic", "-fno-pie", "-fno-stack-protector", "-mno-red-zone",
         "-fcf-protection=none", "-mgeneral-regs-only", "-fno-asynchronous-unwind-tables", "-nostdlib", "-static",
         "-Wall", "-Wextra", "-Werror", f"-Wl,-T,{here / 'guest.ld'}", "-Wl,--build-id=none",
         "-Wl,-z,max-page-size=4096", "-Wl,--no-warn-rwx-segments", "-o", str(wide), str(here / "guest.c")],
        check=True)
    subprocess.run(["objcopy", "-O", "elf32-i386", str(wide), str(program)], check=True)
    return program


class Qmp:
    """QEMU's control socket."""

    def __init__(self, path, process):
        self.socket = socket.socket(socket.AF_UNIX)
        for _ in range(500):
            try:
                self.socket.connect(path)
                break
            except OSError:
                if process.poll() is not None:
                    raise RuntimeError("qemu ended at once") from None
                time.sleep(0.01)
        self.lines = self.socket.makefile("r")
        self.lines.readline()
        self.run("qmp_capabilities")

    def run(self, command, **arguments):
        self.socket.sendall(json.dumps({"execute": command, "arguments": arguments}).encode() + b"\n")
        for line in self.lines:
            answer = json.loads(line)
            if "error" in answer:
                raise RuntimeError(f"{command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]
        raise RuntimeError(f"{command}: qemu is gone")


class Guest:
    """Running and writing when this is made; killed, by its pid, when the `with` ends."""

    def __init__(self, program, accelerator):
        self.directory = tempfile.TemporaryDirectory(prefix="stillframe-compare.")
        cpu = "host,arch-capabilities=off,pmu=off" if accelerator == "kvm" else "max"
        path = self.directory.name + "/qmp"
        self.process = subprocess.Popen(
            ["qemu-system-x86_64", "-machine", f"pc,accel={accelerator}", "-cpu", cpu, "-m", str(MEMORY_MIB),
             "-nodefaults", "-display", "none", "-no-reboot", "-kernel", str(program),
             "-qmp", f"unix:{path},server=on,wait=off"],
            stdin=subprocess.DEVNULL)
        try:
            self.qmp = Qmp(path, self.process)
            self.log = self._find_log()
            self.memory = open(f"/proc/{self.process.pid}/mem", "r+b", buffering=0)
            self._wait_until_filled()
            self._set_clock()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.directory.cleanup()

    def _find_log(self):
        answer = self.qmp.run("human-monitor-command", **{"command-line": f"gpa2hva {LOG_ADDRESS:#x}"})
        return int(answer.split(" is ")[1].split()[0], 16)

    def _read(self, offset, size):
        self.memory.seek(self.log + offset)
        data = self.memory.read(size)
        if len(data) != size:
            raise RuntimeError("the guest's log can't be read")
        return data

    def _header(self):
        return HEADER.unpack(self._read(0, HEADER.size))

    def _wait_until_filled(self):
        for _ in range(2400):
            if self._header()[0] == LOG_MAGIC:
                return
            if self.process.poll() is not None:
                raise RuntimeError("qemu ended")
            time.sleep(0.05)
        raise RuntimeError("the guest does not fill its memory")

    def _set_clock(self):
        """Tells the guest how many ticks a second has, by two looks at its clock and at ours."""
        def look():
            before = time.monotonic()
            ticks = self._header()[1]
            return (before + time.monotonic()) / 2, ticks
        (begin, first), _, (end, last) = look(), time.sleep(1), look()
        self.memory.seek(self.log + TICKS_OFFSET)
        self.memory.write(struct.pack("<Q", round((last - first) / (end - begin))))

    def count(self):
        return self._header()[3]

    def latencies(self, first, last):
        """Seconds that writes [first, last) were late, in their order."""
        _, _, ticks, _, entries = self._header()
        if last - first > entries:
            raise RuntimeError("the guest's log is too short for this")
        data = self._read(HEADER.size, entries * ENTRY)
        return [struct.unpack_from("<Q", data, i % entries * ENTRY + 8)[0] / ticks for i in range(first, last)]
