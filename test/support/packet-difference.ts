/** Where two runs of packets differ first, for people: both packets as hex dumps, rows that differ marked. */
import { PACKET } from '../../src/dataplane/pool.js';
import type { GoldenPacket } from './golden-case.js';

const ROW = 16;

/** What virtio's header can carry of `flags`; the rest is the engine's own business. */
const LINK_FLAGS = PACKET.PARTIAL_CHECKSUM | PACKET.CHECKSUM_VALID;

/** '' where both are the same. */
export function packetDifference(
  where: string,
  expected: readonly GoldenPacket[],
  actual: readonly GoldenPacket[],
): string {
  const longest = Math.max(expected.length, actual.length);
  for (let i = 0; i < longest; i++) {
    const title = `${where}, packet ${i + 1} (expected ${expected.length} packets, got ${actual.length})`;
    if (!isSame(expected[i], actual[i])) return [title, ...sideBySide(expected[i], actual[i])].join('\n');
  }
  return '';
}

function isSame(a: GoldenPacket | undefined, b: GoldenPacket | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  return Buffer.compare(a.bytes, b.bytes) === 0 && factsText(a) === factsText(b);
}

function sideBySide(expected: GoldenPacket | undefined, actual: GoldenPacket | undefined): string[] {
  const left = describe(expected);
  const right = describe(actual);
  return Array.from({ length: Math.max(left.length, right.length) }, (_, i) => {
    const [a = '', b = ''] = [left[i], right[i]];
    return a === b ? `  ${a}` : `- ${a}\n+ ${b}`;
  });
}

function describe(packet: GoldenPacket | undefined): string[] {
  if (packet === undefined) return ['no packet'];
  return [`${packet.bytes.length} bytes, ${factsText(packet)}`, ...hexDump(packet.bytes)];
}

function factsText({ facts, remote }: GoldenPacket): string {
  const flags = facts.flags & LINK_FLAGS;
  const isPartial = (flags & PACKET.PARTIAL_CHECKSUM) !== 0;
  const checksum = isPartial ? `${facts.checksumStart}+${facts.checksumOffset}` : 'none';
  const end = remote === undefined ? '' : `, remote ${remote}`;
  return `flags ${flags}, checksum ${checksum}, gso ${facts.gsoType}/${facts.gsoSize}${end}`;
}

function hexDump(bytes: Uint8Array): string[] {
  return Array.from({ length: Math.ceil(bytes.length / ROW) }, (_, row) => {
    const slice = bytes.subarray(row * ROW, (row + 1) * ROW);
    const hex = Array.from(slice, (byte) => byte.toString(16).padStart(2, '0')).join(' ');
    const text = Array.from(slice, (byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '.'));
    return `${(row * ROW).toString(16).padStart(4, '0')}  ${hex.padEnd(ROW * 3)} ${text.join('')}`;
  });
}
