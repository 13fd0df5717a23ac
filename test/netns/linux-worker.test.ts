/**
 *     worker thread ── TAP fd ══ eth0 10.99.0.1/24 ── socket of this test, in the namespace
 *       ▲ eventfd ends it
 *
 * The data plane's life in a worker thread: it takes a TAP up in another namespace, blocks in io_uring, sends
 * packets back, and is stopped by an eventfd. The kernel counts what it sees.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { closeEventfd, createEventfd, signalEventfd } from '../../src/linux/eventfd.js';
import { probeIoUring } from '../../src/linux/io-uring.js';
import { namespaceIdentity, withNamespace } from '../../src/linux/netns.js';
import { closeTap, openTap, setPersistent } from '../../src/linux/tun.js';
import { freshNamespace, ip, isRoot, link } from './linux-support.js';
import type { EchoOptions } from './linux-worker.js';

const script = fileURLToPath(new URL('../../dist/test/netns/linux-worker.js', import.meta.url));
const runnable = isRoot && probeIoUring().available && existsSync(script);
if (!existsSync(script)) console.log('skipped: the worker thread runs from dist/, npm run build makes it');

/** Sends ten datagrams of 1000 bytes, each 1042 on the wire of the TAP. */
const SENDER = `
  const socket = require('node:dgram').createSocket('udp4');
  let left = 10;
  const done = () => { if (--left === 0) socket.close(); };
  for (let i = 0; i < 10; i++) socket.send(Buffer.alloc(1000), 9, '10.99.0.2', done);
`;

describe.skipIf(!runnable)('in a worker thread', () => {
  it('forwards while blocked in io_uring, until an eventfd ends it', async () => {
    const namespace = freshNamespace();
    const tap = withNamespace(namespace, () => openTap({ name: 'eth0', mode: 'create' }));
    setPersistent(tap.fd, true);
    closeTap(tap);
    ip('-n', namespace, 'addr', 'add', '10.99.0.1/24', 'dev', 'eth0');
    ip('-n', namespace, 'link', 'set', 'eth0', 'up');
    ip('-n', namespace, 'neigh', 'add', '10.99.0.2', 'lladdr', '02:00:00:00:00:02', 'dev', 'eth0');

    const stopFd = createEventfd();
    const memory = new WebAssembly.Memory({ initial: 4, maximum: 4, shared: true });
    const workerData: EchoOptions = { namespace, tap: 'eth0', stopFd, memory };
    const home = namespaceIdentity();
    const worker = new Worker(script, { workerData });
    expect(await once(worker, 'message')).toEqual(['ready']);
    execFileSync('ip', ['netns', 'exec', namespace, process.execPath, '-e', SENDER]);
    // The thread may be given no time for a while on a busy machine.
    await expect.poll(() => link(namespace, 'eth0')!.stats64.rx.packets, { timeout: 10_000 }).toBe(10);
    expect(link(namespace, 'eth0')!.stats64).toMatchObject({ tx: { packets: 10 }, rx: { bytes: 10 * 1042 } });
    signalEventfd(stopFd);
    expect(await once(worker, 'message')).toEqual([{ echoed: 10, cameHome: true }]);
    await once(worker, 'exit');
    expect(namespaceIdentity()).toBe(home);
    closeEventfd(stopFd);
  });
});
