/** Large packets for segmentation, and what must become of them, as support/segments.py builds both with scapy. */
import fc from 'fast-check';
import type { OffloadFacts } from '../../src/dataplane/devices/memory.js';
import { PACKET } from '../../src/dataplane/pool.js';
import { GSO } from '../../src/wire/virtio-net.js';

export interface SegmentRequest {
  readonly family: 4 | 6;
  readonly protocol: 'tcp' | 'udp';
  readonly vlans: readonly number[];
  /** Octets of IPv4 options. */
  readonly ipOptions: number;
  readonly extensions: readonly ('hop-by-hop' | 'routing' | 'destination')[];
  /** Octets of TCP options. */
  readonly tcpOptions: number;
  /** TCP flags. */
  readonly flags: number;
  readonly sequence: number;
  /** IPv4 identification of the first. */
  readonly id: number;
  /** Octets behind the transport header. */
  readonly payload: number;
  /** Octets of payload of each segment. */
  readonly size: number;
  readonly seed: number;
  /** Choose the payload so that the first segment's checksum comes out as 0. */
  readonly zeroChecksum?: boolean;
}

export interface SegmentAnswer {
  readonly packet: string;
  readonly checksumStart: number;
  readonly checksumOffset: number;
  readonly expected: readonly string[];
}

export const PLAIN: SegmentRequest = {
  family: 4,
  protocol: 'tcp',
  vlans: [],
  ipOptions: 0,
  extensions: [],
  tcpOptions: 0,
  flags: 0x10,
  sequence: 1000,
  id: 1,
  payload: 4000,
  size: 1448,
  seed: 1,
};

const EXTENSIONS = ['hop-by-hop', 'routing', 'destination'] as const;

/** Payload and segment size of up to eight segments, most of them small. */
const sizes = fc
  .record({
    size: fc.oneof(fc.integer({ min: 48, max: 200 }), fc.integer({ min: 48, max: 8100 })),
    full: fc.integer({ min: 0, max: 7 }),
    last: fc.double({ min: 0, max: 1, noNaN: true }),
  })
  .map(({ size, full, last }) => ({ size, payload: Math.max(2, full * size + Math.round(last * size)) }));

/** Every shape of packet. */
export const segmentRequests: fc.Arbitrary<SegmentRequest> = fc
  .record({
    family: fc.constantFrom(4, 6),
    protocol: fc.constantFrom('tcp', 'udp'),
    vlans: fc.array(fc.integer({ min: 0, max: 4095 }), { maxLength: 2 }),
    ipOptions: fc.integer({ min: 0, max: 40 }),
    extensions: fc.subarray([...EXTENSIONS]),
    tcpOptions: fc.integer({ min: 0, max: 40 }),
    flags: fc.integer({ min: 0, max: 255 }),
    sequence: fc.integer({ min: 0, max: 0xffff_ffff }),
    id: fc.integer({ min: 0, max: 0xffff }),
    seed: fc.integer({ min: 0, max: 255 }),
    zeroChecksum: fc.boolean(),
    sizes,
  })
  .map(({ sizes, ...rest }) => ({ ...rest, ...sizes }));

/** The offload facts of a request's packet. */
export function factsOf(request: SegmentRequest, answer: SegmentAnswer): OffloadFacts {
  const tcp = request.family === 4 ? GSO.TCPV4 : GSO.TCPV6;
  return {
    flags: PACKET.PARTIAL_CHECKSUM,
    gsoType: request.protocol === 'udp' ? GSO.UDP_L4 : tcp,
    gsoSize: request.size,
    checksumStart: answer.checksumStart,
    checksumOffset: answer.checksumOffset,
  };
}
