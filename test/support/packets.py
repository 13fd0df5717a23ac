"""Builds packets from scapy's expressions, and says what a packet is and whether its checksums are right.

One JSON line in, one out: {"build": EXPRESSION} gives the octets, {"read": HEX} the facts.
"""
import json
import logging
import sys

logging.disable(logging.CRITICAL)
from scapy.all import *  # noqa: E402, F403
from scapy.contrib import igmp  # noqa: E402, F401

CHECKED = ("IP", "TCP", "UDP", "ICMP", "SCTP")


def built(expression):
    return raw(eval(expression)).hex()


def sums(packet):
    """Every layer's checksum as it is, then as scapy computes it; those of quoted packets are left out."""
    again = packet.copy()
    found = []
    layer, fresh = packet, again
    while layer and not layer.name.endswith("in ICMP") and "error" not in layer.name:
        for field in ("chksum", "cksum"):
            if field in layer.fields:
                found.append(getattr(layer, field))
                delattr(fresh, field)
        layer, fresh = layer.payload, fresh.payload
    return found, again.__class__(raw(again))


def facts(hexa):
    packet = Ether(bytes.fromhex(hexa))
    found, again = sums(packet)
    expected, _ = sums(again)
    network = packet.getlayer(IP) or packet.getlayer(IPv6)
    answer = {"sound": found == expected, "text": packet.summary(), "src": network.src, "dst": network.dst}
    answer["ttl"] = network.ttl if network.version == 4 else network.hlim
    answer["mac"] = packet.dst
    for name in ("sport", "dport", "flags", "seq", "ack"):
        for layer in (TCP, UDP, SCTP):
            if packet.haslayer(layer) and not packet.haslayer("IP in ICMP") and hasattr(packet[layer], name):
                answer[name] = str(getattr(packet[layer], name)) if name == "flags" else getattr(packet[layer], name)
    quote = packet.getlayer("IP in ICMP") or packet.getlayer("IPv6 in ICMPv6") or packet.getlayer(IPerror6)
    if quote:
        answer["quote"] = {"src": quote.src, "dst": quote.dst, "sport": quote.payload.sport, "dport": quote.payload.dport}
        for name in ("type", "code"):
            answer[name] = getattr(network.payload, name)
    return answer


for line in sys.stdin:
    request = json.loads(line)
    answer = built(request["build"]) if "build" in request else facts(request["read"])
    print(json.dumps(answer), flush=True)
