import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Network } from '../../../../src/control/api/types.js';
import { OverlayMembers } from '../../../../src/control/cluster/overlay-members.js';
import { OverlayNetworks } from '../../../../src/control/cluster/overlay-networks.js';
import { EmbeddedStore } from '../../../../src/control/store/embedded.js';
import { ABSENT } from '../../../../src/control/store/store.js';

let directory: string;
let store: EmbeddedStore;
const open: { close(): void }[] = [];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'podwire-overlay-'));
  store = EmbeddedStore.open(join(directory, 'state.mdb'));
});

afterEach(async () => {
  for (const one of open.splice(0)) one.close();
  await store.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Lets the store's watches deliver what has been written. */
const settle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 20));

async function membersOf(name: string, uid = `uid-${name}`, changes: string[] = []): Promise<OverlayMembers> {
  const onChange = (network: string): void => void changes.push(network);
  const members = new OverlayMembers({ store, self: { name, uid }, onChange });
  open.push(members);
  await members.start();
  return members;
}

/** Addresses of the network `backend` that the store has somebody for. */
async function written(): Promise<string[]> {
  const { entries } = await store.list('cluster/members/backend/');
  return entries.map(({ key }) => key.slice('cluster/members/backend/'.length));
}

const web = { network: 'backend', ips: ['10.80.0.2', 'fd80::2'], mac: '02:70:0a:50:00:02' };

