/** What happens while a network is being changed; what changes do is under test with a daemon. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { Network, NetworkSpec } from '../../../src/control/api/types.js';
import { PodwireError } from '../../../src/control/errors.js';
import { KeyedLock } from '../../../src/control/keyed-lock.js';
import { Networks } from '../../../src/control/networks.js';
import { Ports } from '../../../src/control/ports.js';
import { NETWORKS, Records } from '../../../src/control/records.js';
import { EmbeddedStore } from '../../../src/control/store/embedded.js';
import { Uplink } from '../../../src/control/uplinks.js';

const LAN: NetworkSpec = { mode: 'raw', parent: 'eth0', cidrs: ['192.168.7.0/24'] };

let directory: string;
let store: EmbeddedStore;
/** What an uplink does while it is opened. */
let whileOpening: () => void;

class TestUplink extends Uplink {
  override async open(): Promise<void> {
    await Promise.resolve();
    whileOpening();
  }
}

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'podwire-networks-'));
  store = EmbeddedStore.open(join(directory, 'state.mdb'));
  whileOpening = () => {};
});
afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true });
});

function network(name: string, spec: NetworkSpec): Network {
  return { apiVersion: 'podwire.dev/v1', kind: 'Network', metadata: { name }, spec };
}

async function loaded(deleteOverlay = async (): Promise<void> => {}): Promise<Networks> {
  const ports = new Ports({
    addPort: async () => {},
    addRaw: async () => {},
    removePort: async () => {},
  });
  const networks = new Networks({
    records: new Records<Network>(store, NETWORKS),
    plan: { podCidrs: ['10.244.0.0/24'], clusterCidrs: ['10.244.0.0/16'], serviceCidrs: [] },
    lock: new KeyedLock(),
    log: pino({ level: 'silent' }),
    hostAddresses: async () => [],
    overlays: {
      put: async (_name, given) => ({ ...given, spec: { ...given.spec, vni: 77 } }),
      delete: deleteOverlay,
    },
    uplinkFor: ({ mode, parent, vlan }) =>
      mode === 'raw' && parent !== undefined
        ? new TestUplink({ ports, nonBlocking: false }, parent, vlan)
        : undefined,
    changed: async () => {},
  });
  await networks.load();
  return networks;
}

it('lets nobody in while another network takes the place of one without pods', async () => {
  const networks = await loaded();
  await networks.put('lan', network('lan', LAN));
  const before = networks.get('lan');
  const seen: boolean[] = [];
  whileOpening = () => seen.push(networks.get('lan') === before && before.frozen);
  await networks.put('lan', network('lan', { ...LAN, parent: 'eth1' }));
  expect([seen, networks.get('lan').frozen]).toEqual([[true], false]);
});

it('lets everybody in again where the other one cannot be', async () => {
  const networks = await loaded();
  await networks.put('lan', network('lan', LAN));
  whileOpening = () => {
    throw new PodwireError('INTERFACE_NOT_FOUND', 'no eth1');
  };
  await expect(networks.put('lan', network('lan', { ...LAN, parent: 'eth1' }))).rejects.toThrow('no eth1');
  expect([networks.get('lan').spec.parent, networks.get('lan').frozen]).toEqual(['eth0', false]);
});

it('lets nobody in while an overlay is being deleted for all nodes', async () => {
  const seen: boolean[] = [];
  let isReachable = false;
  const networks = await loaded(async () => {
    seen.push(networks.get('wide').frozen);
    if (!isReachable) throw new PodwireError('STORE_UNREACHABLE', 'no store');
  });
  await networks.put('wide', network('wide', { mode: 'overlay', cidrs: ['10.99.0.0/24'] }));
  await expect(networks.delete('wide')).rejects.toThrow('no store');
  expect([seen, networks.get('wide').frozen]).toEqual([[true], false]);
  isReachable = true;
  await networks.delete('wide');
  expect(networks.find('wide')).toBeUndefined();
});
