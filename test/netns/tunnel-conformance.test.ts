/**
 * The tunnel's UDP device, under each driver, before the conformance suite of datagram devices.
 *
 *     device under test ── UDP sockets ── near: eth0 ═══ veth, MTU 1500 ═══ far: eth0 ── plain UDP socket
 *
 * Also where several datagrams in one slot must be sent one by one: because it was asked for, and because the kernel
 * refuses them together.
 */
import { afterAll } from 'vitest';
import { probeIoUring } from '../../src/linux/io-uring.js';
import { datagramConformance } from '../conformance/datagrams.js';
import { TunnelHarness } from '../support/netns-tunnel.js';
import { VethPair } from '../support/netns-udp.js';
import { isRoot } from './linux-support.js';

const probe = probeIoUring();
const noRing = probe.available ? undefined : probe.reason;
const noRoot = isRoot ? undefined : 'needs root';

const pair = isRoot ? new VethPair() : undefined;
afterAll(() => pair?.remove());

for (const kind of ['uring', 'poll'] as const) {
  const all = noRoot ?? (kind === 'uring' ? noRing : undefined);
  const over = kind === 'uring' ? 'io_uring' : 'poll';
  for (const family of [4, 6] as const) {
    const title = `tunnel over ${over}, IPv${family}`;
    datagramConformance(title, () => new TunnelHarness(pair!, { kind, family }), { all });
  }
  const turn = 'it is the same as above';
  const off = `tunnel over ${over}, datagrams one by one`;
  datagramConformance(off, () => new TunnelHarness(pair!, { kind, family: 4, segments: 'off' }), {
    all,
    turn,
  });
  const refused = `tunnel over ${over}, UDP_SEGMENT refused by the kernel`;
  const order =
    kind === 'uring' ? 'the first that are refused are sent again behind what followed them' : undefined;
  datagramConformance(refused, () => new TunnelHarness(pair!, { kind, family: 4, segments: 'refused' }), {
    all,
    turn,
    order,
  });
}
