"""Writes the same connections to a folder, with several link headers, and cut short. Times are 1700000000 and some milliseconds.

web 10.244.0.2, cron 10.244.0.4, db 10.244.1.3 (of another node), a service 10.96.0.20, somebody outside 203.0.113.9.
"""
import logging
import sys

logging.disable(logging.CRITICAL)
from scapy.all import *  # noqa: E402, F403
from scapy.layers.l2 import CookedLinuxV2  # noqa: E402


def connection(client, server, port):
    to, back = dict(sport=port, dport=5432), dict(sport=5432, dport=port)
    out, answer = IP(src=client, dst=server), IP(src=server, dst=client)
    return [
        out / TCP(flags="S", seq=100, **to),
        answer / TCP(flags="SA", seq=500, ack=101, **back),
        out / TCP(flags="A", seq=101, ack=501, **to),
        out / TCP(flags="PA", seq=101, ack=501, **to) / b"question",
        answer / TCP(flags="PA", seq=501, ack=109, **back) / b"answer",
        out / TCP(flags="FA", seq=109, ack=507, **to),
        answer / TCP(flags="FA", seq=507, ack=110, **back),
        out / TCP(flags="A", seq=110, ack=508, **to),
    ]


WEB, CRON, DB, SERVICE, OUTSIDE = "10.244.0.2", "10.244.0.4", "10.244.1.3", "10.96.0.20", "203.0.113.9"
packets = [
    *connection(WEB, DB, 40000),
    *connection(CRON, DB, 40001),
    *connection(CRON, SERVICE, 40002),
    *connection(OUTSIDE, DB, 40003),
    IP(src=WEB, dst=CRON) / UDP(sport=5000, dport=53) / b"question",
    IP(src=CRON, dst=WEB) / UDP(sport=53, dport=5000) / b"answer",
    IP(src=WEB, dst=DB) / ICMP(id=7) / b"echo",
    IP(src=DB, dst=WEB) / ICMP(type=0, id=7) / b"echo",
    IPv6(src="fd00:10:244::2", dst="fd00:10:244:1::3") / TCP(sport=40004, dport=5432, flags="S"),
    IP(src=WEB, dst="224.0.0.251") / UDP(sport=5353, dport=5353) / b"to a group",
    # Within a connection that was there before: the answer comes first.
    IP(src=DB, dst=WEB) / TCP(flags="PA", seq=1, ack=1, sport=5432, dport=40005) / b"answer",
    IP(src=WEB, dst=DB) / TCP(flags="A", seq=1, ack=7, sport=40005, dport=5432),
]
LINKS = {
    "ethernet": (1, lambda packet: Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / packet),
    "vlan": (1, lambda packet: Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / Dot1Q(vlan=7) / packet),
    "raw": (101, lambda packet: packet),
    "sll": (113, lambda packet: CookedLinux() / packet),
    "sll2": (276, lambda packet: CookedLinuxV2() / packet),
}


def write(name, link, length=65535):
    linktype, wrap = LINKS[link]
    writer = RawPcapWriter(f"{sys.argv[1]}/{name}.pcap", linktype=linktype)
    writer.write_header(None)
    for number, packet in enumerate(packets):
        octets = raw(wrap(packet))[:length]
        writer.write_packet(octets, sec=1700000000, usec=1000 * number, caplen=len(octets), wirelen=len(raw(wrap(packet))))
    writer.close()


for link in LINKS:
    write(link, link)
write("ethernet-74", "ethernet", 74)
write("raw-42", "raw", 42)
