#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What lies below TCP, against Linux: groups through a bridge that snoops, fragments, VLANs,
duplicate addresses: l3_linux.py [PART OF A NAME]."""
import collections
import shutil
import sys
import time
import traceback

from lab import LINUX4, LINUX6, PERCH4, PERCH6, Lab, Skip, wait_until

GROUP4, GROUP6, SSM4 = "239.5.5.5", "ff05::5:5", "232.5.5.5"
CASES = {}

# Send SIZE bytes to HOST and expect them back from FROM; a group leaves through OWN's interface.
UDP = """
import socket, sys
host, size, sender, own, dev = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4], sys.argv[5]
v6 = ":" in host
s = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
s.bind((own, 0))
s.settimeout(0.5)
if v6:
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, socket.if_nametoindex(dev))
else:
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
data = bytes(i * 7 % 251 for i in range(size))
for _ in range(int(sys.argv[6])):
    s.sendto(data, (host, 7))
    try:
        answer, peer = s.recvfrom(70000)
    except socket.timeout:
        continue
    assert answer == data, f"{len(answer)} bytes, not those that were sent"
    assert peer[0] == sender, peer
    sys.exit(0)
sys.exit(3)
"""


def case(name):
    def add(f):
        CASES[name] = f
        return f
    return add


def udp_echo(lab, host, size, tries=8):
    """Does it come back?"""
    v6 = ":" in host
    r = lab.run("linux", sys.executable, "-c", UDP, host, str(size), PERCH6 if v6 else PERCH4,
                LINUX6 if v6 else LINUX4, "l0", str(tries), check=False)
    assert r.returncode in (0, 3), r.stderr
    return r.returncode == 0


def stop_clean(echo):
    status = echo.stop()
    assert status == 0, f"exit status {status}:\n{echo.text()}"
    return collections.Counter(echo.counters())  # what is zero is not printed


# ---- a switch -----------------------------------------------------------------------------------

def switched(lab, **bridge):
    """perch and Linux on two ports of a bridge."""
    lab.add_ns("switch")
    lab.veth("perch", "p0", "switch", "sp")
    lab.veth("switch", "sl", "linux", "l0")
    args = [x for k, v in bridge.items() for x in (k, str(v))]
    r = lab.run("switch", "ip", "link", "add", "br0", "type", "bridge", *args, check=False)
    if r.returncode:
        raise Skip("no such bridge here: " + r.stderr.strip())
    for dev in ("sp", "sl"):
        lab.run("switch", "ip", "link", "set", dev, "master", "br0")
    lab.run("switch", "ip", "addr", "add", "10.99.0.9/24", "dev", "br0")
    lab.run("switch", "ip", "link", "set", "br0", "up")
    lab.run("perch", "sysctl", "-qw", "net.ipv6.conf.p0.disable_ipv6=1", check=False)
    lab.address_linux("linux", "l0")


def snoops(lab, version):
    """Queries every two seconds, as a switch does in place of a router, in that IGMP version."""
    switched(lab, mcast_snooping=1, mcast_querier=1, mcast_igmp_version=version,
             mcast_mld_version=version - 1, mcast_query_interval=200,
             mcast_startup_query_interval=100, mcast_query_response_interval=100,
             mcast_last_member_interval=20)


def forwards(lab, group):
    """Does the bridge send that group's frames to perch?"""
    mdb = lab.run("switch", "bridge", "mdb", "show", "dev", "br0").stdout
    return any(f"port sp grp {group}" in line for line in mdb.splitlines())


def group_member(version, group, source=None):
    with Lab() as lab:
        snoops(lab, version)
        time.sleep(3.5)  # queries have come, and the bridge snoops
        stranger = lab.echo()
        assert not udp_echo(lab, group, 100, tries=2)
        assert not forwards(lab, group)
        stop_clean(stranger)
        echo = lab.echo(extra=["--join", group] + (["--source", source] if source else []))
        wait_until(lambda: forwards(lab, group), 5)
        assert udp_echo(lab, group, 100)
        time.sleep(5)  # answers to queries keep it
        assert forwards(lab, group)
        if ":" in group:
            assert udp_echo(lab, group, 3000)  # in fragments
        counters = stop_clean(echo)
        wait_until(lambda: not forwards(lab, group), 5)  # and a leave ends it
        assert counters["drop_igmp_malformed"] == counters["drop_mld_malformed"] == 0


@case("group_igmp3")
def group_igmp3():
    group_member(3, GROUP4)


@case("group_igmp2")
def group_igmp2():
    group_member(2, GROUP4)


@case("group_mld2")
def group_mld2():
    group_member(3, GROUP6)


@case("group_mld1")
def group_mld1():
    group_member(2, GROUP6)


@case("group_source")
def group_source():
    group_member(3, SSM4, LINUX4)


@case("group_other_source")
def group_other_source():
    """Linux is not the source that was joined: filtered by name."""
    with Lab() as lab:
        lab.join()
        echo = lab.echo(extra=["--join", SSM4, "--source", "10.99.0.77"])
        assert not udp_echo(lab, SSM4, 100, tries=2)
        assert stop_clean(echo)["drop_udp_no_member"] == 2


# Two datagrams to GROUP from OWN: how many answers come?
COUNT = """
import socket, sys
group, own = sys.argv[1:]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((own, 0))
s.settimeout(0.5)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
n = 0
for size in (100, 300):
    s.sendto(bytes(size), (group, 7))
    try:
        while True:
            s.recvfrom(2000)
            n += 1
    except socket.timeout:
        pass
print(n)
"""


