/**
 * What the switch says itself, and what it routes, judged by tshark and the kernels of the pods.
 *
 *     a, b: eth0 10.244.0.3, .4 ─┐
 *     left: eth0 10.80.0.2      ─┼─ podwire daemon ─── podwire0 10.244.0.2 in `host`
 *     right: eth0 10.81.0.2     ─┤
 *     small: eth0 10.90.0.2     ─┤      its network has an MTU of 1280
 *     free, loose: 10.95.0.2, .3 ┘      theirs has no source guard
 */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import type { NetworkSpec } from '../../src/control/api/types.js';
import { broken, Capture, matching, type Packet, verified } from '../support/netns-capture.js';
import { missingPrograms, offload, runIn } from '../support/netns-programs.js';
import { DaemonBench, missingForDaemon, outcome, until } from './daemon-support.js';

const missing = missingForDaemon() ?? missingPrograms('tcpdump', 'tshark', 'ethtool');
if (missing) console.log(`skipped: the judges of what the switch says need ${missing}`);

const NETWORKS: Record<string, NetworkSpec> = {
  // No way out: where there is one, the node's kernel says what it has no route to.
  sides: {
    mode: 'bridge',
    cidrs: ['10.80.0.0/24', 'fd80::/64', '10.81.0.0/24', 'fd81::/64'],
    egress: false,
  },
  small: { mode: 'bridge', cidrs: ['10.90.0.0/24', 'fd90::/64'], mtu: 1280 },
  open: { mode: 'bridge', cidrs: ['10.95.0.0/24', 'fd95::/64'], sourceGuard: false },
};

const PODS = ['a', 'b', 'left', 'right', 'small', 'free', 'loose'];

