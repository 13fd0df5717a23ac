/**
 * What the tests of the tunnel's elements share: a node with two peers.
 *
 *     ports 0 1   domain 0, 10.0.0.10 and .11                      peer 3  192.168.77.2 4789  10.21.0.0/24  fd00:21::/64
 *     port 2      domain 2, an overlay, VNI 77, 10.0.2.12          peer 4  fd77::3 8472       10.22.0.0/24
 *     port 9      the tunnel, in domain 1, VNI 1                   in the overlay: 10.0.2.33 and .34 behind peer 3,
 *                                                                  10.0.2.35 behind peer 4
 */
import type { PeerSpec, Snapshot } from '../../../src/dataplane/snapshot.js';
import { mappedWords } from '../../../src/dataplane/tables/peer-table.js';
import { parseIp } from '../../../src/wire/address.js';
import { networks } from '../../support/snapshots.js';
import { RouterFixture } from './router-fixture.js';

export const TUNNEL = 9;
export const PEER_3 = '192.168.77.2';
export const PEER_4 = 'fd77::3';

const base = networks({ ports: [2, 0, 1] });

const PEERS: readonly PeerSpec[] = [
  {
    id: 3,
    name: 'k3',
    address: PEER_3,
    port: 4789,
    mac: '02:70:00:00:fe:03',
    prefixes: ['10.21.0.0/24', 'fd00:21::/64'],
    mtu: 1400,
  },
  {
    id: 4,
    name: 'k4',
    address: PEER_4,
    port: 8472,
    mac: '02:70:00:00:fe:04',
    prefixes: ['10.22.0.0/24'],
    mtu: 1380,
  },
];

export const TUNNEL_SNAPSHOT: Snapshot = {
  ...base,
  ports: [
    ...base.ports,
    {
      id: TUNNEL,
      name: 'tunnel',
      mac: '02:70:00:00:ff:01',
      addresses: [],
      attachment: { kind: 'tunnel', domain: 1 },
      routeTable: 0,
      mtu: 1500,
      guard: false,
    },
  ],
  domains: base.domains.map((domain) => {
    if (domain.id === 1) return { ...domain, vni: 1 };
    return domain.id === 2 ? { ...domain, vni: 77, peers: [3, 4] } : domain;
  }),
  routes: [
    ...base.routes,
    ...PEERS.flatMap(({ id, prefixes }) =>
      prefixes.map((prefix) => ({ table: 0, prefix, kind: 'peer' as const, peer: id })),
    ),
  ],
  neighbours: [
    ...base.neighbours,
    ...[3, 3, 4].map((peer, i) => ({
      domain: 2,
      address: `10.0.2.${33 + i}`,
      mac: `02:70:00:00:00:${21 + i}`,
      peer,
    })),
  ],
  tunnel: { port: TUNNEL, domain: 1 },
  peers: PEERS,
};

export class TunnelFixture extends RouterFixture {
  constructor(snapshot: Snapshot = TUNNEL_SNAPSHOT, slots = 64) {
    super(snapshot, slots);
  }

  /** Says where the packet in `slot` comes from. */
  from(slot: number, address: string): number {
    this.pool.remote.set(mappedWords(parseIp(address)), slot * 4);
    return slot;
  }

  /** A datagram as the tunnel's device leaves it. */
  arrive(payload: Uint8Array, address = PEER_3, facts: (slot: number) => void = () => {}): number {
    const { pool } = this;
    const slot = pool.take();
    pool.bytes.fill(0xa5, pool.at[slot] - 128, pool.at[slot] + payload.length + 128);
    pool.bytes.set(payload, pool.at[slot]);
    pool.reset(slot, payload.length, TUNNEL);
    facts(slot);
    this.counters.received(TUNNEL, payload.length);
    return this.from(slot, address);
  }
}
