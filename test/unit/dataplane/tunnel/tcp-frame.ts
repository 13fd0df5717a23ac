/** TCP segments in Ethernet frames, built octet by octet, with checksums from a sum that is not the one under test. */

export interface TcpFrame {
  readonly family: 4 | 6;
  readonly vlans: readonly number[];
  readonly macs: string;
  /** Last octet of the source and of the destination address. */
  readonly src: number;
  readonly dst: number;
  readonly tos: number;
  readonly ttl: number;
  readonly id: number;
  /** Flags and fragment offset, as they stand in the header. */
  readonly fragment: number;
  /** Octets of IPv4 options, a multiple of 4. */
  readonly ipOptions: number;
  readonly flowLabel: number;
  readonly srcPort: number;
  readonly dstPort: number;
  readonly sequence: number;
  readonly acknowledgment: number;
  readonly flags: number;
  readonly window: number;
  readonly urgent: number;
  /** TCP options in hexadecimal digits, a multiple of 4 octets. */
  readonly options: string;
  readonly payload: Uint8Array;
  /** Zeros behind the network packet. */
  readonly padding: number;
  /** The TCP checksum field holds the sum of the pseudo header only. */
  readonly isPartial: boolean;
  /** Added to the right TCP and IPv4 checksum. */
  readonly tcpError: number;
  readonly ipError: number;
}

export const SEGMENT: TcpFrame = {
  family: 4,
  vlans: [],
  macs: '020000000002020000000001',
  src: 1,
  dst: 2,
  tos: 0,
  ttl: 63,
  id: 100,
  fragment: 0,
  ipOptions: 0,
  flowLabel: 0,
  srcPort: 4000,
  dstPort: 5000,
  sequence: 1000,
  acknowledgment: 2000,
  flags: 0x10,
  window: 501,
  urgent: 0,
  options: '',
  payload: new Uint8Array(0),
  padding: 0,
  isPartial: false,
  tcpError: 0,
  ipError: 0,
};

const u16 = (n: number): number[] => [(n >>> 8) & 0xff, n & 0xff];
const u32 = (n: number): number[] => [...u16(n >>> 16), ...u16(n)];
const hex = (digits: string): number[] => [...Buffer.from(digits, 'hex')];

/** RFC 1071, a word at a time. */
function checksumOf(octets: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < octets.length; i += 2) {
    sum += (octets[i] << 8) | (octets[i + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return ~sum & 0xffff;
}

function link(f: TcpFrame): number[] {
  const tags = f.vlans.flatMap((vlan, i) => [
    ...u16(i === 0 && f.vlans.length === 2 ? 0x88a8 : 0x8100),
    ...u16(vlan),
  ]);
  return [...hex(f.macs), ...tags, ...u16(f.family === 4 ? 0x0800 : 0x86dd)];
}

function addresses(f: TcpFrame): number[] {
  if (f.family === 4) return [10, 0, 0, f.src, 10, 0, 1, f.dst];
  const prefix = hex('fd000000000000010000000000000000').slice(0, 15);
  return [...prefix, f.src, ...prefix, f.dst];
}

function transport(f: TcpFrame): number[] {
  const options = hex(f.options);
  const header = [
    ...u16(f.srcPort),
    ...u16(f.dstPort),
    ...u32(f.sequence),
    ...u32(f.acknowledgment),
    ((20 + options.length) >> 2) << 4,
    f.flags,
    ...u16(f.window),
    0,
    0,
    ...u16(f.urgent),
    ...options,
  ];
  const segment = [...header, ...f.payload];
  const pseudo = [...addresses(f), 0, 6, ...u16(segment.length)];
  const check = f.isPartial ? ~checksumOf(pseudo) : checksumOf([...pseudo, ...segment]) + f.tcpError;
  [segment[16], segment[17]] = u16(check);
  return segment;
}

function network(f: TcpFrame, length: number): number[] {
  if (f.family === 6) {
    return [...u32(0x6000_0000 | (f.tos << 20) | f.flowLabel), ...u16(length), 6, f.ttl, ...addresses(f)];
  }
  const header = [
    0x45 + f.ipOptions / 4,
    f.tos,
    ...u16(20 + f.ipOptions + length),
    ...u16(f.id),
    ...u16(f.fragment),
    f.ttl,
    6,
    0,
    0,
    ...addresses(f),
    ...new Array<number>(f.ipOptions).fill(1),
  ];
  [header[10], header[11]] = u16(checksumOf(header) + f.ipError);
  return header;
}

export function tcpFrame(fields: Partial<TcpFrame>): Uint8Array {
  const f = { ...SEGMENT, ...fields };
  const segment = transport(f);
  return Uint8Array.from([
    ...link(f),
    ...network(f, segment.length),
    ...segment,
    ...new Array<number>(f.padding).fill(0),
  ]);
}

/** Octets that differ from place to place. */
export function octets(length: number, seed = 0): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8) + seed * 31) & 0xff);
}

/** Segments of one flow, one after the other, of these payload sizes; `change` by index is laid over. */
export function stream(
  sizes: readonly number[],
  fields: Partial<TcpFrame> = {},
  change: Readonly<Record<number, Partial<TcpFrame>>> = {},
): Uint8Array[] {
  let { sequence, id } = { ...SEGMENT, ...fields };
  return sizes.map((size, i) => {
    const frame = tcpFrame({ ...fields, sequence, id, payload: octets(size, i), ...change[i] });
    sequence = (sequence + size) >>> 0;
    id = (id + 1) & 0xffff;
    return frame;
  });
}
