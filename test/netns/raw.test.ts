/**
 * Pods on the network of an interface of the host, through a packet socket (test/support/netns-raw.ts shows where).
 * Judges: the kernel at both ends, tcpdump and tshark, and scapy where frames are wanted that no kernel sends.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeRaw, openRaw } from '../../src/control/host/raw.js';
import { probeIoUring } from '../../src/linux/io-uring.js';
import { closeFile } from '../../src/linux/libc.js';
import { openNamespace } from '../../src/linux/netns.js';
import { Capture, matching, type Packet } from '../support/netns-capture.js';
import { isBuilt } from '../support/netns-dataplane.js';
import { missingPrograms, runIn, transfer } from '../support/netns-programs.js';
import { LAN, podMac, RawBench, UPLINK } from '../support/netns-raw.js';
import { pythonWithScapy } from '../support/scapy.js';
import { missingForDaemon, until } from './daemon-support.js';

const python = pythonWithScapy();
const missing =
  missingForDaemon() ??
  missingPrograms('tcpdump', 'tshark') ??
  (python === undefined ? 'scapy' : isBuilt ? undefined : 'npm run build');
if (missing) console.log(`skipped: raw interfaces need ${missing}`);

const drivers = probeIoUring().available ? (['uring', 'poll'] as const) : (['poll'] as const);
const VLAN = 12;
const FOREIGN = '02:00:00:00:aa:01';
const MIB = 1 << 20;

let bench: RawBench;
let folder: string;

beforeEach(() => {
  bench = new RawBench();
  folder = mkdtempSync(join(tmpdir(), 'podwire-raw-'));
});
afterEach(async () => {
  rmSync(folder, { recursive: true });
  await bench.cleanup();
});

const reaches = async (from: string, address: string): Promise<boolean> =>
  (await runIn(bench.name(from), 'ping', '-c', '1', '-W', '1', address)).status === 0;

/** Pings until an answer comes: the first request may be lost while a link comes up. */
const reachesAtLast = (from: string, address: string): Promise<boolean> =>
  until(() => reaches(from, address));

/** Sends frames, each made by an expression of scapy, out of an interface of a namespace. */
async function scapy(short: string, ifname: string, ...frames: string[]): Promise<void> {
  const program = `from scapy.all import *\nconf.verb = 0\nsendp([${frames.join(', ')}], iface='${ifname}')`;
  const { status, text } = await runIn(bench.name(short), python!, '-c', program);
  expect(text).toBe('');
  expect(status).toBe(0);
}

/** What passes an interface while `action` runs. */
async function seen(short: string, ifname: string, action: () => Promise<void>): Promise<Packet[]> {
  const path = join(folder, `${short}-${ifname}.pcap`);
  const capture = await Capture.start(bench.name(short), ifname, path);
  try {
    await action();
    return await capture.packets();
  } finally {
    capture.stop();
  }
}

