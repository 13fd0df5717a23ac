/** What nodes write down together and what each remembers, over a real store. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { NodeSpec } from '../../../../src/control/api/types.js';
import { agreeOnConfig } from '../../../../src/control/cluster/config.js';
import { KnownNodes } from '../../../../src/control/cluster/known-nodes.js';
import { LateStore } from '../../../../src/control/cluster/late-store.js';
import { LocalCopy, watchedNode } from '../../../../src/control/cluster/local-copy.js';
import { Owners } from '../../../../src/control/cluster/owners.js';
import { publishNode } from '../../../../src/control/cluster/publication.js';
import { CLUSTER_NODES, type PublishedNode } from '../../../../src/control/cluster/records.js';
import { asPodwireError, PodwireError } from '../../../../src/control/errors.js';
import { parseDaemonOptions } from '../../../../src/control/options.js';
import { EmbeddedStore } from '../../../../src/control/store/embedded.js';

const SPEC: NodeSpec = {
  podCIDRs: ['10.244.1.0/24'],
  underlay: { address: '192.0.2.1', port: 4789 },
  vtepMAC: '02:72:00:00:00:01',
};
const NODE: PublishedNode = { metadata: { name: 'k2', uid: 'u2' }, spec: SPEC, managed: 'daemon' };
const JSON_NODE = JSON.parse(JSON.stringify(NODE));

let directory: string;
let store: EmbeddedStore;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'podwire-state-'));
  store = EmbeddedStore.open(join(directory, 'state.mdb'));
});
afterEach(async () => {
  await store.close();
  rmSync(directory, { recursive: true });
});

async function refusal(action: Promise<unknown>): Promise<string> {
  return action.then(
    () => 'accepted',
    (error) => `${asPodwireError(error).code} ${asPodwireError(error).field ?? ''}`.trim(),
  );
}

describe('agreeOnConfig', () => {
  const agree = (values: Record<string, string>, alone = false) =>
    agreeOnConfig(store, parseDaemonOptions({ name: 'n', ...values }), async () => alone);

  it('is written by the first node, and taken by those that leave it open', async () => {
    const first = { 'cluster-cidr': '10.9.0.0/16', vni: '7' };
    expect(await agree(first)).toMatchObject({ clusterCidrs: ['10.9.0.0/16'], vni: 7 });
    expect(await agree({})).toMatchObject({ clusterCidrs: ['10.9.0.0/16'], vni: 7 });
    expect(await agree(first)).toMatchObject({ vni: 7 });
  });

  it.each([
    [{ vni: '8' }, 'CLUSTER_MISMATCH --vni'],
    [{ 'cluster-cidr': '10.8.0.0/16' }, 'CLUSTER_MISMATCH --cluster-cidr'],
    [{ 'service-cidr': '10.7.0.0/16' }, 'CLUSTER_MISMATCH --service-cidr'],
    [{ 'pod-cidr': '10.8.0.0/24' }, 'INVALID --pod-cidr'],
  ])('refuses %j, naming the option', async (values, expected) => {
    await agree({});
    expect(await refusal(agree(values))).toBe(expected);
    expect(await refusal(agree(values, true))).toBe('accepted');
  });
});

describe('publishNode', () => {
  const self = { name: 'k2', uid: 'u2' };
  const publish = (spec = SPEC, isAlive = false, identity = self) =>
    publishNode(store, identity, { spec, zone: undefined }, async () => isAlive);

  it('writes once, and again where it says something else', async () => {
    const first = await publish();
    expect(await publish()).toBe(first);
    const moved = { ...SPEC, underlay: { address: '192.0.2.9', port: 4789 } };
    expect(await publish(moved)).toBeGreaterThan(first);
    expect((await store.get(`${CLUSTER_NODES}k2`))?.value).toMatchObject({ spec: moved });
  });

  it('refuses the name of a living node and of one applied by hand, and replaces one that is gone', async () => {
    await publish();
    const other = { name: 'k2', uid: 'another' };
    expect(await refusal(publish(SPEC, true, other))).toBe('NODE_NAME_TAKEN');
    expect(await refusal(publish(SPEC, false, other))).toBe('accepted');
    await store.put(`${CLUSTER_NODES}k2`, { ...JSON_NODE, managed: 'manual' });
    expect(await refusal(publish(SPEC, false, other))).toBe('NODE_NAME_TAKEN');
  });
});

describe('KnownNodes', () => {
  it('forgets what is deleted, and keeps what is lost for as long as it answers', () => {
    const known = new KnownNodes();
    known.put('k2', JSON_NODE, 1);
    known.remove('k2', true);
    expect(known.isLost('k2')).toBe(true);
    known.dropSilent(() => true);
    expect(known.get('k2')).toBeDefined();
    known.put('k2', JSON_NODE, 2);
    expect(known.isLost('k2')).toBe(false);
    known.dropSilent(() => false);
    expect(known.get('k2')).toBeDefined();
    known.remove('k2', true);
    known.dropSilent(() => false);
    expect(known.get('k2')).toBeUndefined();
    known.put('k2', JSON_NODE, 3);
    known.remove('k2', false);
    expect(known.list()).toEqual([]);
  });

  it('says what is wrong with a record, until it is right', () => {
    const known = new KnownNodes();
    known.put('k2', { spec: 1 }, 1);
    expect(known.problems.get('k2')).toContain('cannot be read');
    expect(known.get('k2')).toBeUndefined();
    known.put('k2', JSON_NODE, 2);
    expect(known.problems.size).toBe(0);
  });
});

describe('Owners', () => {
  it('names the owner of a subnet only where all of it has one', () => {
    const owners = new Owners();
    owners.setAll('10.244.0.0/22', 'k2');
    expect(owners.ownerOf('10.244.0.0/22')).toBe('k2');
    expect(owners.ownerOf('10.244.1.0/24')).toBe('k2');
    expect(owners.ownerOf('10.244.1.128/25')).toBe('k2');
    expect(owners.ownerOf('10.244.4.0/24')).toBeUndefined();
    owners.remove('10.244.3.0/24', false);
    expect(owners.ownerOf('10.244.0.0/22')).toBeUndefined();
    expect(owners.ownerOf('10.0.0.0/8')).toBeUndefined();
  });

  it('keeps what is lost for nodes that are known', () => {
    const owners = new Owners();
    owners.set('10.244.1.0/24', 'k2');
    owners.remove('10.244.1.0/24', true);
    owners.keep(() => true);
    expect(owners.ownerOf('10.244.1.0/24')).toBe('k2');
    owners.keep(() => false);
    expect(owners.ownerOf('10.244.1.0/24')).toBeUndefined();
  });
});

describe('LocalCopy', () => {
  it('gives back what was known, and is read by watchers', async () => {
    const copy = await LocalCopy.open(store);
    const known = [{ node: NODE, revision: 12 }];
    expect(await copy.saveNodes(known, () => ['10.244.1.0/24'])).toBe(true);
    expect(await copy.saveNodes(known, () => ['10.244.1.0/24'])).toBe(false);
    const again = await LocalCopy.open(store);
    expect(again.nodes).toEqual([{ node: NODE, revision: 12, owned: ['10.244.1.0/24'] }]);
    const [{ key, value, revision }] = (await store.list('local/cluster/nodes/')).entries;
    expect(watchedNode(false)(key, value, revision)).toMatchObject({
      kind: 'Node',
      metadata: { name: 'k2', resourceVersion: '12' },
      spec: SPEC,
    });
    expect(watchedNode(true)(key, value, revision)).toBeUndefined();
    await again.saveNodes([], () => []);
    expect((await store.list('local/cluster/nodes/')).entries).toEqual([]);
  });
});

describe('LateStore', () => {
  it('fails until it can be opened, and is that store from then on', async () => {
    let away = true;
    const late = new LateStore(async () => {
      if (away) throw new PodwireError('STORE_UNREACHABLE', 'nobody answers');
      return store;
    }, 'nobody answers');
    const heard: boolean[] = [];
    late.onHealth(({ connected }) => heard.push(connected));
    expect(late.health).toEqual({ connected: false, reason: 'nobody answers' });
    expect(await refusal(late.get('a'))).toBe('STORE_UNREACHABLE');
    away = false;
    await expect.poll(() => heard, { timeout: 15_000 }).toEqual([true]);
    await late.put('a', 1);
    expect((await late.get('a'))?.value).toBe(1);
  });
});