describe.skipIf(missing).each(['uring', 'poll'])('with --io %s', (io) => {
  let bench: DaemonBench;
  let captures = 0;

  beforeAll(async () => {
    bench = new DaemonBench();
    bench.namespace('host');
    await bench.start(['--io', io]);
    for (const [name, spec] of Object.entries(NETWORKS)) {
      const manifest = { apiVersion: 'podwire.dev/v1', kind: 'Network', metadata: { name }, spec };
      expect(outcome(await bench.call('PUT', `/v1/networks/${name}`, manifest))).toBe('201');
    }
    await bench.pod('a');
    await bench.pod('b');
    await bench.pod('left', { network: 'sides', ips: ['10.80.0.2', 'fd80::2'] });
    await bench.pod('right', { network: 'sides', ips: ['10.81.0.2', 'fd81::2'] });
    await bench.pod('small', { network: 'small' });
    await bench.pod('free', { network: 'open' });
    await bench.pod('loose', { network: 'open' });
    // What a pod sends unfinished would be captured unfinished; here every checksum is to be judged.
    for (const name of PODS) offload(bench.name(name), 'eth0', 'tx', 'off');
    offload(bench.name('host'), 'podwire0', 'tx', 'off');
    await settled();
  });
  afterAll(async () => bench?.cleanup());

  /** Duplicate address detection is over: the kernel sends from its global addresses. */
  async function settled(): Promise<void> {
    const names = [...PODS, 'host'];
    const isTentative = () => names.some((name) => bench.ip(name, '-6', 'address').includes('tentative'));
    expect(await until(() => !isTentative())).toBe(true);
  }

  /** Runs programs while an interface is captured. Everything captured is whole and has right checksums. */
  async function during(name: string, run: () => Promise<unknown>, ifname = 'eth0'): Promise<Packet[]> {
    const path = join(bench.directory, `${captures++}.pcap`);
    const capture = await Capture.start(bench.name(name), ifname, path);
    onTestFinished(() => capture.stop());
    await run();
    const packets = await capture.packets();
    expect(broken(packets)).toEqual([]);
    return packets;
  }

  function ping(name: string, ...words: string[]): Promise<{ status: number | null; text: string }> {
    return runIn(bench.name(name), 'ping', '-n', '-i0.05', '-W1', ...words);
  }

  it('answers ARP for pods and for the gateway', async () => {
    const packets = await during('a', async () => {
      bench.ip('a', 'neigh', 'flush', 'dev', 'eth0');
      await Promise.all(['10.244.0.4', '10.244.0.1'].map((to) => ping('a', '-c1', to)));
    });
    const a = '02:70:0a:f4:00:03';
    for (const [arpAddress, mac] of [
      ['10.244.0.4', '02:70:0a:f4:00:04'],
      ['10.244.0.1', '02:70:0a:f4:00:01'],
    ]) {
      const wanted = { arpOpcode: '2', arpAddress, arpMac: mac, from: mac, to: a };
      expect(matching(packets, wanted), arpAddress).toHaveLength(1);
      expect(bench.ip('a', 'neigh', 'show', arpAddress)).toContain(`lladdr ${mac}`);
    }
    expect(matching(packets, { icmpType: '0' })).toHaveLength(2);
  });

  it('answers neighbour solicitations for pods and for the gateway', async () => {
    const packets = await during('a', async () => {
      bench.ip('a', '-6', 'neigh', 'flush', 'dev', 'eth0');
      await Promise.all(['fd00:10:244::4', 'fd00:10:244::1'].map((to) => ping('a', '-c1', to)));
    });
    for (const [naTarget, naMac] of [
      ['fd00:10:244::4', '02:70:0a:f4:00:04'],
      ['fd00:10:244::1', '02:70:0a:f4:00:01'],
    ]) {
      const wanted = { icmp6Type: '136', naTarget, naMac, naSolicited: '1', hopLimit: '255' };
      expect(matching(packets, wanted), naTarget).toHaveLength(1);
      expect(bench.ip('a', '-6', 'neigh', 'show', naTarget)).toContain(`lladdr ${naMac}`);
    }
    expect(matching(packets, { icmp6Type: '129' })).toHaveLength(2);
  });

  it('defends the address of another in duplicate address detection', async () => {
    const packets = await during('loose', async () => {
      await runIn(bench.name('loose'), 'sysctl', '-qw', 'net.ipv6.conf.eth0.accept_dad=1');
      bench.ip('loose', 'address', 'add', 'fd95::2/64', 'dev', 'eth0');
      const show = () => bench.ip('loose', '-6', 'address', 'show', 'dev', 'eth0');
      expect(await until(() => /fd95::2\/64[^\n]*dadfailed/.test(show()))).toBe(true);
    });
    const wanted = { icmp6Type: '136', naTarget: 'fd95::2', naSolicited: '0' };
    const [defence, ...more] = matching(packets, wanted);
    expect(more).toEqual([]);
    expect(defence).toMatchObject({
      naMac: bench.link('free')?.address,
      destination6: 'ff02::1',
      to: '33:33:00:00:00:01',
    });
  });

  it('routes: one hop less, its own MAC address before the packet', async () => {
    const packets = await during('right', async () => {
      expect((await ping('left', '-c2', '-t9', 'fd81::2')).status).toBe(0);
      expect((await ping('left', '-c2', '-t9', '10.81.0.2')).status).toBe(0);
    });
    const macs = { from: '02:70:0a:51:00:01', to: '02:70:0a:51:00:02' };
    const six = { icmp6Type: '128', source6: 'fd80::2', destination6: 'fd81::2', hopLimit: '8' };
    expect(matching(packets, { ...macs, ...six })).toHaveLength(2);
    const four = { icmpType: '8', source: '10.80.0.2', destination: '10.81.0.2', ttl: '8' };
    expect(matching(packets, { ...macs, ...four })).toHaveLength(2);
    expect(verified(packets, 'ipSum')).toBeGreaterThanOrEqual(4);
    expect(verified(packets, 'icmp6Sum')).toBeGreaterThanOrEqual(4);
  });

  it('tells the sender that the hop limit ran out', async () => {
    const said: string[] = [];
    const packets = await during('left', async () => {
      for (const to of ['10.81.0.2', 'fd81::2']) said.push((await ping('left', '-c1', '-t1', to)).text);
    });
    expect(said[0]).toContain('From 10.80.0.1 icmp_seq=1 Time to live exceeded');
    expect(said[1]).toContain('From fd80::1 icmp_seq=1 Time exceeded: Hop limit');
    expect(matching(packets, { icmpType: '11', icmpCode: '0', source: '10.80.0.1' })).toHaveLength(1);
    expect(matching(packets, { icmp6Type: '3', icmp6Code: '0', source6: 'fd80::1' })).toHaveLength(1);
  });

  it('tells the sender what is unreachable', async () => {
    const said: string[] = [];
    const packets = await during('left', async () => {
      for (const to of ['10.81.0.77', 'fd81::77', '192.0.2.1', '2001:db8::1']) {
        said.push((await ping('left', '-c1', to)).text);
      }
    });
    expect(said[0]).toContain('From 10.80.0.1 icmp_seq=1 Destination Host Unreachable');
    expect(said[1]).toContain('From fd80::1 icmp_seq=1 Destination unreachable: Address unreachable');
    expect(said[2]).toContain('From 10.80.0.1 icmp_seq=1 Destination Net Unreachable');
    expect(said[3]).toContain('From fd80::1 icmp_seq=1 Destination unreachable: No route');
    expect(matching(packets, { icmpType: '3', icmpCode: '1' })).toHaveLength(1);
    expect(matching(packets, { icmpType: '3', icmpCode: '0' })).toHaveLength(1);
    expect(matching(packets, { icmp6Type: '1', icmp6Code: '3' })).toHaveLength(1);
    expect(matching(packets, { icmp6Type: '1', icmp6Code: '0' })).toHaveLength(1);
  });

  it('tells the sender which MTU its packets are too large for', async () => {
    const packets = await during(
      'host',
      async () => {
        await ping('host', '-c1', '-Mdo', '-s1400', '10.90.0.2');
        await ping('host', '-c1', '-Mdo', '-s1400', 'fd90::2');
      },
      'podwire0',
    );
    expect(matching(packets, { icmpType: '3', icmpCode: '4', icmpMtu: '1280' })).toHaveLength(1);
    expect(matching(packets, { icmp6Type: '2', icmp6Mtu: '1280' })).toHaveLength(1);
    // The kernel believes it: its path MTU is the one that it was told.
    expect(bench.ip('host', 'route', 'get', '10.90.0.2')).toContain('mtu 1280');
    expect(bench.ip('host', 'route', 'get', 'fd90::2')).toContain('mtu 1280');
    bench.ip('host', 'route', 'flush', 'cache');
  });

  it('fragments what may be fragmented, and routes fragments', async () => {
    const packets = await during('small', async () => {
      expect((await ping('host', '-c1', '-Mdont', '-s1400', '10.90.0.2')).status).toBe(0);
      expect((await ping('host', '-c1', '-Mdont', '-s4000', '10.90.0.2')).status).toBe(0);
    });
    const arrived = packets.filter(({ destination }) => destination === '10.90.0.2');
    // 1408 octets of ICMP become two fragments of at most 1256, and 1480 + 1480 + 1048 become five.
    expect(arrived.filter(({ fragmentOffset }) => fragmentOffset !== '0')).toHaveLength(5);
    expect(arrived.every(({ length }) => Number(length) <= 1294)).toBe(true);
    expect(verified(arrived, 'ipSum')).toBe(arrived.length);
  });

  it('puts fragments for itself together, and answers in fragments', async () => {
    const packets = await during('a', async () => {
      expect((await ping('a', '-c1', '-s4000', '10.244.0.1')).status).toBe(0);
      expect((await ping('a', '-c1', '-s4000', 'fd00:10:244::1')).status).toBe(0);
      expect((await ping('a', '-c1', '10.244.0.1')).status).toBe(0);
    });
    expect(packets.filter((p) => p.source === '10.244.0.1' && p.fragmentOffset !== '0')).toHaveLength(2);
    expect(packets.filter((p) => p.source6 === 'fd00:10:244::1' && p.fragment6 !== '')).toHaveLength(3);
    expect(packets.every(({ length }) => Number(length) <= 1514)).toBe(true);
  });
});