describe.skipIf(missing).each(drivers)('a raw interface with --io %s', (io) => {
  it('puts pods on its network, IPv4 and IPv6, with whole packets', async () => {
    await bench.start({ io });
    bench.wire();
    await bench.pod('a', 1);
    await bench.pod('b', 2);
    await bench.raw(UPLINK, 'host', 'lan0');
    for (const [from, to] of [
      ['a', LAN.ip],
      ['a', LAN.ip6],
      ['lan', '10.98.0.2'],
      ['lan', 'fd98::2'],
      ['a', '10.98.0.2'],
      ['a', 'fd98::2'],
    ]) {
      expect([from, to, await reachesAtLast(from, to)]).toEqual([from, to, true]);
    }
    for (const [from, to, address] of [
      ['a', 'lan', LAN.ip],
      ['lan', 'b', 'fd98::2'],
    ]) {
      const { sent, arrived } = await transfer(bench.name(from), bench.name(to), address, 8 * MIB);
      expect(arrived).toBe(sent);
      expect(sent).toContain(`${8 * MIB} `);
    }
    const { counters } = bench.dataplane;
    for (const way of ['rx', 'tx'] as const) {
      // The bytes of 8 MiB, and acknowledgements: in packets of 1,500 they would be 5,900.
      expect(counters.port(UPLINK, `${way}Bytes`)).toBeGreaterThan(8 * MIB);
      expect(counters.port(UPLINK, `${way}Packets`)).toBeLessThan(5000);
    }
  });

  it('floods no unknown address, takes nothing that is for others, and nothing forged', async () => {
    await bench.start({ io });
    bench.wire();
    await bench.pod('a', 1);
    await bench.pod('b', 2);
    await bench.raw(UPLINK, 'host', 'lan0');
    expect(await reachesAtLast('a', LAN.ip)).toBe(true);
    const at = (mac: string): string => `Ether(src='${FOREIGN}', dst='${mac}')`;
    const strange = await seen('lan', 'eth0', async () => {
      const quiet = await seen('b', 'eth0', async () => {
        await scapy(
          'a',
          'eth0',
          `Ether(src='${podMac(1)}', dst='${FOREIGN}')/IP(src='10.98.0.1', dst='10.98.0.77')/UDP()`,
        );
        await scapy(
          'lan',
          'eth0',
          `${at('02:00:00:00:aa:02')}/IP(src='10.98.0.77', dst='10.98.0.78')/UDP()`,
          `${at(podMac(2))}/IP(src='10.98.0.1', dst='10.98.0.2')/UDP()`,
          `Ether(src='${podMac(1)}', dst='${podMac(2)}')/IP(src='10.98.0.77', dst='10.98.0.2')/UDP()`,
        );
        expect(await until(() => bench.drops(UPLINK, 'spoofed-mac') === 1)).toBe(true);
      });
      expect(matching(quiet, { source: '10.98.0.1' })).toEqual([]);
      expect(matching(quiet, { source: '10.98.0.77' })).toEqual([]);
    });
    expect(matching(strange, { to: FOREIGN, source: '10.98.0.1' })).toHaveLength(1);
    const { counters } = bench.dataplane;
    expect(bench.drops(UPLINK, 'not-for-us')).toBe(1);
    expect(bench.drops(UPLINK, 'spoofed-ipv4')).toBe(1);
    // What is for the interface's own address is the host's: the filter refuses it.
    const before = counters.port(UPLINK, 'rxPackets');
    const host = /link\/ether (\S+)/.exec(bench.run('-n', bench.name('host'), 'link', 'show', 'lan0'))![1];
    await scapy(
      'lan',
      'eth0',
      ...Array.from({ length: 5 }, () => `${at(host)}/IP(dst='10.98.0.200')/UDP()`),
      `${at('02:00:00:00:aa:02')}/IP()/UDP()`,
    );
    expect(await until(() => bench.drops(UPLINK, 'not-for-us') === 2)).toBe(true);
    // A kernel on the LAN may have said a word of its own meanwhile.
    expect(counters.port(UPLINK, 'rxPackets')).toBeLessThan(before + 5);
  });

  it('has one VLAN, tagged outside and untagged inside', async () => {
    await bench.start({ io });
    bench.wire(false);
    await bench.pod('a', 1);
    await bench.raw(UPLINK, 'host', 'lan0', { vlan: VLAN });
    bench.run('-n', bench.name('a'), 'neigh', 'add', LAN.ip, 'lladdr', LAN.mac, 'dev', 'eth0');
    const ether = `Ether(src='${LAN.mac}', dst='${podMac(1)}')`;
    const echo = (id: number): string => `IP(src='${LAN.ip}', dst='10.98.0.1')/ICMP(id=${id})`;
    const who = `ARP(hwsrc='${LAN.mac}', psrc='${LAN.ip}', pdst='10.98.0.1')`;
    const packets = await seen('lan', 'eth0', async () => {
      const inside = await seen('a', 'eth0', async () => {
        await scapy(
          'lan',
          'eth0',
          `${ether}/${echo(1)}`,
          `${ether}/Dot1Q(vlan=13)/${echo(2)}`,
          `${ether}/Dot1Q(vlan=${VLAN})/Dot1Q(vlan=13)/${echo(3)}`,
          `${ether}/Dot1AD(vlan=${VLAN})/${echo(4)}`,
          `Ether(src='${LAN.mac}', dst='ff:ff:ff:ff:ff:ff')/Dot1Q(vlan=${VLAN})/${who}`,
          `${ether}/Dot1Q(vlan=${VLAN}, prio=5)/${echo(5)}`,
        );
        expect(await until(() => bench.dataplane.counters.port(UPLINK, 'txPackets') >= 2)).toBe(true);
        await scapy(
          'a',
          'eth0',
          `Ether(src='${podMac(1)}', dst='${FOREIGN}')/Dot1Q(vlan=13)/IP(src='10.98.0.1')`,
        );
        expect(await until(() => bench.drops(UPLINK, 'vlan-in-vlan') === 1)).toBe(true);
      });
      const requests = matching(inside, { source: LAN.ip, icmpType: '8' });
      expect(requests.map(({ vlan }) => vlan)).toEqual(['']);
    });
    const replies = matching(packets, { from: podMac(1), icmpType: '0' });
    expect(replies.map(({ vlan, icmpSum }) => [vlan, icmpSum])).toEqual([[String(VLAN), '1']]);
    expect(matching(packets, { arpOpcode: '2', arpAddress: '10.98.0.1', vlan: String(VLAN) })).toHaveLength(
      1,
    );
    expect(packets.filter(({ from, vlan }) => from === podMac(1) && vlan !== String(VLAN))).toEqual([]);
  });

  it('carries whole TCP packets in a VLAN, between two of its ports', async () => {
    await bench.start({ io });
    bench.wire(false);
    await bench.pod('a', 1, 1);
    await bench.pod('c', 3, 2);
    await bench.raw(UPLINK, 'host', 'lan0', { domain: 1, vlan: VLAN });
    await bench.raw(UPLINK + 1, 'lan', 'eth0', { domain: 2, vlan: VLAN });
    expect(await reachesAtLast('a', '10.98.0.3')).toBe(true);
    for (const address of ['10.98.0.3', 'fd98::3']) {
      const { sent, arrived } = await transfer(bench.name('a'), bench.name('c'), address, 8 * MIB);
      expect(arrived).toBe(sent);
    }
    expect(bench.dataplane.counters.port(UPLINK, 'txPackets')).toBeLessThan(6000);
  });

  it('is a trunk without a VLAN: tags pass both ways', async () => {
    await bench.start({ io });
    bench.wire(false);
    await bench.pod('a', 1);
    await bench.raw(UPLINK, 'host', 'lan0');
    const to = (src: string, dst: string): string => `Ether(src='${src}', dst='${dst}')`;
    // For the pod's MAC address, but not for its IP address: it has nothing to say to that.
    const udp = "IP(src='10.98.0.100', dst='10.98.0.9')/UDP(sport=9, dport=5001)/Raw(bytes(100))";
    const inside = await seen('a', 'eth0', async () => {
      const tags = ['Dot1Q(vlan=7)', 'Dot1Q(vlan=0, prio=3)', 'Dot1AD(vlan=7)/Dot1Q(vlan=8)'];
      await scapy('lan', 'eth0', ...tags.map((tag) => `${to(LAN.mac, podMac(1))}/${tag}/${udp}`));
      expect(await until(() => bench.dataplane.counters.port(1, 'txPackets') >= 3)).toBe(true);
    });
    const arrived = matching(inside, { udpPort: '5001' });
    // tshark has the service tag's VLAN under another name.
    expect(arrived.map(({ vlan, length }) => [vlan, length])).toEqual([
      ['7', '146'],
      ['', '142'],
      ['8', '150'],
    ]);
    expect(arrived.map(({ protocols }) => protocols.includes('ieee8021ad'))).toEqual([false, false, true]);
    const packets = await seen('lan', 'eth0', async () => {
      const back = "IP(src='10.98.0.1', dst='10.98.0.100')/UDP(sport=9, dport=5001)/Raw(bytes(100))";
      // From here on the pod says nothing of its own.
      await runIn(bench.name('a'), 'sysctl', '-w', 'net.ipv6.conf.eth0.disable_ipv6=1');
      const before = bench.dataplane.counters.port(UPLINK, 'txPackets');
      await scapy('a', 'eth0', `${to(podMac(1), LAN.mac)}/Dot1Q(vlan=7)/${back}`);
      expect(await until(() => bench.dataplane.counters.port(UPLINK, 'txPackets') > before)).toBe(true);
    });
    expect(matching(packets, { udpPort: '5001' }).map(({ vlan, udpSum }) => [vlan, udpSum])).toEqual([
      ['7', '1'],
    ]);
  });

  it('goes on after the interface was down, and tells when it is gone, even while down', async () => {
    await bench.start({ io });
    bench.wire();
    await bench.pod('a', 1);
    await bench.raw(UPLINK, 'host', 'lan0');
    const down: number[] = [];
    bench.dataplane.onPortDown = (port) => down.push(port);
    const host = bench.name('host');
    expect(await reachesAtLast('a', LAN.ip)).toBe(true);
    bench.run('-n', host, 'link', 'set', 'lan0', 'down');
    await scapy(
      'a',
      'eth0',
      `Ether(src='${podMac(1)}', dst='${LAN.mac}')/IP(src='10.98.0.1', dst='${LAN.ip}')/UDP()`,
    );
    expect(await until(() => bench.drops(UPLINK, 'port-down') > 0)).toBe(true);
    bench.run('-n', host, 'link', 'set', 'lan0', 'up');
    expect(await reachesAtLast('a', LAN.ip)).toBe(true);
    expect(down).toEqual([]);
    bench.run('-n', host, 'link', 'set', 'lan0', 'down');
    bench.run('-n', host, 'link', 'del', 'lan0');
    expect(await until(() => down.length > 0)).toBe(true);
    await bench.dataplane.removePort(UPLINK);
    expect(down).toEqual([UPLINK]);
  });

  it('tells when the interface is deleted while it is up', async () => {
    await bench.start({ io });
    bench.wire();
    await bench.raw(UPLINK, 'host', 'lan0');
    const down: number[] = [];
    bench.dataplane.onPortDown = (port) => down.push(port);
    bench.run('-n', bench.name('host'), 'link', 'del', 'lan0');
    expect(await until(() => down.length > 0)).toBe(true);
    expect(down).toEqual([UPLINK]);
    const { slots, free, inFlight } = await bench.dataplane.usage();
    expect(free + inFlight).toBe(slots);
  });
});

