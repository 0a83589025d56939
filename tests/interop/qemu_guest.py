# SPDX-License-Identifier: BSD-3-Clause
"""A guest of QEMU's that runs one of the apps on a model of a NIC: no KVM and no disk, but a
kernel, a folder in memory made of what this machine has, and QEMU's monitor (QMP)."""
import glob
import itertools
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import time

from lab import BUILD, Program, Skip, app

KERNEL = os.path.join(BUILD, "guest-kernel")
MODULES = ("uio.ko", "uio_pci_generic.ko")  # in the order in which they need each other
DRIVERS = ("net_virtio", "net_e1000", "net_vmxnet3", "bus_pci", "bus_vdev", "mempool_ring",
           "mempool_stack")
EAL_MB, LCORE_MB = 20, 70  # in huge pages of 2 MB
OTHERS_MB = 200  # the kernel, the folder in memory, what is not packets: more costs time to boot
# Of no use where time is short: nobody attacks this kernel, and QEMU's TSC is the machine's.
KERNEL_LINE = "console=ttyS0 quiet panic=-1 nokaslr mitigations=off tsc=reliable"


def needed():
    """Skip where something is missing that a guest needs."""
    if platform.machine() != "x86_64":
        raise Skip("the guests are x86_64")
    if not shutil.which("qemu-system-x86_64"):
        raise Skip("qemu-system-x86 is not installed")
    for name in ("vmlinuz", *MODULES):
        if not os.path.exists(os.path.join(KERNEL, name)):
            raise Skip(f"no {KERNEL}/{name}: './perch test' fetches the guests' kernel")
    if not os.access("/dev/net/tun", os.W_OK):
        raise Skip("no /dev/net/tun")


# ---- the folder in memory -----------------------------------------------------------------------

INODES = itertools.count(1)


def entry(name, mode, data=b""):
    """One file of a cpio archive in the `newc` format."""
    name = name.strip("/").encode() + b"\0"
    fields = (next(INODES), mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)
    head = b"070701" + b"".join(b"%08x" % f for f in fields) + name
    body = head + b"\0" * (-len(head) % 4) + data
    return body + b"\0" * (-len(body) % 4)


def libraries(path):
    out = subprocess.run(["ldd", path], check=True, capture_output=True, text=True).stdout
    return set(re.findall(r"(/\S+) \(0x", out))


def read(path):
    with open(path, "rb") as f:
        return f.read()


def base(program):
    """The app, EAL's drivers, their libraries, init and the kernel's modules, each where it looks
    for the other. A library has one file, whatever it is called by, or EAL would load it twice."""
    drivers = [p for d in DRIVERS for p in glob.glob(f"/usr/lib/*/dpdk/pmds-*/librte_{d}.so.*.*")]
    files = {"/perch": program, "/init": os.path.join(BUILD, "tests/interop/qemu_init")}
    files.update({"/" + m: os.path.join(KERNEL, m) for m in MODULES})
    links = {"/lib": "usr/lib", "/lib64": "usr/lib64", "/var/run": "/run"}
    for path in {p for f in (program, *drivers) for p in libraries(f)} | set(drivers):
        real = os.path.realpath(path)
        files[real] = real
        at = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
        if at != real:
            links[at] = real
    folders = {"/"}
    for path in (*files, *links):
        while (path := os.path.dirname(path)) != "/":
            folders.add(path)
    # EAL loads no drivers below a folder that everybody may write to, as / is by default.
    return b"".join((*(entry(f if f != "/" else ".", 0o40755) for f in sorted(folders)),
                     *(entry(at, 0o120777, to.encode()) for at, to in links.items()),
                     *(entry(at, 0o100755, read(of)) for at, of in files.items())))


class Image:
    """What guests are started from; the app's arguments differ from guest to guest."""

    def __init__(self, name="perch-echo"):
        needed()
        self.base = base(app(name))

    def write(self, path, argv):
        with open(path, "wb") as f:
            f.write(self.base)
            f.write(entry("argv", 0o100644, "".join(a + "\n" for a in argv).encode()))
            f.write(entry("TRAILER!!!", 0))


# ---- a guest ------------------------------------------------------------------------------------

class Monitor:
    """QEMU's, by QMP."""

    def __init__(self, path):
        self.s = socket.socket(socket.AF_UNIX)
        self.s.settimeout(10)
        self.s.connect(path)
        self.lines = self.s.makefile()
        self.lines.readline()  # its greeting
        self.ask("qmp_capabilities")

    def ask(self, command, **arguments):
        self.s.sendall(json.dumps({"execute": command, "arguments": arguments}).encode())
        while line := self.lines.readline():
            answer = json.loads(line)
            if "error" in answer:
                raise AssertionError(f"{command} {arguments}: {answer['error']}")
            if "return" in answer:  # the others are events
                return answer["return"]
        raise AssertionError(f"QEMU went away at {command}")


class Guest(Program):
    """perch on a model NIC whose other end is the tap `tap` of the namespace `ns`."""

    def __init__(self, lab, ns, image, nic, app_args, cpus=1, queues=1, tap="t0"):
        self.qmp = os.path.join(lab.dir, f"{tap}.qmp")
        memory = EAL_MB + cpus * LCORE_MB
        initrd = os.path.join(lab.dir, f"{tap}.initrd")
        image.write(initrd, ["/perch", "--in-memory", "-m", str(memory), "-l",
                             ",".join(map(str, range(cpus))), "--", *app_args])
        many = f",queues={queues}" if queues > 1 else ""
        super().__init__(lab, ns, [
            "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", str(cpus),
            "-m", str(memory + OTHERS_MB), "-nodefaults", "-display", "none", "-no-reboot",
            "-kernel", os.path.join(KERNEL, "vmlinuz"), "-initrd", initrd,
            "-append", f"{KERNEL_LINE} hugepages={memory // 2}",
            "-serial", "stdio", "-qmp", f"unix:{self.qmp},server=on,wait=off",
            "-netdev", f"tap,id=net,ifname={tap},script=no,downscript=no{many}",
            "-device", f"{nic},netdev=net,id=nic,mac=02:00:00:00:99:02"],
            stdin=subprocess.PIPE)
        lab.programs.append(self)

    def serving(self):
        self.wait_for("perch-echo: serving", 60)
        self.monitor = Monitor(self.qmp)
        return self

    def stop(self, sig=signal.SIGINT):
        """A byte on the console becomes a SIGINT. The app's exit status."""
        assert sig == signal.SIGINT
        if self.p.poll() is None:
            self.p.stdin.write(b"x")
            self.p.stdin.flush()
        try:
            self.p.wait(20)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
            raise AssertionError(f"the guest did not power off:\n{self.text()}") from None
        said = re.search(r"guest: exit status (\d+), signal (\d+)", self.text())
        assert said, self.text()
        return int(said[1]) or -int(said[2])

    def set_link(self, up):
        self.monitor.ask("set_link", name="nic", up=up)
        time.sleep(0.3)
