#!/usr/bin/env python3
"""Puts VLAN tags into the frames of a capture, where the kernel that made it has no VLAN devices.

    tag.py IN.pcap OUT.pcap TYPE:VLAN:PRIORITY...

The outer tag is given first. Times and everything behind the tags stay as they are. Needs scapy.
"""
import sys

from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw
from scapy.utils import RawPcapReader, RawPcapWriter

ETHERNET = 1


def tagged(frame, tags):
    ether = Ether(dst=frame[0:6], src=frame[6:12])
    inner = int.from_bytes(frame[12:14], "big")
    types = [kind for kind, _, _ in tags] + [inner]
    ether.type = types[0]
    packet = ether
    for (_, vlan, priority), following in zip(tags, types[1:]):
        packet = packet / Dot1Q(vlan=vlan, prio=priority, type=following)
    return bytes(packet / Raw(frame[14:]))


def main():
    source, target, *words = sys.argv[1:]
    tags = [tuple(int(number, 0) for number in word.split(":")) for word in words]
    with RawPcapWriter(target, linktype=ETHERNET, endianness="<", snaplen=262144) as writer:
        writer.write_header(None)
        for frame, facts in RawPcapReader(source):
            writer.write_packet(tagged(frame, tags), sec=facts.sec, usec=facts.usec)


if __name__ == "__main__":
    main()
