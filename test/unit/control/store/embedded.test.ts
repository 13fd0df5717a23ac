/** The embedded store under the shared suite, and what is its own: a kill at any moment, a file that is none. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { open } from 'lmdb';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { EmbeddedStore } from '../../../../src/control/store/embedded.js';
import type { Store } from '../../../../src/control/store/store.js';
import { storeConformance } from '../../../conformance/store.js';
import { settle, VirtualClock } from '../../../support/virtual-clock.js';

let directory: string;
let file: string;
let made = 0;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'podwire-store-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

const HISTORY = 20;

storeConformance('embedded', {
  history: HISTORY,
  fresh: async () => {
    file = join(directory, `${made++}.mdb`);
  },
  open: async () => EmbeddedStore.open(file, { history: HISTORY }),
  // One process has the file to itself, and one object in it: this is that object, and only its close is not.
  beside: async (first) => Object.assign(Object.create(first) as Store, { close: async () => {} }),
});

it('gives every lease its whole time again when it is opened anew, and ends it then', async () => {
  const path = join(directory, 'leases.mdb');
  const [first, second] = [new VirtualClock(), new VirtualClock()];
  let store = EmbeddedStore.open(path, { clock: first });
  const lease = await store.grant(15_000);
  await store.put('alive/a', 1, undefined, lease);
  await first.advance(14_000);
  await store.close();
  store = EmbeddedStore.open(path, { clock: second });
  await second.advance(14_000);
  expect(await store.get('alive/a')).toBeDefined();
  await store.lease(lease.id, lease.ttlMs).renew();
  await second.advance(14_999);
  expect(await store.get('alive/a')).toBeDefined();
  await second.advance(2);
  expect(await store.get('alive/a')).toBeUndefined();
  await store.close();
  store = EmbeddedStore.open(path, { clock: second });
  await expect(store.lease(lease.id, lease.ttlMs).renew()).rejects.toMatchObject({ code: 'LEASE_EXPIRED' });
  await store.close();
});

it('ends no lease because the process stood still: nobody could have renewed', async () => {
  const clock = new VirtualClock();
  const store = EmbeddedStore.open(join(directory, 'still.mdb'), { clock });
  const lease = await store.grant(15_000);
  await store.put('alive/a', 1, undefined, lease);
  clock.stall(3_600_000);
  await clock.advance(14_000);
  expect(await store.get('alive/a')).toBeDefined();
  await clock.advance(1_001);
  expect(await store.get('alive/a')).toBeUndefined();
  await store.close();
});

it('ends leases by its own time, whatever is done to the clock on the wall', async () => {
  const clock = new VirtualClock();
  const store = EmbeddedStore.open(join(directory, 'wall.mdb'), { clock });
  await store.put('alive/a', 1, undefined, await store.grant(15_000));
  const wall = Date.now;
  try {
    Date.now = () => wall() + 86_400_000;
    await clock.advance(14_000);
    expect(await store.get('alive/a')).toBeDefined();
    Date.now = () => wall() - 86_400_000;
    await clock.advance(1_001);
    expect(await store.get('alive/a')).toBeUndefined();
  } finally {
    Date.now = wall;
    await settle();
    await store.close();
  }
});

it('reads a file of an earlier format, which then is of this one, and refuses one of a later', async () => {
  const path = join(directory, 'formats.mdb');
  const setFormat = async (format: number): Promise<void> => {
    const root = open({ path, noSubdir: true, encoding: 'json' });
    await root.openDB({ name: 'meta' }).put('format', format);
    await root.close();
  };
  await EmbeddedStore.open(path).close();
  await setFormat(1);
  await EmbeddedStore.open(path).close();
  const root = open({ path, noSubdir: true, encoding: 'json' });
  expect(root.openDB({ name: 'meta' }).get('format')).toBe(2);
  await root.close();
  await setFormat(3);
  expect(() => EmbeddedStore.open(path)).toThrow(/of format 3; this podwire reads 1 to 2/);
});

it('says what is wrong with a file that is no store', async () => {
  const path = join(directory, 'garbage.mdb');
  await writeFile(path, Buffer.alloc(8192, 'not a database'));
  expect(() => EmbeddedStore.open(path)).toThrow(expect.objectContaining({ code: 'STORE_FAILED' }));
});

const built = new URL('../../../../dist/src/control/store/embedded.js', import.meta.url);
if (!existsSync(built))
  console.log('skipped: the process to be killed runs from dist/; npm run build makes it');

it.skipIf(!existsSync(built))(
  'keeps what a put has returned when the process is killed the moment after',
  async () => {
    const path = join(directory, 'killed.mdb');
    const child = spawn(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `import { EmbeddedStore } from ${JSON.stringify(built.href)};
       const store = EmbeddedStore.open(${JSON.stringify(path)});
       for (let n = 1; ; n++) { await store.put('n', n); process.stdout.write(n + '\\n'); }`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let written = '';
    for await (const chunk of child.stdout) {
      written += chunk;
      if (written.split('\n').length > 30) break;
    }
    child.kill('SIGKILL');
    await once(child, 'exit');
    const last = Number(written.trimEnd().split('\n').at(-1));
    const store = EmbeddedStore.open(path);
    const entry = await store.get('n');
    expect(entry?.value).toBeGreaterThanOrEqual(last);
    expect(entry?.revision).toBe(entry?.value);
    expect((await store.list('')).revision).toBe(entry?.revision);
    await store.close();
  },
);
