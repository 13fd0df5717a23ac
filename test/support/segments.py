"""What segmentation must give, built by scapy: one JSON request a line in, one JSON answer a line out.

A request says what a large TCP or UDP packet is like. The answer holds the packet as a sender with offloads hands
it over (lengths of the whole, the pseudo header's sum in the checksum field) and the packets that it must become,
each built by scapy from its own fields, with lengths and checksums that scapy computes.
"""
import json
import logging
import sys

logging.getLogger('scapy').setLevel(logging.ERROR)
from scapy.layers.inet import IP, TCP, UDP, IPOption
from scapy.layers.inet6 import (IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop, IPv6ExtHdrRouting, PadN, PseudoIPv6,
                                RouterAlert)
from scapy.layers.l2 import Dot1Q, Ether
from scapy.packet import Raw
from scapy.utils import checksum

FIN, PSH, CWR = 0x01, 0x08, 0x80
EXTENSIONS = {
    'hop-by-hop': lambda: IPv6ExtHdrHopByHop(options=[RouterAlert()]),
    'destination': lambda: IPv6ExtHdrDestOpt(options=[PadN(optdata=bytes(14))]),
    'routing': lambda: IPv6ExtHdrRouting(addresses=['fd00::77'], segleft=1),
}


def link(r):
    packet = Ether(dst='02:00:00:00:00:02', src='02:00:00:00:00:01')
    for i, vlan in enumerate(r['vlans']):
        packet.lastlayer().type = 0x88a8 if i == 0 and len(r['vlans']) == 2 else 0x8100
        packet = packet / Dot1Q(vlan=vlan, prio=3)
    return packet


def network(r, index):
    if r['family'] == 4:
        options = [IPOption(b'\x01')] * r['ipOptions']
        return IP(src='10.1.2.3', dst='10.4.5.6', id=(r['id'] + index) & 0xffff, ttl=63, tos=2, flags='DF', options=options)
    packet = IPv6(src='fd00::1:2:3', dst='fd00::4:5:6', hlim=63, tc=2, fl=0x12345)
    for name in r['extensions']:
        packet = packet / EXTENSIONS[name]()
    return packet


def transport(r, offset, is_last):
    if r['protocol'] == 'udp':
        return UDP(sport=4000, dport=5000)
    flags = r['flags']
    if offset > 0:
        flags &= ~CWR
    if not is_last:
        flags &= ~(FIN | PSH)
    options = [('NOP', None)] * r['tcpOptions']
    sequence = (r['sequence'] + offset) & 0xffffffff
    return TCP(sport=4000, dport=5000, seq=sequence, ack=0x89abcdef, flags=flags, window=501, options=options)


def segment(r, payload, index, offset, is_last):
    return bytes(link(r) / network(r, index) / transport(r, offset, is_last) / Raw(payload))


def places(r, whole):
    """Where the transport header begins, and its checksum field relative to that."""
    layer = UDP if r['protocol'] == 'udp' else TCP
    start = len(whole) - len(bytes(Ether(whole)[layer]))
    return start, 6 if layer is UDP else 16


def pseudo(r, length):
    number = 17 if r['protocol'] == 'udp' else 6
    if r['family'] == 4:
        head = bytes(IP(src='10.1.2.3', dst='10.4.5.6'))[12:20] + bytes([0, number]) + length.to_bytes(2, 'big')
    else:
        dst = 'fd00::77' if 'routing' in r['extensions'] else 'fd00::4:5:6'
        head = bytes(PseudoIPv6(src='fd00::1:2:3', dst=dst, uplen=length, nh=number))
    return ~checksum(head) & 0xffff


def whole_packet(r, payload):
    packet = bytearray(segment(r, payload, 0, 0, True))
    start, offset = places(r, bytes(packet))
    packet[start + offset:start + offset + 2] = pseudo(r, len(packet) - start).to_bytes(2, 'big')
    return bytes(packet), start, offset


def zero_checksum(r, payload):
    """Changes the first two octets so that the first segment's checksum comes out as 0."""
    size = r['size']
    blank = b'\0\0' + payload[2:]
    first = segment(r, blank[:size], 0, 0, len(blank) <= size)
    start, offset = places(r, first)
    return first[start + offset:start + offset + 2] + payload[2:]


def answer(r):
    payload = bytes((i * 7 + (i >> 8) + r['seed']) & 0xff for i in range(r['payload']))
    if r.get('zeroChecksum'):
        payload = zero_checksum(r, payload)
    packet, start, offset = whole_packet(r, payload)
    size = r['size']
    offsets = list(range(0, len(payload), size)) or [0]
    expected = [segment(r, payload[o:o + size], i, o, o == offsets[-1]) for i, o in enumerate(offsets)]
    return {'packet': packet.hex(), 'checksumStart': start, 'checksumOffset': offset,
            'expected': [e.hex() for e in expected]}


for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)
