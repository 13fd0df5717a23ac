/**
 * A layer-2 overlay over three nodes: one broadcast domain with a VNI of its own, pods at each node.
 *
 *     red1: eth0 10.80.0.2 ── node a ─┐
 *     red2: eth0 10.80.0.3 ── node b ─┼── underlay, VNI 77
 *     red3: eth0 10.80.0.4 ── node c ─┘
 *     plain: eth0 10.244.0.3 ── node a       in the default network: it reaches none of them
 */
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Network, NetworkSpec } from '../../src/control/api/types.js';
import { missingPrograms, offload, runIn, transfer } from '../support/netns-programs.js';
import { TunnelCapture } from '../support/tunnel-capture.js';
import { ClusterBench, UNDERLAY } from './cluster-bench.js';
import { missingForDaemon, outcome, until } from './daemon-support.js';

const missing = missingForDaemon() ?? missingPrograms('tcpdump', 'tshark', 'python3', 'ethtool');
if (missing) console.log(`skipped: overlay networks over several nodes need ${missing}`);

const SPEC: NetworkSpec = { mode: 'overlay', cidrs: ['10.80.0.0/24', 'fd80::/64'], vni: 77 };

function network(name: string, spec: NetworkSpec): Network {
  return { apiVersion: 'podwire.dev/v1', kind: 'Network', metadata: { name }, spec };
}

/** Joins a group and prints what comes; sends to it. Both bound to eth0. */
const LISTEN = `
import socket, struct, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'eth0')
s.bind(('', 5001))
s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, struct.pack('4s4s', socket.inet_aton(sys.argv[1]), socket.inet_aton('0.0.0.0')))
s.settimeout(5)
print('listening', flush=True)
print(s.recvfrom(100))`;
const SEND = `
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'eth0')
s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 4)
for _ in range(3): s.sendto(b'to everybody', (sys.argv[1], 5001))`;

