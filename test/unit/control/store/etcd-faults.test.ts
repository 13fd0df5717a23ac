/** What can befall etcd, to a real one: it vanishes, stands still, is compacted, loses its data, goes back. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { NodeSession } from '../../../../src/control/cluster/session.js';
import { SUBNETS, SubnetLeases } from '../../../../src/control/cluster/subnets.js';
import type { PodwireError } from '../../../../src/control/errors.js';
import { EtcdStore, type EtcdStoreOptions } from '../../../../src/control/store/etcd.js';
import { Mirror } from '../../../../src/control/store/mirror.js';
import type { Change } from '../../../../src/control/store/store.js';
import { pause, settled } from '../../../conformance/store.js';
import { etcdMissing, TestEtcd } from '../../../support/etcd.js';

const missing = etcdMissing();
if (missing) console.log(`skipped: ${missing}`);

/** Waits for it to be so, and fails where it does not become so. */
async function until(what: string, holds: () => boolean | Promise<boolean>, ms = 15_000): Promise<void> {
  const deadline = performance.now() + ms;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await pause(20);
  }
}

describe.skipIf(missing)('etcd', () => {
  let etcd: TestEtcd;
  const stores: EtcdStore[] = [];
  const open = async (options: Partial<EtcdStoreOptions> = {}): Promise<EtcdStore> => {
    const store = await EtcdStore.open({ urls: [etcd.url], ...options });
    stores.push(store);
    return store;
  };
  beforeEach(async () => {
    etcd = await TestEtcd.start();
  });
  afterEach(async () => {
    await Promise.all(stores.splice(0).map((store) => store.close()));
    await etcd.stop();
  });

  it('vanishes and returns: calls fail in bounded time, health says so, the watch misses nothing', async () => {
    const store = await open({ timeoutMs: 1500 });
    const health: boolean[] = [];
    store.onHealth(({ connected }) => health.push(connected));
    const { revision } = await store.list('');
    const seen: Change[] = [];
    const ends: PodwireError[] = [];
    await store.watch({
      prefix: 'k',
      after: revision,
      onChange: (c) => seen.push(c),
      onEnd: (e) => ends.push(e),
    });
    for (let index = 0; index < 50; index++) await store.put(`k${index % 7}`, index);
    await etcd.kill();
    const begun = performance.now();
    await expect(store.put('k', 'lost?')).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    await expect(store.get('k')).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    await expect(store.grant(5000)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    expect(performance.now() - begun).toBeLessThan(3 * 1500 + 5000);
    expect(store.health).toMatchObject({ connected: false, reason: expect.stringContaining(etcd.url) });
    await etcd.restart();
    // By another session, so that the first has nothing to do but to notice.
    const other = await open();
    for (let index = 50; index < 100; index++) await other.put(`k${index % 7}`, index);
    await settled(seen, 100, 15_000);
    expect(seen.map(({ value }) => value)).toEqual(Array.from({ length: 100 }, (_, index) => index));
    expect(seen.map(({ revision }) => revision)).toEqual(
      [...seen.map(({ revision }) => revision)].sort((a, b) => a - b),
    );
    expect(ends).toEqual([]);
    await until('connected again', () => store.health.connected);
    expect(health).toEqual([false, true]);
  });

  it('is killed again and again under writes: the watch misses and doubles nothing that was acknowledged', async () => {
    const [store, writer] = [await open(), await open()];
    const { revision } = await store.list('');
    const seen: Change[] = [];
    await store.watch({ prefix: '', after: revision, onChange: (change) => seen.push(change) });
    const acknowledged: number[] = [];
    let writing = true;
    const writes = (async () => {
      for (let index = 0; writing; index++) {
        await writer.put(`k${index % 5}`, index).then(
          (at) => acknowledged.push(at),
          () => pause(20),
        );
      }
    })();
    for (let turn = 0; turn < 4; turn++) {
      const before = acknowledged.length;
      await until('some writes', () => acknowledged.length > before + 10);
      await etcd.kill();
      await etcd.restart();
    }
    const atLast = acknowledged.length;
    await until('writes again', () => acknowledged.length > atLast);
    writing = false;
    await writes;
    const last = await writer.put('end', true);
    await until('all of it seen', () => seen.at(-1)?.revision === last);
    const revisions = seen.map((change) => change.revision);
    expect(revisions).toEqual(Array.from({ length: last - revision }, (_, index) => revision + 1 + index));
    for (const at of acknowledged) expect(revisions).toContain(at);
  });

  it('stands still: calls end in bounded time, and everything goes on when it does', async () => {
    const store = await open({ timeoutMs: 700 });
    const lease = await store.grant(30_000);
    const seen: Change[] = [];
    const { revision } = await store.list('');
    await store.watch({ prefix: '', after: revision, onChange: (change) => seen.push(change) });
    await etcd.pause();
    const begun = performance.now();
    const calls = [store.get('a'), store.list(''), store.put('a', 1), lease.renew(), store.grant(5000)];
    const watching = store.watch({ prefix: '', after: revision, onChange: () => {} });
    const outcomes = await Promise.allSettled([...calls, watching]);
    const reasons = outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason);
    expect(
      reasons.map(({ code, message }) => (code === 'STORE_UNREACHABLE' ? code : `${code} ${message}`)),
    ).toEqual(Array(6).fill('STORE_UNREACHABLE'));
    // Together, not one after another.
    expect(performance.now() - begun).toBeLessThan(6 * 700);
    expect(store.health.connected).toBe(false);
    etcd.resume();
    await until('connected again', () => store.health.connected);
    await store.put('b', 2);
    await until('the change seen', () => seen.at(-1)?.key === 'b');
    await lease.renew();
  });

  it('is compacted while a mirror is cut off: the mirror lists again, and takes nothing for lost', async () => {
    const [store, writer] = [await open(), await open()];
    const { revision } = await store.list('');
    const resets: number[] = [];
    const mirror = new Mirror(store, { prefix: 'k', onReset: ({ size }) => resets.push(size) });
    await mirror.start();
    await writer.put('k', 0);
    await until('mirrored', () => mirror.get('k')?.value === 0);
    await etcd.kill();
    await etcd.restart();
    let last = 0;
    for (let index = 1; index <= 20; index++) last = await writer.put('k', index);
    await etcd.compact(last);
    await until('mirrored again', () => mirror.get('k')?.value === 20 && mirror.synced);
    expect(resets).toEqual([]);
    const late = store.watch({ prefix: '', after: revision, onChange: () => {} });
    await expect(late).rejects.toMatchObject({ code: 'REVISION_TOO_OLD' });
    await store.watch({ prefix: '', after: last, onChange: () => {} });
    mirror.close();
  });

  it('is compacted beyond where a watch stands: the watch ends when it returns, and says so', async () => {
    const store = await open();
    const { revision } = await store.list('');
    const ends: string[] = [];
    const onEnd = ({ code }: PodwireError) => ends.push(code);
    // It hears of nothing, so that it stands where it began.
    await store.watch({ prefix: 'quiet/', after: revision, onChange: () => {}, onEnd });
    let last = 0;
    for (let index = 0; index < 5; index++) last = await store.put('other', index);
    await etcd.compact(last);
    expect(ends).toEqual([]);
    await etcd.kill();
    await etcd.restart();
    await until('the watch ended', () => ends.length > 0);
    expect(ends).toEqual(['REVISION_TOO_OLD']);
  });

  it.each([
    ['and has fewer changes behind it than before', 2],
    ['and has more changes behind it than before', 60],
  ])('loses its data %s: watches end, a mirror says so', async (_, writes) => {
    const store = await open();
    for (let index = 0; index < 20; index++) await store.put('k', index);
    const { revision, store: identity } = await store.list('');
    const seen: Change[] = [];
    const ends: string[] = [];
    const onEnd = ({ code }: PodwireError) => ends.push(code);
    await store.watch({ prefix: '', after: revision, onChange: (change) => seen.push(change), onEnd });
    const resets: string[][] = [];
    const mirror = new Mirror(store, { prefix: '', onReset: (known) => resets.push([...known.keys()]) });
    await mirror.start();
    await etcd.kill();
    await etcd.wipe();
    // Others write before this one is back.
    for (let index = 0; index < writes; index++) await etcd.ctl('put', 'podwire/other', String(index));
    await until('the watch ended', () => ends.length > 0);
    expect(ends).toEqual(['REVISION_TOO_OLD']);
    expect(seen).toEqual([]);
    await until('mirrored again', () => mirror.synced && resets.length > 0);
    expect(resets).toEqual([['k']]);
    expect([...mirror.all.keys()]).toEqual(['other']);
    expect((await store.list('')).store).not.toBe(identity);
    const stale = store.watch({ prefix: '', after: 10_000, onChange: () => {} });
    await expect(stale).rejects.toMatchObject({ code: 'REVISION_TOO_OLD' });
    await store.put('k', 'new');
    await until('followed', () => mirror.get('k')?.value === 'new');
    mirror.close();
  });

  it('loses its data: a node takes a new lease and has its subnets again', async () => {
    const [store, second] = [await open(), await open()];
    const told: string[] = [];
    const onLost = ({ code }: PodwireError) => told.push(code);
    const session = await NodeSession.start({ store, name: 'k1', uid: 'u1', ttlMs: 3000, onLost });
    const nodes = [store, second].map(
      (over, index) =>
        new SubnetLeases({
          store: over,
          node: `k${index + 1}`,
          uid: `u${index + 1}`,
          clusterCidrs: ['10.244.0.0/16'],
        }),
    );
    for (const node of nodes) await node.start();
    const [[first], [other]] = await Promise.all(nodes.map((node) => node.acquire()));
    expect(first.cidr).not.toBe(other.cidr);
    await etcd.wipe();
    await until('alive again', async () => {
      const entry = await store.get('cluster/alive/k1').catch(() => undefined);
      return entry !== undefined && session.held;
    });
    await until('subnets again', async () => (await store.list(SUBNETS)).entries.length === 2);
    expect(nodes.map(({ owned }) => owned.map(({ cidr }) => cidr))).toEqual([[first.cidr], [other.cidr]]);
    const entry = await store.get(SUBNETS + first.cidr);
    await until('the new fence known', () => nodes[0].owned[0].fence === entry?.revision);
    for (const node of nodes) node.close();
    await session.stop({ leave: true });
    expect(await store.get('cluster/alive/k1')).toBeUndefined();
  });

  it('lets many nodes race for subnets, and none has what another has', async () => {
    const sessions = await Promise.all(Array.from({ length: 12 }, () => open()));
    const nodes = sessions.map(
      (store, index) =>
        new SubnetLeases({
          store,
          node: `k${index}`,
          uid: `u${index}`,
          clusterCidrs: ['10.244.0.0/16', 'fd00::/48'],
        }),
    );
    const got = await Promise.all(nodes.map((node) => node.acquire()));
    expect(new Set(got.flat().map(({ cidr }) => cidr)).size).toBe(24);
  });

  it('lists more than a page as of one revision, while others write', async () => {
    const [store, writer] = [await open({ page: 100 }), await open()];
    const keys = Array.from({ length: 1050 }, (_, index) => `n/${String(index).padStart(5, '0')}`);
    for (let at = 0; at < keys.length; at += 500) {
      await Promise.all(keys.slice(at, at + 500).map((key) => store.put(key, key)));
    }
    let writing = true;
    const writes = (async () => {
      while (writing) await writer.put('n/99999', 'moving');
    })();
    for (let turn = 0; turn < 5; turn++) {
      const { entries, revision } = await store.list('n/');
      expect(entries.filter(({ key }) => key !== 'n/99999').map(({ key }) => key)).toEqual(keys);
      for (const entry of entries) expect(entry.revision).toBeLessThanOrEqual(revision);
    }
    writing = false;
    await writes;
  });

  it('is refused where its answer cannot be had or its URL is none', async () => {
    const bad = (urls: string[]) => EtcdStore.open({ urls, timeoutMs: 300 });
    await expect(bad([])).rejects.toMatchObject({ code: 'INVALID' });
    await expect(bad(['localhost:2379'])).rejects.toMatchObject({ code: 'INVALID' });
    await expect(bad(['http://a:1', 'https://b:2'])).rejects.toMatchObject({ code: 'INVALID' });
    await expect(bad(['http://user:pass@a:1'])).rejects.toMatchObject({ code: 'UNSUPPORTED' });
    await expect(bad(['http://a:1/path'])).rejects.toMatchObject({ code: 'INVALID' });
    await expect(bad(['http://127.0.0.1:1'])).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    // The first member is dead, the second answers.
    const store = await open({ urls: ['http://127.0.0.1:1', etcd.url] });
    for (let turn = 0; turn < 10; turn++) await store.put('a', turn);
  });

  const built = new URL('../../../../dist/src/control/store/etcd.js', import.meta.url);
  it.skipIf(!existsSync(built))('keeps no process alive that has closed its store', async () => {
    const child = spawn(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `import { EtcdStore } from ${JSON.stringify(built.href)};
         const store = await EtcdStore.open({ urls: [${JSON.stringify(etcd.url)}] });
         await store.watch({ prefix: '', after: (await store.list('')).revision, onChange: () => {} });
         const lease = await store.grant(5000);
         await lease.renew();
         await store.put('a', 1, undefined, lease);
         await store.close();
         process.stdout.write('closed');`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const exit = once(child, 'exit');
    let text = '';
    for await (const chunk of child.stdout) text += chunk;
    const timer = setTimeout(() => child.kill('SIGKILL'), 15_000);
    expect([await exit, text]).toEqual([[0, null], 'closed']);
    clearTimeout(timer);
  });
});

const openssl = !spawnSync('openssl', ['version']).error;
if (!openssl) console.log('skipped: openssl is not installed');

it.skipIf(missing || !openssl)('etcd over TLS, with client certificates', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'podwire-tls-'));
  const file = (name: string) => join(directory, name);
  const run = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  let etcd: TestEtcd | undefined;
  try {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1'];
    run('req', '-x509', ...key, '-subj', '/CN=ca', '-keyout', file('ca.key'), '-out', file('ca.crt'));
    run('req', ...key, '-subj', '/CN=etcd', '-keyout', file('a.key'), '-out', file('a.csr'));
    await writeFile(file('ext'), 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n');
    const ca = ['-CA', file('ca.crt'), '-CAkey', file('ca.key'), '-CAcreateserial', '-extfile', file('ext')];
    run('x509', '-req', '-in', file('a.csr'), ...ca, '-days', '1', '-out', file('a.crt'));
    etcd = await TestEtcd.start({ tls: { ca: file('ca.crt'), cert: file('a.crt'), key: file('a.key') } });
    const [caPem, cert, keyPem] = await Promise.all(
      ['ca.crt', 'a.crt', 'a.key'].map((name) => readFile(file(name))),
    );
    const store = await EtcdStore.open({ urls: [etcd.url], tls: { ca: caPem, cert, key: keyPem } });
    await store.put('a', 1);
    expect((await store.get('a'))?.value).toBe(1);
    await store.close();
    const without = EtcdStore.open({ urls: [etcd.url], tls: { ca: caPem }, timeoutMs: 1000 });
    await expect(without).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
    const untrusted = EtcdStore.open({ urls: [etcd.url], timeoutMs: 1000 });
    await expect(untrusted).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
  } finally {
    await etcd?.stop();
    await rm(directory, { recursive: true, force: true });
  }
});
