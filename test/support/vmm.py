"""A virtual machine in a program: it opens a TAP by its name as a monitor does (QEMU: -netdev tap,ifname=X,script=no), with
virtio headers, and is a host behind it, built by scapy.

    vmm.py IFNAME MAC ADDRESS

Prints "ready" when it has the TAP. Answers ARP and echo requests for its address. For each line it reads, an address, it
resolves it, sends an echo request, and prints whose answer came, or "nothing". With a MAC address before the address it
resolves nothing, and waits for a second only.
"""
import fcntl
import os
import select
import struct
import sys
import time

from scapy.layers.inet import ICMP, IP
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Raw

TUNSETIFF, TUNSETVNETHDRSZ = 0x400454CA, 0x400454D8
IFF_TAP, IFF_NO_PI, IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
HEADER = 12
DEADLINE, SHORT = 20, 1

name, mac, address = sys.argv[1:4]
tap = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
fcntl.ioctl(tap, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TAP | IFF_NO_PI | IFF_VNET_HDR))
fcntl.ioctl(tap, TUNSETVNETHDRSZ, struct.pack("i", HEADER))
neighbours, replies = {}, []


def send(frame):
    os.write(tap, bytes(HEADER) + bytes(frame))


def hear(frame):
    packet = Ether(frame)
    if ARP in packet and packet[ARP].op == 1 and packet[ARP].pdst == address:
        who = packet[ARP]
        reply = ARP(op=2, hwsrc=mac, psrc=address, hwdst=who.hwsrc, pdst=who.psrc)
        send(Ether(src=mac, dst=who.hwsrc) / reply)
    elif ARP in packet and packet[ARP].op == 2:
        neighbours[packet[ARP].psrc] = packet[ARP].hwsrc
    elif ICMP in packet and packet[IP].dst == address and packet[ICMP].type == 8:
        echo = ICMP(type=0, id=packet[ICMP].id, seq=packet[ICMP].seq) / Raw(bytes(packet[ICMP].payload))
        send(Ether(src=mac, dst=packet.src) / IP(src=address, dst=packet[IP].src) / echo)
    elif ICMP in packet and packet[IP].dst == address and packet[ICMP].type == 0:
        replies.append(packet[IP].src)


def wait_for(condition, deadline=DEADLINE):
    """Serves the network until the condition holds."""
    end = time.monotonic() + deadline
    while not condition() and time.monotonic() < end:
        if select.select([tap], [], [], 0.1)[0]:
            hear(os.read(tap, 1 << 17)[HEADER:])


def ping(target):
    send(Ether(src=mac, dst="ff:ff:ff:ff:ff:ff") / ARP(op=1, hwsrc=mac, psrc=address, pdst=target))
    wait_for(lambda: target in neighbours)
    if target not in neighbours:
        return "nothing"
    return ask(neighbours[target], target, DEADLINE)


def ask(station, target, deadline):
    del replies[:]
    request = ICMP(type=8, id=7, seq=1) / Raw(bytes(range(200)))
    send(Ether(src=mac, dst=station) / IP(src=address, dst=target) / request)
    wait_for(lambda: replies, deadline)
    return replies[0] if replies else "nothing"


print("ready", flush=True)
while True:
    readable = select.select([tap, sys.stdin], [], [])[0]
    if tap in readable:
        hear(os.read(tap, 1 << 17)[HEADER:])
    if sys.stdin in readable:
        line = sys.stdin.readline()
        if not line:
            break
        words = line.split()
        print(ask(*words, SHORT) if len(words) == 2 else ping(words[0]), flush=True)
