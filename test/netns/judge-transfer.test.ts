/**
 * Packets larger than the MTU, tagged packets and finished ones, judged by tcpdump, tshark and the kernel's TCP.
 *
 *     a: eth0 10.95.0.2 ─┐
 *     b: eth0 10.95.0.3 ─┴─ podwire daemon, no source guard
 */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { withNamespace } from '../../src/linux/netns.js';
import { RawSocket } from '../../src/linux/raw-socket.js';
import { broken, Capture, matching, type Packet, verified } from '../support/netns-capture.js';
import { missingPrograms, offload, transfer } from '../support/netns-programs.js';
import { DaemonBench, missingForDaemon, outcome, sleep } from './daemon-support.js';

const missing = missingForDaemon() ?? missingPrograms('tcpdump', 'tshark', 'ethtool');
if (missing) console.log(`skipped: the judges of what is transferred need ${missing}`);

const BYTES = 2_000_000;
/**
 * From 02:70:0a:5f:00:02 in VLAN 7, as scapy builds them: ARP for 10.7.0.2 to all; UDP 9 > 5007 with b'tagged' to
 * 02:70:0a:5f:00:03, from 10.7.0.1 to 10.7.0.2 at priority 3, and from fd07::1 to fd07::2.
 */
const TAGGED = [
  'ffffffffffff02700a5f0002810000070806000108000604000102700a5f00020a0700010000000000000a070002',
  '02700a5f000302700a5f00028100600708004500002200010000401166ba0a0700010a0700020009138f000e96fc746167676564',
  '02700a5f000302700a5f00028100000786dd60000000000e1140' +
    'fd070000000000000000000000000001fd0700000000000000000000000000020009138f000eb0fa746167676564',
];

/** Largest packet that is not one of many segments. */
const WHOLE = 14 + 1500;

describe.skipIf(missing).each(['uring', 'poll'])('with --io %s', (io) => {
  let bench: DaemonBench;
  let captures = 0;

  beforeAll(async () => {
    bench = new DaemonBench();
    bench.namespace('host');
    await bench.start(['--io', io]);
    const manifest = {
      apiVersion: 'podwire.dev/v1',
      kind: 'Network',
      metadata: { name: 'open' },
      spec: { mode: 'bridge', cidrs: ['10.95.0.0/24', 'fd95::/64'], sourceGuard: false },
    };
    expect(outcome(await bench.call('PUT', '/v1/networks/open', manifest))).toBe('201');
    for (const name of ['a', 'b']) await bench.pod(name, { network: 'open' });
  });
  afterAll(async () => bench?.cleanup());

  async function during(run: () => Promise<unknown>): Promise<Packet[]> {
    const path = join(bench.directory, `${captures++}.pcap`);
    const capture = await Capture.start(bench.name('b'), 'eth0', path, 'tcp or vlan');
    onTestFinished(() => capture.stop());
    await run();
    return capture.packets();
  }

  /** Whether the pods leave checksums and segments to their cards. */
  function offloading(feature: 'on' | 'off'): void {
    for (const name of ['a', 'b']) offload(bench.name(name), 'eth0', 'tx', feature, 'tso', feature);
  }

  async function move(address: string): Promise<void> {
    const { sent, arrived } = await transfer(bench.name('a'), bench.name('b'), address, BYTES);
    expect(sent).toMatch(/^2000000 [0-9a-f]{64}$/);
    expect(arrived).toBe(sent);
  }

  /** Segments with data from a, as b gets them. */
  function segments(packets: readonly Packet[]): Packet[] {
    const mac = bench.link('b')?.address;
    return packets.filter(({ tcpPayload, to }) => Number(tcpPayload) > 0 && to === mac);
  }

  it.each(['10.95.0.3', 'fd95::3'])('hands a packet of many segments over whole, to %s', async (address) => {
    const captured = await during(() => move(address));
    // The control of the tests below: checksums left to the card are wrong in tshark's eyes.
    expect(broken(captured)).not.toEqual([]);
    const packets = segments(captured);
    const large = packets.filter(({ length }) => Number(length) > WHOLE);
    const carried = large.reduce((sum, { tcpPayload }) => sum + Number(tcpPayload), 0);
    expect(carried).toBeGreaterThan(BYTES * 0.9);
    expect(Math.max(...large.map(({ length }) => Number(length)))).toBeGreaterThan(30_000);
  });

  it('carries tagged packets with their tag, and answers none of them', async () => {
    const socket = withNamespace(bench.name('a'), () => RawSocket.frames('eth0'));
    onTestFinished(() => socket.close());
    const packets = await during(async () => {
      for (const frame of TAGGED) socket.send(Buffer.from(frame, 'hex'));
      await sleep(100);
    });
    const wanted = [
      { arpOpcode: '1', to: 'ff:ff:ff:ff:ff:ff' },
      { udpPort: '5007', destination: '10.7.0.2' },
      { udpPort: '5007', destination6: 'fd07::2' },
    ];
    expect(packets).toHaveLength(wanted.length);
    for (const packet of wanted) expect(matching(packets, { ...packet, vlan: '7' })).toHaveLength(1);
    expect(broken(packets)).toEqual([]);
    expect(verified(packets, 'udpSum')).toBe(2);
  });

  it.each(['10.95.0.3', 'fd95::3'])('leaves finished packets right, to %s', async (address) => {
    offloading('off');
    const packets = await during(() => move(address));
    offloading('on');
    expect(broken(packets)).toEqual([]);
    expect(segments(packets).every(({ length }) => Number(length) <= WHOLE)).toBe(true);
    expect(verified(segments(packets), 'tcpSum')).toBeGreaterThan(BYTES / 1500);
  });
});
