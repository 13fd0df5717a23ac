/**
 * Two daemons and a kernel VXLAN device form one network, and tshark reads what passes between them.
 *
 *     web: eth0 10.244.0.3 ── node a ─┐
 *     db:  eth0 10.244.1.3 ── node b ─┼── underlay
 *     k:   eth0 10.244.9.3 ── node c ─┘      c: flannel.1, no daemon
 */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AttachAnswer } from '../../src/control/api/types.js';
import { missingPrograms, offload, runIn, transfer } from '../support/netns-programs.js';
import { TunnelCapture } from '../support/tunnel-capture.js';
import { ClusterBench, type Family, UNDERLAY } from './cluster-bench.js';
import { missingForDaemon, outcome, until } from './daemon-support.js';
import { addKernelPeer, makeKernelNode } from './kernel-peer.js';

const missing = missingForDaemon() ?? missingPrograms('tcpdump', 'tshark', 'bridge', 'ethtool');
if (missing) console.log(`skipped: a cluster with a kernel VXLAN node needs ${missing}`);

const KERNEL_SUBNETS = { subnet4: '10.244.9.0/24', subnet6: 'fd00:10:244:9::/64' };
const VTEP_MAC = '02:00:00:00:09:00';

const CASES: { io: string; family: Family; port: number; vni: number }[] = [
  { io: 'uring', family: 4, port: 4789, vni: 1 },
  { io: 'poll', family: 4, port: 8472, vni: 77 },
  { io: 'uring', family: 6, port: 8472, vni: 1 },
];

