#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""perch on DPDK's drivers of NICs: the models that QEMU has of them, in guests without KVM.

perch-echo runs in the guest. Its frames come out of a tap, cross a bridge, and leave it by a veth
that may neither cut nor sum, so the kernel does what the model was asked for and has left to it (a
virtio-net header says what). Each packet is looked at behind that, where the Linux client is.
"""
import concurrent.futures
import dataclasses
import os
import sys
import time
import traceback

from interop import CLIENT, client, stop_clean
from lab import LINUX4, LINUX6, PERCH4, PERCH6, Lab, Skip, wait_until
from qemu_guest import Guest, Image

MESSAGES, BULK4, BULK6 = 300, 4_000_000, 1_000_000
# What was sent again over the pulled cable, or overtaken between a tap's queues; what came after a
# client had gone; other hosts' groups; and a ring that QEMU, when it gets no CPU, does not empty.
HARMLESS = {"drop_tcp_duplicate", "drop_tcp_paws", "drop_tcp_no_flow", "drop_eth_not_joined",
            "drop_tx_port_full"}
AT_ONCE = min(2, os.cpu_count() or 1)  # a guest is busy for as long as it boots


@dataclasses.dataclass(frozen=True)
class Model:
    """A NIC, and what DPDK's driver of it gives to perch; checksums both ways are what all have."""
    device: str
    tso: bool
    lcores: int = 1
    queues: int = 1  # in use: fewer than lcores means software RSS
    taps: int = 1    # queues of the tap


MODELS = {
    "vmxnet3": Model("vmxnet3", tso=True),
    "virtio": Model("virtio-net-pci", tso=True),
    "e1000": Model("e1000", tso=False),
    "vmxnet3_rss": Model("vmxnet3", tso=True, lcores=2, queues=2),
    "virtio_rss": Model("virtio-net-pci,mq=on,rss=on", tso=True, lcores=2, queues=2, taps=2),
    "e1000e": Model("e1000e", tso=False, lcores=2),
}


def network(lab, taps):
    """A tap for QEMU, bridged to the client's veth; nobody but perch speaks on this side."""
    lab.join()
    lab.run("linux", "ethtool", "-K", "l0", "tx", "on")  # as from a guest next door: not summed yet
    many = ["multi_queue"] if taps > 1 else []
    lab.run("perch", "ip", "tuntap", "add", "t0", "mode", "tap", "vnet_hdr", *many)
    lab.run("perch", "ip", "link", "add", "b0", "type", "bridge", "forward_delay", "0",
            "mcast_snooping", "0")
    for dev in ("t0", "b0"):
        lab.run("perch", "sysctl", "-qw", f"net.ipv6.conf.{dev}.disable_ipv6=1", check=False)
    for dev in ("t0", "p0"):
        lab.run("perch", "ip", "link", "set", dev, "master", "b0", "up")
    lab.run("perch", "ip", "link", "set", "b0", "up")


def services(lab):
    for host in (PERCH4, PERCH6):
        lab.run("linux", "ping", "-c", "2", "-i", "0.2", "-W", "2", "-s", "1000", host)
        client(lab, "udp", host, 7)
    client(lab, "messages", PERCH4, 7, MESSAGES)
    client(lab, "many", PERCH4, 7, 50)
    for _ in range(4):  # by whichever lcore: its answers come back to that one
        client(lab, "dialled", PERCH4, 9, LINUX4)
    client(lab, "bulk", PERCH4, 7, BULK4, 30)
    client(lab, "bulk", PERCH6, 7, BULK6, 30)


def cable(lab, guest):
    """It is pulled out and put back while a connection talks."""
    talk = lab.start("linux", sys.executable, CLIENT, "talk", PERCH4, "7")
    talk.wait_for("message 5\n")
    guest.set_link(False)
    said = talk.text()
    time.sleep(0.3)
    assert talk.text() == said, "the link is down, and messages come back"
    guest.set_link(True)
    wait_until(lambda: talk.text().count("\n") > said.count("\n") + 5)
    assert talk.stop() == 0, talk.text()


def spread(guest, model):
    """RSS is no claim only: each receive queue has had packets. Only virtio's can be asked."""
    for queue in range(model.taps if model.taps > 1 else 0):
        status = guest.monitor.ask("x-query-virtio-queue-status", queue=2 * queue,
                                   path="/machine/peripheral/nic/virtio-backend")
        assert status["used-idx"] > 50, (queue, status)


def used(counters, model):
    """The summary says what the driver has, and that it was used."""
    want = {"port_queues": model.queues, "port_rx_checksums": 1, "port_tx_checksums": 1,
            "port_tso": int(model.tso)}
    got = {name: counters.get(name, 0) for name in want}
    assert got == want, (got, want)
    assert (counters.get("tcp_supers", 0) > 50) == model.tso, counters
    lost = {name: n for name, n in counters.items()
            if n and (name.startswith("drop_") or name.startswith("port_") and "err" in name)}
    assert not lost.keys() - HARMLESS, lost


def try_model(image, model):
    with Lab() as lab:
        network(lab, model.taps)
        app_args = ["--ip", PERCH4 + "/24", "--ip6", PERCH6 + "/64", "--idle", "backoff",
                    "--max-conns", "500", "--connect-port", "9"]
        guest = Guest(lab, "perch", image, model.device, app_args, cpus=model.lcores,
                      queues=model.taps).serving()
        sniffer = lab.start("linux", sys.executable, CLIENT, "sniff", "l0", PERCH4, PERCH6)
        sniffer.wait_for("sniffing")
        services(lab)
        spread(guest, model)
        cable(lab, guest)
        assert sniffer.stop() == 0, sniffer.text()
        counters = stop_clean(guest)
        seen = dict(pair.split("=") for pair in sniffer.text().split() if "=" in pair)
        assert int(seen["payload"]) >= BULK4 + BULK6 and int(seen["datagrams"]) >= 8, seen
        assert seen["wrong"] == "0", seen
        used(counters, model)


def run(name, image):
    """What became of it, in the words of the closing line, and why."""
    try:
        start = time.monotonic()
        try_model(image, MODELS[name])
        return "passed", f"  ok {name} ({time.monotonic() - start:.1f} s)"
    except Skip as reason:
        return "skipped", f"  SKIP {name}: {reason}"
    except Exception:  # a case that breaks is a failure, and the others go on
        return "failed", f"  FAIL {name}\n{traceback.format_exc()}"


def main(only):
    tally = {"passed": 0, "failed": 0, "skipped": 0}
    names = [name for name in MODELS if only in name]
    try:
        image = Image()
    except Skip as reason:
        print(f"  SKIP {reason}\nqemu: 0 passed, 0 failed, {len(names)} skipped")
        return 77
    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        for outcome, text in pool.map(lambda name: run(name, image), names):
            tally[outcome] += 1
            print(text, flush=True)
    print("qemu: {passed} passed, {failed} failed, {skipped} skipped".format(**tally))
    return 1 if tally["failed"] else 0 if tally["passed"] else 77


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