describe.skipIf(missing)('an overlay network', () => {
  let bench: ClusterBench;
  const pods = { red1: 'a', red2: 'b', red3: 'c' } as const;
  const addresses: Record<string, string[]> = {};
  const macs: Record<string, string> = {};

  beforeAll(async () => {
    bench = new ClusterBench();
    for (const name of ['a', 'b', 'c']) bench.host(name);
    await bench.startNode('a');
    await bench.startNode('b', [], 'a');
    await bench.startNode('c', ['--io', 'poll'], 'a');
    expect(outcome(await bench.ask('b', 'PUT', '/v1/networks/red', network('red', SPEC)))).toBe('201');
    for (const name of ['a', 'c']) {
      const isKnown = async () => outcome(await bench.ask(name, 'GET', '/v1/networks/red')) === '200';
      expect(await until(isKnown)).toBe(true);
    }
    for (const [pod, node] of Object.entries(pods)) {
      const { ips, mac } = await bench.podAt(node, pod, { network: 'red' });
      addresses[pod] = ips;
      macs[pod] = mac;
    }
    await bench.podAt('a', 'plain');
    for (const name of ['a', 'b', 'c']) {
      expect(await bench.seesUp(name, ...['a', 'b', 'c'].filter((other) => other !== name))).toBe(true);
      const hasAll = async () => {
        const { body } = await bench.ask<{ neighbors: { address: string }[] }>(name, 'GET', '/v1/neighbors');
        const known = body.neighbors.map(({ address }) => address);
        return Object.values(addresses)
          .flat()
          .every((address) => known.includes(address));
      };
      expect(await until(hasAll)).toBe(true);
    }
  });
  afterAll(async () => bench?.cleanup());

  const ping = (from: string, ...words: string[]) =>
    runIn(bench.name(from), 'ping', '-n', '-c3', '-i0.05', '-W2', ...words);

  it('gives every pod of the cluster its own address', () => {
    expect(addresses).toEqual({
      red1: ['10.80.0.2', 'fd80::2'],
      red2: ['10.80.0.3', 'fd80::3'],
      red3: ['10.80.0.4', 'fd80::4'],
    });
  });

  it('joins its pods at layer 2, with TTL untouched and their own MAC addresses', async () => {
    for (const from of Object.keys(pods)) {
      for (const to of Object.keys(pods).filter((pod) => pod !== from)) {
        for (const address of addresses[to]) {
          for (const size of ['56', '3200']) {
            const { status, text } = await ping(from, '-s', size, address);
            expect(status, `${from} to ${address}: ${text}\n${bench.log}`).toBe(0);
            expect(text).toContain('ttl=64');
          }
        }
        expect(bench.ip(from, 'neigh', 'show', addresses[to][0])).toContain(macs[to]);
      }
    }
  });

  it('carries TCP in both directions', async () => {
    for (const address of addresses.red2) {
      const { sent, arrived } = await transfer(bench.name('red1'), bench.name('red2'), address, 4 << 20);
      expect(sent).toMatch(/^4194304 /);
      expect(arrived).toBe(sent);
    }
  });

  it.each([
    ['multicast', '239.1.2.3'],
    ['broadcast', '255.255.255.255'],
  ])('replicates %s to the pods of every node', async (_, group) => {
    const member = group.startsWith('255') ? '239.9.9.9' : group;
    const listeners = ['red2', 'red3'].map((pod) =>
      runIn(bench.name(pod), 'timeout', '8', 'python3', '-c', LISTEN, member),
    );
    await new Promise((resolve) => setTimeout(resolve, 700));
    await runIn(bench.name('red1'), 'python3', '-c', SEND, group);
    for (const { status, text } of await Promise.all(listeners)) {
      expect(status, text).toBe(0);
      expect(text).toContain('to everybody');
      expect(text).toContain(addresses.red1[0]);
    }
  });

  it('floods nothing that it can answer: no ARP request crosses the tunnel', async () => {
    const path = join(bench.directory, 'arp.pcap');
    for (const name of ['a', 'b', 'c'])
      offload(bench.name(name), UNDERLAY, 'tx', 'off', 'gso', 'off', 'tso', 'off');
    const capture = await TunnelCapture.start(bench.name('wire'), 'br0', path, 4789);
    for (const pod of Object.keys(pods)) bench.ip(pod, 'neigh', 'flush', 'dev', 'eth0');
    await ping('red1', addresses.red2[0]);
    await ping('red2', addresses.red3[0]);
    const { packets, complaints } = await capture.packets();
    expect(complaints).toEqual([]);
    const ofRed = packets.filter(({ vni }) => vni === '77');
    expect(ofRed.length).toBeGreaterThanOrEqual(12);
    expect(ofRed.filter(({ protocols }) => protocols.includes('arp'))).toEqual([]);
    expect(packets.flatMap(({ sums }) => sums)).not.toContain('Bad');
  });

  it('is apart from the default network', async () => {
    expect((await ping('plain', addresses.red2[0])).text).toMatch(/Packet filtered/i);
    expect((await ping('red2', '10.244.0.3')).text).toMatch(/Packet filtered/i);
    expect((await ping('red2', '10.244.1.3')).text).toMatch(/Packet filtered/i);
  });

  it('lets each node reach its own pods', async () => {
    for (const [pod, node] of Object.entries(pods)) {
      for (const address of addresses[pod]) {
        const { status, text } = await ping(node, address);
        expect(status, `${node} to ${pod}: ${text}`).toBe(0);
      }
    }
  });

  it('refuses an address, a VNI and a name that the cluster has already', async () => {
    bench.namespace('late');
    const at = '/v1/pods/default/late/attach';
    const request = { netns: bench.path('late'), network: 'red', ips: [addresses.red1[0]] };
    const answer = await bench.ask<{ error: { message: string } }>('c', 'POST', at, request);
    expect(outcome(answer)).toBe('409 ADDRESS_IN_USE');
    expect(answer.body.error.message).toContain('red1 of node a');
    const same = network('blue', { ...SPEC, cidrs: ['10.81.0.0/24'] });
    expect(outcome(await bench.ask('c', 'PUT', '/v1/networks/blue', same))).toBe('409 VNI_IN_USE');
    expect(outcome(await bench.ask('c', 'DELETE', '/v1/networks/red'))).toBe('409 NETWORK_IN_USE');
    const overlapping = network('blue', { mode: 'overlay', cidrs: ['10.80.0.0/25'] });
    expect(outcome(await bench.ask('c', 'PUT', '/v1/networks/blue', overlapping))).toBe('409 CIDR_OVERLAP');
  });

  it('gives many nodes that attach at once different addresses', async () => {
    const names = ['x1', 'x2', 'x3', 'x4', 'x5', 'x6'];
    const made = await Promise.all(
      names.map((pod, index) => bench.podAt(['a', 'b', 'c'][index % 3], pod, { network: 'red' })),
    );
    expect(new Set(made.map(({ ips }) => ips[0])).size).toBe(names.length);
    const detached = names.map((pod, index) =>
      bench.ask(['a', 'b', 'c'][index % 3], 'POST', `/v1/pods/default/${pod}/detach`),
    );
    expect((await Promise.all(detached)).map(outcome)).toEqual(names.map(() => '200'));
  });

  it('gives up an address that another node has by the store’s word, and takes it again once it is free', async () => {
    const { ips } = await bench.podAt('c', 'lost', { network: 'red' });
    const key = `/v1/store/entries/${encodeURIComponent(`cluster/members/red/${ips[0]}`)}`;
    const thief = { network: 'red', address: ips[0], mac: '02:70:00:00:00:01', pod: 'default/thief' };
    const value = { ...thief, node: 'b', uid: 'thief' };
    expect((await bench.ask('a', 'PUT', key, { value })).status).toBe(200);
    const phase = async () =>
      (await bench.ask<{ status: { phase: string } }>('c', 'GET', '/v1/pods/default/lost')).body.status.phase;
    expect(await until(async () => (await phase()) === 'Lost')).toBe(true);
    expect(await until(() => bench.link('lost') === undefined)).toBe(true);
    const closed = () => bench.logged('pod closed: an address of it is another’s').map(({ pod }) => pod);
    expect(await until(() => closed().length > 0)).toBe(true);
    expect(closed()).toEqual(['default/lost']);
    expect((await bench.ask('a', 'DELETE', key)).status).toBe(200);
    expect(await until(async () => (await phase()) === 'Running')).toBe(true);
    expect((await ping('red1', ips[0])).status).toBe(0);
    expect(outcome(await bench.ask('c', 'POST', '/v1/pods/default/lost/detach'))).toBe('200');
  });

  it('keeps its pods talking while the store’s daemon is away, and forgets a pod that goes', async () => {
    await bench.endNode('a', 'SIGKILL');
    expect((await ping('red2', addresses.red3[0])).status).toBe(0);
    await bench.startNode('a');
    expect(await until(async () => (await ping('red1', addresses.red3[0])).status === 0)).toBe(true);
    expect(outcome(await bench.ask('c', 'POST', '/v1/pods/default/red3/detach'))).toBe('200');
    const isGone = async (): Promise<boolean> => {
      const { body } = await bench.ask<{ neighbors: { address: string }[] }>('b', 'GET', '/v1/neighbors');
      return body.neighbors.every(({ address }) => !addresses.red3.includes(address));
    };
    expect(await until(isGone)).toBe(true);
  });
});