describe.skipIf(missing).each(CASES)(
  '--io $io, IPv$family underlay, port $port',
  ({ io, family, port, vni }) => {
    let bench: ClusterBench;
    const addresses: Record<string, [string, string]> = {};

    beforeAll(async () => {
      bench = new ClusterBench(family);
      for (const name of ['a', 'b', 'c']) bench.host(name);
      const flags = ['--io', io, '--vni', String(vni), '--tunnel-port', String(port)];
      await bench.startNode('a', flags);
      await bench.startNode('b', flags, 'a');
      const own = { node: bench.name('c'), pod: bench.namespace('k'), underlay: UNDERLAY };
      const kernel = { ...own, address: bench.address('c'), vtepMac: VTEP_MAC, vni, port, ...KERNEL_SUBNETS };
      const { pod4, pod6 } = makeKernelNode(kernel);
      addresses.k = [pod4, pod6];
      const manifest = {
        apiVersion: 'podwire.dev/v1',
        kind: 'Node',
        metadata: { name: 'c' },
        spec: {
          podCIDRs: Object.values(KERNEL_SUBNETS),
          underlay: { address: bench.address('c'), port },
          vtepMAC: VTEP_MAC,
        },
      };
      expect(outcome(await bench.ask('b', 'PUT', '/v1/nodes/c', manifest))).toBe('201');
      for (const name of ['a', 'b']) {
        const { spec } = await bench.nodeOf('a', name);
        const [subnet4, subnet6] = spec.podCIDRs;
        const { address = '' } = spec.underlay ?? {};
        addKernelPeer(bench.name('c'), { address, vtepMac: spec.vtepMAC ?? '', subnet4, subnet6 });
      }
      for (const [node, pod] of [
        ['a', 'web'],
        ['b', 'db'],
      ]) {
        const { ips }: AttachAnswer = await bench.podAt(node, pod);
        addresses[pod] = [ips[0], ips[1]];
      }
      expect(await bench.seesUp('a', 'b', 'c')).toBe(true);
      expect(await bench.seesUp('b', 'a', 'c')).toBe(true);
    });
    afterAll(async () => bench?.cleanup());

    const PODS = ['web', 'db', 'k'];
    const PAIRS = PODS.flatMap((from) => PODS.filter((to) => to !== from).map((to) => [from, to] as const));

    it.each(PAIRS)('%s pings %s with 56, 1,400 and 3,200 bytes over both families', async (from, to) => {
      const pings = addresses[to].flatMap((address) =>
        ['56', '1400', '3200'].map(async (size) => {
          const words = ['-n', '-c3', '-i0.05', '-W2', '-s', size, address];
          const { status, text } = await runIn(bench.name(from), 'ping', ...words);
          expect(status, `${size} bytes to ${address}: ${text}\n${bench.log}`).toBe(0);
        }),
      );
      await Promise.all(pings);
    });

    // Every way once; the first case has all of them.
    const once = PAIRS.filter(([from, to]) => PODS[(PODS.indexOf(from) + 1) % PODS.length] === to);
    const ways = io === 'uring' && family === 4 ? PAIRS : once;
    it.each(ways)('%s sends 4 MiB to %s over TCP, both families', async (from, to) => {
      for (const address of addresses[to]) {
        const { sent, arrived } = await transfer(bench.name(from), bench.name(to), address, 4 << 20);
        expect(sent).toMatch(/^4194304 [0-9a-f]{64}$/);
        expect(arrived).toBe(sent);
      }
    });

    it('reaches and is reached by the nodes themselves', async () => {
      const ping = (from: string, to: string) =>
        runIn(bench.name(from), 'ping', '-n', '-c2', '-i0.05', '-W2', to);
      const { nodeIPs } = await bench.status('a');
      for (const address of nodeIPs) {
        for (const from of ['db', 'k']) {
          const { status, text } = await ping(from, address);
          expect(status, `${from} to ${address}: ${text}`).toBe(0);
        }
      }
      for (const address of [...addresses.db, ...addresses.k]) {
        const { status, text } = await ping('a', address);
        expect(status, `node a to ${address}: ${text}`).toBe(0);
      }
      // Under the addresses of the underlay as well, each seen as itself.
      for (const node of ['a', 'b', 'c']) {
        const { status, text } = await ping('web', bench.address(node));
        expect(status, `web to node ${node}: ${text}`).toBe(0);
      }
    });

    it('sends tunnel packets that tshark has no complaint about', async () => {
      // A veth hands over unfinished what a network card would finish: here all of it is to be judged.
      for (const name of ['a', 'b', 'c']) {
        offload(
          bench.name(name),
          UNDERLAY,
          ...['tx', 'tso', 'gso', 'tx-udp-segmentation'].flatMap((of) => [of, 'off']),
        );
      }
      const capture = await TunnelCapture.start(
        bench.name('wire'),
        'br0',
        join(bench.directory, 'tunnel.pcap'),
        port,
      );
      try {
        for (const [index, address] of addresses.db.entries()) {
          await runIn(bench.name('web'), 'ping', '-n', '-c3', '-i0.05', '-s', '3200', address);
          await transfer(bench.name('web'), bench.name('db'), address, 1 << 20);
          await runIn(bench.name('web'), 'ping', '-n', '-c2', '-i0.05', addresses.k[index]);
        }
      } finally {
        capture.end();
      }
      const { packets, complaints } = await capture.packets();
      expect(complaints).toEqual([]);
      expect(packets.length).toBeGreaterThan(200);
      expect(new Set(packets.map((packet) => packet.vni))).toEqual(new Set([String(vni)]));
      expect(new Set(packets.map((packet) => packet.udpPort))).toEqual(new Set([String(port)]));
      // Every sum that tshark knows of, outer and inner, is right or not there.
      expect(packets.filter(({ sums }) => sums.includes('Bad'))).toEqual([]);
      expect(packets.filter(({ sums }) => sums.includes('Good')).length).toBeGreaterThan(200);
      // The source port carries the flow.
      expect(new Set(packets.map(({ sourcePort }) => sourcePort)).size).toBeGreaterThan(2);
    });

    it('drops a route to the kernel node when it stops answering, and takes it again', async () => {
      const has = async (): Promise<boolean> => {
        const { body } = await bench.ask<{ routes: { prefix: string }[] }>('a', 'GET', '/v1/routes');
        return body.routes.some(({ prefix }) => prefix === KERNEL_SUBNETS.subnet4);
      };
      expect(await has()).toBe(true);
      execFileSync('ip', ['-n', bench.name('c'), 'link', 'set', UNDERLAY, 'down']);
      expect(await until(async () => !(await has()))).toBe(true);
      const { state } = (await bench.nodeOf('a', 'c')).status ?? {};
      expect(state).toBe('down');
      execFileSync('ip', ['-n', bench.name('c'), 'link', 'set', UNDERLAY, 'up']);
      if (family === 6) {
        const words = ['-n', bench.name('c'), 'addr', 'replace', `${bench.address('c')}/64`];
        execFileSync('ip', [...words, 'dev', UNDERLAY, 'nodad']);
      }
      expect(await until(has)).toBe(true);
    });

    it('counts every packet', async () => {
      for (const name of ['a', 'b']) {
        const { body } = await bench.ask<{ inFlight: number }>(name, 'GET', '/v1/stats');
        expect(body.inFlight).toBeLessThan(64);
      }
    });
  },
);
