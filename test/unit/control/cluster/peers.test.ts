/** Which nodes become peers, with which subnets, and what is said of those that do not. */
import { describe, expect, it } from 'vitest';
import type { NodeSpec } from '../../../../src/control/api/types.js';
import { PeerIds } from '../../../../src/control/cluster/peer-ids.js';
import { findPeers, type PeerSources } from '../../../../src/control/cluster/peers.js';
import { type PublishedNode, readNode } from '../../../../src/control/cluster/records.js';

function node(name: string, number: number, more: Partial<NodeSpec> = {}, managed = 'daemon'): PublishedNode {
  return {
    metadata: { name, uid: `uid-${name}`, creationTimestamp: `2026-01-01T00:00:0${number}.000Z` },
    spec: {
      podCIDRs: [`10.244.${number}.0/24`, `fd00:10:244:${number}::/64`],
      underlay: { address: `192.168.77.${number}`, port: 4789 },
      vtepMAC: `02:72:00:00:00:0${number}`,
      ...more,
    },
    managed: managed as PublishedNode['managed'],
  };
}

/** Everybody owns what they announce, is live, and 1450 bytes fit. */
function sources(nodes: PublishedNode[], more: Partial<PeerSources> = {}): PeerSources {
  const owners = new Map(
    nodes.flatMap(({ metadata, spec }) => spec.podCIDRs.map((cidr) => [cidr, metadata.name])),
  );
  return {
    self: { name: 'k1', address: '192.168.77.1' },
    nodes,
    ownerOf: (cidr) => owners.get(cidr),
    isLive: () => true,
    innerMtu: () => 1450,
    ...more,
  };
}

function found(nodes: PublishedNode[], more: Partial<PeerSources> = {}) {
  const { peers, messages } = findPeers(sources(nodes, more), new PeerIds());
  return { names: peers.map(({ name }) => name), peers, messages: Object.fromEntries(messages) };
}