@case("group_two_lcores")
def group_two_lcores():
    """Each lcore's member gets every datagram, whichever lcore it came to."""
    with Lab() as lab:
        lab.join()
        echo = lab.echo(extra=["--join", GROUP4], lcores="(0,1)@0")
        assert udp_echo(lab, GROUP4, 100)
        assert int(lab.run("linux", sys.executable, "-c", COUNT, GROUP4, LINUX4).stdout) == 4
        stop_clean(echo)


@case("reports_dissected")
def reports_dissected():
    """Wireshark finds our reports well-formed, and their checksums right."""
    if not shutil.which("tshark"):
        raise Skip("no tshark here")
    with Lab() as lab:
        lab.join()
        pcap = f"{lab.dir}/reports.pcap"
        shark = lab.start("linux", "tshark", "-q", "-i", "l0", "-F", "pcap", "-w", pcap)
        shark.wait_for("Capturing on")
        time.sleep(1)
        for group in (GROUP4, GROUP6):
            stop_clean(lab.echo(extra=["--join", group]))
        time.sleep(1)
        shark.stop()
        read = ["tshark", "-r", pcap, "-o", "ip.check_checksum:TRUE"]
        bad = lab.run(None, *read, "-Y", "_ws.malformed || ip.checksum.status == 0 || "
                      "igmp.checksum.status == 0 || icmpv6.checksum.status == 0").stdout
        assert not bad, bad
        records = lab.run(None, *read, "-Y", f"igmp.maddr == {GROUP4}", "-T", "fields",
                          "-e", "igmp.record_type").stdout.split()
        assert "4" in records and "3" in records, records  # TO_EX, then TO_IN
        records = lab.run(None, *read, "-Y", "icmpv6.type == 143", "-T", "fields", "-e",
                          "icmpv6.mldr.mar.record_type", "-e",
                          "icmpv6.mldr.mar.multicast_address").stdout
        assert GROUP6 in records, records


# ---- fragments ----------------------------------------------------------------------------------

def tap(lab):
    """The kernel's side of a tap is in the namespace of its maker. Not net_af_packet: the kernel
    puts IPv4 fragments together before it hands them over, and cuts off what is too long."""
    echo = lab.echo(vdev="net_tap0,iface=l0")
    lab.address_linux("perch", "l0")
    run = lab.run
    lab.run = lambda ns, *a, **kw: run("perch" if ns == "linux" else ns, *a, **kw)
    return echo


@case("fragments")
def fragments():
    with Lab() as lab:
        echo = tap(lab)
        for host in (PERCH4, PERCH6):
            lab.run("linux", "ping", "-c", "3", "-i", "0.2", "-W", "2", "-s", "4000", host)
            for size in (1500, 8000, 60000):
                assert udp_echo(lab, host, size), f"{host} {size}"
        counters = stop_clean(echo)
        dropped = {k: v for k, v in counters.items() if k.startswith("drop_frag") and v}
        assert not dropped, dropped


@case("fragments_on_a_bad_link")
def fragments_on_a_bad_link():
    """Reordered, duplicated, lost: what comes back is whole or nothing."""
    with Lab() as lab:
        lab.join(loss=0.02, reorder=0.1, dup=0.05, seed=11)
        echo = lab.echo()
        back = sum(udp_echo(lab, PERCH6, 8000, tries=1) for _ in range(20))
        assert back >= 5, back
        assert stop_clean(echo)["drop_frag_duplicate"] > 0


# ---- VLANs and addresses ------------------------------------------------------------------------

@case("vlan")
def vlan():
    """A bridge tags and untags: perch is in VLAN 5, Linux knows of none."""
    with Lab() as lab:
        switched(lab, vlan_filtering=1, mcast_snooping=0)
        for args in (["add", "dev", "sp", "vid", "5"], ["del", "dev", "sp", "vid", "1"],
                     ["add", "dev", "sl", "vid", "5", "pvid", "untagged"]):
            lab.run("switch", "bridge", "vlan", *args)
        echo = lab.echo(extra=["--vlan", "5"])
        for host in (PERCH4, PERCH6):
            lab.run("linux", "ping", "-c", "3", "-i", "0.2", "-W", "2", "-s", "4000", host)
            assert udp_echo(lab, host, 3000)
        stop_clean(echo)


@case("duplicate_address")
def duplicate_address():
    """Linux has the IPv6 address already: perch gives it up, and Linux keeps it."""
    with Lab() as lab:
        lab.join()
        lab.run("linux", "ip", "addr", "add", PERCH6 + "/64", "dev", "l0", "nodad")
        echo = lab.echo()
        time.sleep(2.5)
        lab.run("linux", "ping", "-c", "2", "-i", "0.2", "-W", "2", PERCH4)
        counters = stop_clean(echo)
        assert counters["drop_nd_conflict"] >= 1, counters


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    passed = failed = skipped = 0
    for name, run in CASES.items():
        if wanted not in name:
            continue
        try:
            run()
            passed += 1
        except Skip as why:
            skipped += 1
            print(f"  skip {name}: {why}")
        except Exception:  # pylint: disable=broad-exception-caught
            failed += 1
            print(f"  FAIL {name}")
            traceback.print_exc()
        sys.stdout.flush()
    print(f"l3 linux: {passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0 if passed else 77


if __name__ == "__main__":
    sys.exit(main())