describe('overlay members', () => {
  it('are known to the other nodes, not to their own', async () => {
    const changes: string[] = [];
    const [a, b] = [await membersOf('a'), await membersOf('b', 'uid-b', changes)];
    await a.claim('default/web', web);
    await settle();
    expect(a.others('backend')).toEqual([]);
    expect(b.others('backend').map(({ address, mac, node, pod }) => [address, mac, node, pod])).toEqual([
      ['10.80.0.2', web.mac, 'a', 'default/web'],
      ['fd80::2', web.mac, 'a', 'default/web'],
    ]);
    expect(b.others('frontend')).toEqual([]);
    expect(new Set(changes)).toEqual(new Set(['backend']));
    await a.release('default/web');
    await settle();
    expect(b.others('backend')).toEqual([]);
  });

  it('have an address once in the cluster, and take all of theirs or none', async () => {
    const [a, b] = [await membersOf('a'), await membersOf('b')];
    await a.claim('default/web', { ...web, ips: ['fd80::2'] });
    await expect(b.claim('default/db', web)).rejects.toMatchObject({
      code: 'ADDRESS_IN_USE',
      message: 'fd80::2 belongs to pod default/web of node a',
    });
    expect((await store.list('cluster/members/')).entries.map(({ key }) => key)).toEqual([
      'cluster/members/backend/fd80::2',
    ]);
    await a.claim('default/web', web);
    await expect(a.claim('default/other', web)).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' });
  });

  it('race for an address, and one of them gets it', async () => {
    const nodes = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => membersOf(name)));
    const claims = await Promise.allSettled(nodes.map((node) => node.claim('default/x', web)));
    expect(claims.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('are not released by another node, nor by one of the same name installed anew', async () => {
    const [a, b, again] = [await membersOf('a'), await membersOf('b'), await membersOf('a', 'uid-new')];
    await a.claim('default/web', web);
    await b.release('default/web');
    await again.release('default/web');
    await settle();
    expect(b.others('backend')).toHaveLength(2);
    await again.forgetNode('a');
    await settle();
    expect(b.others('backend')).toHaveLength(0);
  });

  it('are tidied away where no pod of the node has them any more', async () => {
    const earlier = await membersOf('a');
    await earlier.claim('default/web', web);
    await earlier.claim('default/db', { ...web, ips: ['10.80.0.3'] });
    const a = await membersOf('a');
    a.hold('default/db', { ...web, ips: ['10.80.0.3'] });
    await a.tidy();
    expect(await written()).toEqual(['10.80.0.3']);
  });

  it('stay when records are tidied before the pod’s attachment is complete', async () => {
    const [a, b] = [await membersOf('a'), await membersOf('b')];
    await a.claim('default/web', web);
    await settle();
    await a.tidy();
    expect(await written()).toEqual(web.ips);
    await expect(b.claim('default/db', web)).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' });
  });

  it('stay when records are tidied amid a claim', async () => {
    const a = await membersOf('a');
    for (let round = 0; round < 21; round++) {
      const claimed = a.claim('default/web', web);
      for (let turn = 0; turn < round % 7; turn++) await new Promise(setImmediate);
      await Promise.all([claimed, a.tidy(), a.reassert()]);
      await settle();
      await a.tidy();
      expect(await written()).toEqual(web.ips);
      await a.release('default/web');
      expect(await written()).toEqual([]);
    }
  });

  it('are in nobody’s way on their own node once they are released, also where the store has not heard of it', async () => {
    const earlier = await membersOf('a');
    await earlier.claim('default/gone', web);
    const [a, b] = [await membersOf('a'), await membersOf('b')];
    await expect(b.claim('default/db', web)).rejects.toMatchObject({ code: 'ADDRESS_IN_USE' });
    await a.claim('default/web', web);
    await settle();
    expect(b.others('backend').map(({ pod }) => pod)).toEqual(['default/web', 'default/web']);
  });

  it('are written again after they were lost, and not fought for where another has them by now', async () => {
    const [a, b] = [await membersOf('a'), await membersOf('b')];
    await a.claim('default/web', web);
    await a.claim('default/db', { ...web, ips: ['10.80.0.3'] });
    for (const { key } of (await store.list('cluster/members/')).entries) await store.delete(key);
    await b.claim('default/thief', { ...web, ips: ['fd80::2'] });
    await settle();
    await a.reassert();
    expect(await written()).toEqual(['10.80.0.2', '10.80.0.3', 'fd80::2']);
    expect(a.lostTo('default/web')).toBe('fd80::2 belongs to pod default/thief of node b');
    expect(a.lostTo('default/db')).toBeUndefined();
    await b.release('default/thief');
    await settle();
    await a.reassert();
    expect(a.lostTo('default/web')).toBeUndefined();
    await settle();
    expect(b.others('backend').map(({ address }) => address)).toContain('fd80::2');
  });

  it('are not lost any more once their pod has been detached', async () => {
    const [a, b] = [await membersOf('a'), await membersOf('b')];
    a.hold('default/web', web);
    await b.claim('default/thief', web);
    await settle();
    await a.reassert();
    expect(a.lostTo('default/web')).toBe('10.80.0.2 belongs to pod default/thief of node b');
    await a.release('default/web');
    expect(a.lostTo('default/web')).toBeUndefined();
    expect(await written()).toEqual(web.ips);
  });

  it('are ignored where a record is not what it should be', async () => {
    const b = await membersOf('b');
    const member = {
      network: 'backend',
      address: '10.80.0.2',
      mac: web.mac,
      pod: 'x/y',
      node: 'a',
      uid: 'u',
    };
    await store.put('cluster/members/backend/10.80.0.9', member);
    await store.put('cluster/members/backend/10.80.0.8', { ...member, address: '10.80.0.8', extra: 1 });
    await store.put('cluster/members/backend/10.80.0.7', 'nonsense');
    await store.put('cluster/members/backend/10.80.0.6', { ...member, address: '10.80.0.6', mac: 'no mac' });
    await store.put('cluster/members/backend/10.80.0.05', { ...member, address: '10.80.0.05' });
    await settle();
    expect(b.others('backend')).toEqual([]);
  });
});

function overlay(name: string, vni?: number): Network {
  const spec = { mode: 'overlay' as const, cidrs: ['10.80.0.0/24'], ...(vni !== undefined && { vni }) };
  return { apiVersion: 'podwire.dev/v1', kind: 'Network', metadata: { name }, spec };
}

async function networksOf(changes: string[] = []): Promise<OverlayNetworks> {
  const networks = new OverlayNetworks({
    store,
    routedVni: 1,
    onChange: (name, known) => void changes.push(`${known ? '+' : '-'}${name}`),
  });
  open.push(networks);
  await networks.start();
  return networks;
}

describe('overlay networks', () => {
  it('are known to every node, with a VNI', async () => {
    const changes: string[] = [];
    const [here, there] = [await networksOf(), await networksOf(changes)];
    const made = await here.put('backend', overlay('backend'), ABSENT);
    expect(made.spec.vni).toBe(4096);
    expect(here.get('backend')?.network).toEqual(made);
    expect((await here.put('frontend', overlay('frontend'), ABSENT)).spec.vni).toBe(4097);
    await settle();
    expect(there.get('backend')?.network.spec.vni).toBe(4096);
    await there.delete('backend');
    await settle();
    expect(here.get('backend')).toBeUndefined();
    expect(changes).toEqual(['+backend', '+frontend', '-backend']);
    expect((await there.put('third', overlay('third'), ABSENT)).spec.vni).toBe(4096);
  });

  it('do not share a VNI with each other or with the routed network', async () => {
    const here = await networksOf();
    await here.put('backend', overlay('backend', 77), ABSENT);
    await expect(here.put('other', overlay('other', 77), ABSENT)).rejects.toMatchObject({
      code: 'VNI_IN_USE',
      message: 'spec.vni: 77 is that of network backend',
    });
    await expect(here.put('other', overlay('other', 1), ABSENT)).rejects.toMatchObject({
      code: 'VNI_IN_USE',
    });
  });

  it('give a VNI back that a write did not come to use', async () => {
    const [here, there] = [await networksOf(), await networksOf()];
    await here.put('backend', overlay('backend', 77), ABSENT);
    await settle();
    await expect(there.put('backend', overlay('backend', 78), ABSENT)).rejects.toMatchObject({
      code: 'CONFLICT',
    });
    expect((await store.list('cluster/vnis/')).entries.map(({ key }) => key)).toEqual(['cluster/vnis/77']);
    const revision = here.get('backend')?.revision ?? 0;
    await here.put('backend', overlay('backend', 78), revision);
    expect((await store.list('cluster/vnis/')).entries.map(({ key }) => key)).toEqual(['cluster/vnis/78']);
  });

  it('ignore a record that is no overlay', async () => {
    const here = await networksOf();
    await store.put('cluster/networks/x', { kind: 'Network' });
    await settle();
    expect(here.get('x')).toBeUndefined();
  });
});
