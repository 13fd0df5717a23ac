/**
 * The disk of the data directory is full: what cannot be recorded is not done, the log and STATUS say so, and all is well
 * when there is room again.
 */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DaemonBench, missingForDaemon, outcome } from './daemon-support.js';

const missing = missingForDaemon();
if (missing) console.log(`skipped: a full disk needs ${missing}`);

const DISK = '1m';
const PAGE = Buffer.alloc(4096);
/** Free pages of the store take some pods; a page holds a few. */
const MOST_PODS = 40;

/** Writes until nothing more can be written. */
function fill(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (;;) writeSync(file, PAGE);
  } catch (error) {
    expect(error).toMatchObject({ code: 'ENOSPC' });
  } finally {
    closeSync(file);
  }
}

describe.skipIf(missing)(`a full disk [${missing ?? 'namespaces'}]`, () => {
  const bench = new DaemonBench();
  const filler = join(bench.data, 'filler');

  beforeAll(async () => {
    mkdirSync(bench.data, { mode: 0o700 });
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${DISK},mode=700`, 'none', bench.data]);
    bench.namespace('host');
    await bench.start();
    await bench.pod('a');
    await bench.pod('b');
  });
  afterAll(async () => {
    execFileSync('umount', ['--lazy', bench.data]);
    await bench.cleanup();
  });

  const cniStatus = async () => outcome(await bench.call('GET', '/v1/cni/status'));
  const degraded = async () => (await bench.call<{ degraded?: string }>('GET', '/readyz')).body.degraded;
  const pods = async () => (await bench.call<{ items: unknown[] }>('GET', '/v1/pods')).body.items.length;

  it('fails an attach and undoes it, is told by STATUS, /readyz and the log, and passes', async () => {
    expect([await cniStatus(), await degraded()]).toEqual(['200', undefined]);
    fill(filler);
    const outcomes: string[] = [];
    for (let index = 0; index < MOST_PODS && outcomes.at(-1) !== '500 STORE_FAILED'; index++) {
      bench.namespace(`p${index}`);
      outcomes.push(outcome(await bench.attach(`p${index}`)));
    }
    expect(outcomes.at(-1)).toBe('500 STORE_FAILED');
    const refused = `p${outcomes.length - 1}`;
    expect(bench.links(refused).map(({ ifname }) => ifname)).toEqual(['lo']);
    expect(await pods()).toBe(2 + outcomes.length - 1);
    expect(await bench.ping('a', '10.244.0.4')).toBe(true);
    expect(await cniStatus()).toBe('500 STORE_FAILED');
    expect(await degraded()).toContain('cannot write');
    expect(bench.log).toContain('"code":"STORE_FAILED"');

    rmSync(filler);
    expect([await cniStatus(), await degraded()]).toEqual(['200', undefined]);
    expect(outcome(await bench.attach(refused))).toBe('200');
  });
});
