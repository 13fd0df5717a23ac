/**
 * Makes the checksums of a mutated packet right again, so that it gets past the checks that would end its way
 * at once. Simple and slow, and of its own: it shares nothing with what it is used to test.
 */
const ETHERNET = 14;

/** The ones' complement sum of 16-bit words from `start` to `end`. */
function sum(bytes: Uint8Array, start: number, end: number, initial = 0): number {
  let total = initial;
  for (let i = start; i < end; i++) total += (i - start) % 2 === 0 ? bytes[i] << 8 : bytes[i];
  while (total > 0xffff) total = (total & 0xffff) + Math.floor(total / 0x1_0000);
  return total;
}

function store(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >> 8;
  bytes[at + 1] = value & 0xff;
}

/** Where the IP header begins, behind VLAN tags. */
function networkAt(bytes: Uint8Array): number {
  let at = ETHERNET;
  for (; at + 4 <= bytes.length; at += 4) {
    const type = (bytes[at - 2] << 8) | bytes[at - 1];
    if (type !== 0x8100 && type !== 0x88a8) break;
  }
  return at;
}

/** Changes `bytes` in place; what is no IP packet stays as it is. */
export function repairChecksums(bytes: Uint8Array): void {
  const at = networkAt(bytes);
  if (at + 20 > bytes.length) return;
  if (bytes[at] >> 4 === 4) repairIpv4(bytes, at);
  else if (bytes[at] >> 4 === 6 && at + 40 <= bytes.length) repairIpv6(bytes, at);
}

function repairIpv4(bytes: Uint8Array, at: number): void {
  const header = (bytes[at] & 15) * 4;
  if (header < 20 || at + header > bytes.length) return;
  store(bytes, at + 10, 0);
  store(bytes, at + 10, ~sum(bytes, at, at + header) & 0xffff);
  const total = (bytes[at + 2] << 8) | bytes[at + 3];
  const end = Math.min(bytes.length, at + total);
  const pseudo = sum(bytes, at + 12, at + 20, bytes[at + 9] + end - at - header);
  repairTransport(bytes, bytes[at + 9], at + header, end, pseudo);
}

function repairIpv6(bytes: Uint8Array, at: number): void {
  const end = Math.min(bytes.length, at + 40 + ((bytes[at + 4] << 8) | bytes[at + 5]));
  const pseudo = sum(bytes, at + 8, at + 40, bytes[at + 6] + end - at - 40);
  repairTransport(bytes, bytes[at + 6], at + 40, end, pseudo);
}

/** Of TCP, UDP, ICMP and ICMPv6: protocol number, where the checksum lies, whether the addresses count. */
const TRANSPORTS: Readonly<Record<number, readonly [offset: number, pseudo: boolean]>> = {
  1: [2, false],
  6: [16, true],
  17: [6, true],
  58: [2, true],
};

function repairTransport(bytes: Uint8Array, protocol: number, at: number, end: number, pseudo: number): void {
  const transport = TRANSPORTS[protocol];
  if (transport === undefined || at + transport[0] + 2 > end) return;
  store(bytes, at + transport[0], 0);
  store(bytes, at + transport[0], ~sum(bytes, at, end, transport[1] ? pseudo : 0) & 0xffff);
}