describe('findPeers', () => {
  it('gives the same list of prefixes for a record that is the same, and another for another address', () => {
    const nodes = [node('k2', 2), node('k3', 3)];
    const [before, after] = [found(nodes).peers, found([...nodes].reverse()).peers];
    for (const { name, prefixes, hosts } of after) {
      const same = before.find((peer) => peer.name === name);
      expect(prefixes).toBe(same?.prefixes);
      expect(hosts).toBe(same?.hosts);
    }
    const underlay = { address: '192.168.77.9', port: 4789 };
    const [moved] = found([{ ...nodes[0], spec: { ...nodes[0].spec, underlay } }]).peers;
    expect(moved.hosts).toEqual(['192.168.77.9/32']);
    expect(found(nodes).peers[0].hosts).toEqual(before[0].hosts);
  });

  it('makes a peer of every node but this one', () => {
    const { peers, messages } = found([node('k1', 1), node('k2', 2)]);
    expect(peers).toEqual([
      {
        id: 0,
        name: 'k2',
        address: '192.168.77.2',
        port: 4789,
        mac: '02:72:00:00:00:02',
        prefixes: ['10.244.2.0/24', 'fd00:10:244:2::/64'],
        hosts: ['192.168.77.2/32'],
        mtu: 1450,
        probe: '10.244.2.1',
        live: true,
      },
    ]);
    expect(messages).toEqual({});
  });

  it('probes an IPv6 address where there is no other', () => {
    const six = node('k2', 2, {
      podCIDRs: ['fd00:10:244:2::/64'],
      underlay: { address: 'fd77::2', port: 8472 },
    });
    const { peers } = found([six], { self: { name: 'k1', address: 'fd77::1' } });
    expect(peers[0]).toMatchObject({ probe: 'fd00:10:244:2::1', port: 8472 });
  });

  it('asks for the MTU and liveness of each', () => {
    const { peers } = found([node('k2', 2), node('k3', 3)], {
      innerMtu: (address) => (address === '192.168.77.3' ? 1350 : 1450),
      isLive: (id) => id === 1,
    });
    expect(peers.map(({ mtu, live }) => [mtu, live])).toEqual([
      [1450, false],
      [1350, true],
    ]);
  });

  it('takes no subnet that the node does not own, and says whose it is', () => {
    const owner = new Map([
      ['10.244.2.0/24', 'k2'],
      ['fd00:10:244:2::/64', 'k9'],
    ]);
    const { peers, messages } = found([node('k2', 2), node('k3', 3)], { ownerOf: (cidr) => owner.get(cidr) });
    expect(peers.map(({ prefixes }) => prefixes)).toEqual([['10.244.2.0/24'], []]);
    expect(peers[1]).not.toHaveProperty('probe');
    expect(messages).toEqual({
      k2: 'announces fd00:10:244:2::/64, which belongs to node k9: no route is made for it',
      k3: 'announces 10.244.3.0/24, which nobody owns and fd00:10:244:3::/64, which nobody owns: no route is made for it',
    });
  });

  it('ignores a node with this node’s underlay address', () => {
    const { names, messages } = found([
      node('k2', 2, { underlay: { address: '192.168.77.1', port: 4789 } }),
      node('k3', 3),
    ]);
    expect(names).toEqual(['k3']);
    expect(messages).toEqual({ k2: 'its underlay address 192.168.77.1 is that of this node' });
  });

  it('keeps one of two nodes with one underlay address: the one with a daemon, then the older', () => {
    const shared = { underlay: { address: '192.168.77.9', port: 4789 } };
    const young = node('a', 8, shared);
    const old = node('b', 7, shared);
    const manual = node('c', 1, shared, 'manual');
    const { names, messages } = found([manual, young, old]);
    expect(names).toEqual(['b']);
    expect(messages).toEqual({
      a: 'its underlay address 192.168.77.9 is that of node b',
      c: 'its underlay address 192.168.77.9 is that of node b',
    });
  });

  it('ignores a node of the other family, and one without a tunnel', () => {
    const { names, messages } = found([
      node('k2', 2, { underlay: { address: 'fd77::2', port: 4789 } }),
      { ...node('k3', 3), spec: { podCIDRs: ['10.244.3.0/24'] } },
    ]);
    expect(names).toEqual([]);
    expect(messages.k2).toContain('another family');
    expect(messages.k3).toContain('has no tunnel');
  });

  it('keeps a node’s number whatever comes and goes, and gives a free one out last', () => {
    const ids = new PeerIds();
    const idOf = (nodes: PublishedNode[], name: string) =>
      findPeers(sources(nodes), ids).peers.find((peer) => peer.name === name)?.id;
    expect(idOf([node('k2', 2), node('k3', 3)], 'k3')).toBe(1);
    expect(idOf([node('k3', 3)], 'k3')).toBe(1);
    expect(idOf([node('k3', 3), node('k4', 4)], 'k4')).toBe(2);
    const moved = node('k3', 3, { underlay: { address: '192.168.77.33', port: 4789 } });
    expect(idOf([moved], 'k3')).toBe(1);
  });

  it('says so when there are more nodes than numbers', () => {
    const { peers, messages } = findPeers(sources([node('k2', 2), node('k3', 3)]), new PeerIds(1));
    expect(peers).toHaveLength(1);
    expect(messages.get('k3')).toContain('more nodes than');
  });
});

describe('readNode', () => {
  it('reads what it wrote', () => {
    const published = node('k2', 2);
    expect(readNode('k2', JSON.parse(JSON.stringify(published)))).toEqual({ node: published });
  });

  it.each([
    ['no object', 'text'],
    ['no uid', { ...node('k2', 2), metadata: { name: 'k2' } }],
    ['another name', node('k3', 3)],
    ['a prefix that is none', node('k2', 2, { podCIDRs: ['everything'] })],
    ['overlapping prefixes', node('k2', 2, { podCIDRs: ['10.0.0.0/8', '10.244.0.0/16'] })],
    ['a multicast underlay', node('k2', 2, { underlay: { address: '239.1.1.1' } })],
    ['a group MAC address', node('k2', 2, { vtepMAC: '03:00:00:00:00:01' })],
    ['an unknown field', { ...node('k2', 2), more: 1 }],
  ])('finds fault with %s, and says so', (_, value) => {
    expect(readNode('k2', JSON.parse(JSON.stringify(value)))).toEqual({
      problem: expect.stringContaining('its record'),
    });
  });
});
