/** What every Store must do about leases; part of store.ts. Time passes for real: etcd has no other. */
import { expect, it } from 'vitest';
import type { Change, Store } from '../../src/control/store/store.js';
import { pause, settled } from './store.js';

const TTL = 2000;
/** Of a lease that is renewed: a busy machine may stand still for a second and more. */
const RENEWED_TTL = 4000;

export function leaseConformance(
  current: () => Store,
  another: () => Promise<Store>,
  /** By how long (ms) a lease may outlive its time. */
  slack: number,
): void {
  it('deletes the keys of a lease that is not renewed, each as a change, and no others', async () => {
    const store = current();
    const lease = await store.grant(TTL);
    expect(lease.ttlMs).toBeGreaterThanOrEqual(TTL);
    await store.put('kept', 1);
    await store.put('alive/a', 1, undefined, lease);
    await store.put('alive/b', { x: 2 }, 0, lease);
    const { revision } = await store.list('');
    const seen: Change[] = [];
    const begun = performance.now();
    await store.watch({ prefix: '', after: revision, onChange: (change) => seen.push(change) });
    await settled(seen, 2, lease.ttlMs + slack);
    expect(performance.now() - begun).toBeGreaterThan(lease.ttlMs * 0.8);
    expect(seen.map(({ key, value, previous }) => [key, value, previous])).toEqual([
      ['alive/a', undefined, 1],
      ['alive/b', undefined, { x: 2 }],
    ]);
    for (const change of seen) expect(change.revision).toBeGreaterThan(revision);
    expect((await store.list('')).entries.map(({ key }) => key)).toEqual(['kept']);
  });

  it('keeps the keys of a lease for as long as it is renewed, from whichever session', async () => {
    const store = current();
    const second = await another();
    const lease = await store.grant(RENEWED_TTL);
    await store.put('alive/a', 1, undefined, lease);
    const renewed = [lease, second.lease(lease.id, lease.ttlMs)];
    const until = performance.now() + lease.ttlMs * 1.5;
    for (let turn = 0; performance.now() < until; turn++) {
      await renewed[turn % 2].renew();
      await pause(lease.ttlMs / 10);
    }
    expect((await store.get('alive/a'))?.value).toBe(1);
    await second.close();
  });

  it('says of an expired lease that it has expired, and neither renews it nor puts with it', async () => {
    const store = current();
    const lease = await store.grant(TTL);
    await store.put('alive/a', 1, undefined, lease);
    await pause(lease.ttlMs);
    const deadline = performance.now() + slack;
    while ((await store.get('alive/a')) && performance.now() < deadline) await pause(20);
    const revision = await store.put('other', 1);
    await expect(lease.renew()).rejects.toMatchObject({ code: 'LEASE_EXPIRED' });
    await expect(store.put('alive/a', 1, undefined, lease)).rejects.toMatchObject({ code: 'LEASE_EXPIRED' });
    await expect(store.put('alive/a', 1, 0, lease)).rejects.toMatchObject({ code: 'LEASE_EXPIRED' });
    await lease.revoke();
    expect(await store.list('')).toMatchObject({ revision, entries: [{ key: 'other' }] });
  });

  it('deletes the keys of a revoked lease at once', async () => {
    const store = current();
    const lease = await store.grant(60_000);
    await store.put('alive/a', 1, undefined, lease);
    await lease.revoke();
    expect(await store.get('alive/a')).toBeUndefined();
    await expect(lease.renew()).rejects.toMatchObject({ code: 'LEASE_EXPIRED' });
  });

  it('takes a key off its lease by a put without one, or with another', async () => {
    const store = current();
    const [lease, other] = [await store.grant(60_000), await store.grant(60_000)];
    for (const key of ['none', 'moved', 'deleted', 'stays']) await store.put(key, 1, undefined, lease);
    await store.put('none', 2);
    await store.put('moved', 2, undefined, other);
    await store.delete('deleted');
    await store.put('deleted', 2);
    await lease.revoke();
    expect((await store.list('')).entries.map(({ key }) => key)).toEqual(['deleted', 'moved', 'none']);
    await other.revoke();
    expect((await store.list('')).entries.map(({ key }) => key)).toEqual(['deleted', 'none']);
  });

  it('leaves a key on its lease where a put without one is refused', async () => {
    const store = current();
    const lease = await store.grant(60_000);
    const revision = await store.put('a', 1, undefined, lease);
    await expect(store.put('a', 2, revision + 5)).rejects.toMatchObject({ code: 'CONFLICT' });
    await lease.revoke();
    expect(await store.get('a')).toBeUndefined();
  });

  it('grants no lease that lives less than a second', async () => {
    for (const ttl of [0, -1, 999, Number.NaN]) {
      await expect(current().grant(ttl)).rejects.toMatchObject({ code: 'INVALID' });
    }
  });
}
