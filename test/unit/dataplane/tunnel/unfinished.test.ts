import { describe, expect, it } from 'vitest';
import { parsePacket } from '../../../../src/dataplane/elements/parse.js';
import { isOffloadSound } from '../../../../src/dataplane/offload.js';
import { PACKET, PacketPool } from '../../../../src/dataplane/pool.js';
import { restoreOffload } from '../../../../src/dataplane/tunnel/unfinished.js';
import { GSO } from '../../../../src/wire/virtio-net.js';

const MTU = 1450;

const ETHERNET = '0270000000020270000000010800';
/** 10.244.9.3 to 10.244.0.3; total length and protocol are filled in. */
const IPV4 = (total: number, protocol: number): string =>
  `4500${hex16(total)}000040003f${protocol.toString(16).padStart(2, '0')}00000af409030af40003`;
/** Ports 5000 and 4000, sequence 1, ack 1, data offset 5, ACK, window 512. */
const TCP = (check: number): string =>
  `13880fa000000001000000015010 0200${hex16(check)}0000`.replace(/ /g, '');
const UDP = (length: number, check: number): string => `13880fa0${hex16(length)}${hex16(check)}`;

function hex16(value: number): string {
  return value.toString(16).padStart(4, '0');
}

/** The folded sum of the pseudo header, by long addition: RFC 9293 section 3.1. */
function pseudo(protocol: number, length: number): number {
  let sum = 0x0af4 + 0x0903 + 0x0af4 + 0x0003 + protocol + length;
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  return sum;
}

/** A parsed packet in a pool of its own. */
function parsed(text: string): { pool: PacketPool; slot: number } {
  const pool = new PacketPool(2);
  const slot = pool.take();
  const bytes = Buffer.from(text, 'hex');
  pool.bytes.set(bytes, pool.at[slot]);
  pool.reset(slot, bytes.length, 0);
  expect(parsePacket(pool, slot)).toBe(-1);
  return { pool, slot };
}

function tcpPacket(payload: number, check = pseudo(6, 20 + payload)): { pool: PacketPool; slot: number } {
  return parsed(ETHERNET + IPV4(40 + payload, 6) + TCP(check) + 'ab'.repeat(payload));
}

describe('restoreOffload', () => {
  it('knows a partial checksum by the sum of the pseudo header', () => {
    const { pool, slot } = tcpPacket(100);
    restoreOffload(pool, slot, MTU);
    expect(pool.flags[slot] & PACKET.PARTIAL_CHECKSUM).not.toBe(0);
    expect([pool.checksumStart[slot], pool.checksumOffset[slot]]).toEqual([34, 16]);
    expect(pool.gsoType[slot]).toBe(GSO.NONE);
    expect(isOffloadSound(pool, slot)).toBe(true);
  });

  it('cuts TCP that is larger than the sender’s MTU', () => {
    const { pool, slot } = tcpPacket(40_000);
    restoreOffload(pool, slot, MTU);
    expect([pool.gsoType[slot], pool.gsoSize[slot]]).toEqual([GSO.TCPV4, MTU - 40]);
    expect(isOffloadSound(pool, slot)).toBe(true);
  });

  it('does so for UDP, which it cannot cut', () => {
    const { pool, slot } = parsed(`${ETHERNET}${IPV4(32, 17)}${UDP(12, pseudo(17, 12))}01020304`);
    restoreOffload(pool, slot, 20);
    expect(pool.flags[slot] & PACKET.PARTIAL_CHECKSUM).not.toBe(0);
    expect(pool.checksumOffset[slot]).toBe(6);
    expect(pool.gsoType[slot]).toBe(GSO.NONE);
  });

  it.each([
    ['another checksum', () => tcpPacket(100, 0x1234)],
    ['no UDP checksum', () => parsed(`${ETHERNET}${IPV4(32, 17)}${UDP(12, 0)}01020304`)],
    ['a protocol without one', () => parsed(`${ETHERNET}${IPV4(28, 132)}0102030405060708`)],
  ])('leaves %s alone', (_, make) => {
    const { pool, slot } = make();
    restoreOffload(pool, slot, MTU);
    expect(pool.flags[slot]).toBe(0);
    expect(pool.gsoType[slot]).toBe(GSO.NONE);
  });

  it('leaves what is joined or a fragment alone', () => {
    const { pool, slot } = tcpPacket(40_000);
    pool.flags[slot] = PACKET.FRAGMENT;
    restoreOffload(pool, slot, MTU);
    expect(pool.flags[slot]).toBe(PACKET.FRAGMENT);
  });
});