describe.skipIf(missing)('openRaw [needs root]', () => {
  const code = (action: () => unknown): unknown => {
    try {
      action();
      return 'nothing thrown';
    } catch (error) {
      return (error as { code?: string }).code;
    }
  };

  it('says what is wrong with an interface', () => {
    bench.wire();
    const namespace = openNamespace(bench.name('host'));
    const open = (ifname: string, more = {}): unknown =>
      code(() => closeRaw(openRaw(namespace, { ifname, nonBlocking: false, ...more })));
    try {
      expect(open('nothing')).toBe('INTERFACE_NOT_FOUND');
      expect(open('a-name-that-is-too-long')).toBe('INTERFACE_NOT_FOUND');
      expect(open('lo')).toBe('INTERFACE_NOT_ETHERNET');
      for (const vlan of [0, 4095, -1, 1.5]) expect(open('lan0', { vlan })).toBe('INVALID');
      expect(open('lan0', { vlan: 4094 })).toBe('nothing thrown');
      bench.run('-n', bench.name('host'), 'link', 'set', 'lan0', 'down');
      expect(open('lan0')).toBe('INTERFACE_DOWN');
      expect(open('lan0', { mayBeDown: true })).toBe('nothing thrown');
    } finally {
      closeFile(namespace);
    }
  });

  it('tells what the interface is, and leaves it as it was', () => {
    bench.wire();
    bench.run('-n', bench.name('lan'), 'link', 'set', 'eth0', 'mtu', '1400');
    const promiscuity = (): string =>
      /promiscuity (\d)/.exec(bench.run('-n', bench.name('lan'), '-d', 'link', 'show', 'eth0'))![1];
    const link = bench.open('lan', 'eth0');
    expect([link.mtu, link.mac, promiscuity()]).toEqual([1400, LAN.mac, '1']);
    closeRaw(link);
    expect(promiscuity()).toBe('0');
  });
});
