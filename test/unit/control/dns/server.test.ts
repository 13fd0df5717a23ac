/** The server's sockets: TCP in one piece, in many, all at once, too long, unread; and addresses that cannot be had. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { decode } from 'dns-packet';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { SERVER_LIMITS } from '../../../../src/control/dns/server.js';
import { type Dns, startDns } from '../../../../src/control/dns/start.js';
import { PodwireError } from '../../../../src/control/errors.js';
import { question } from '../../../support/dns-ask.js';
import { clusterRecords } from '../../../support/dns-records.js';
import { address, isTest, say, upstreamOf } from '../../../support/dns-upstream.js';

const LOCAL = { address: '127.0.0.1', port: 0 } as const;
const WEB = 'web.default.svc.cluster.local';

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'podwire-dns-'));
  onTestFinished(() => rm(path, { recursive: true }));
  return path;
}

async function started(upstreamPort?: number): Promise<{ dns: Dns; resolvConf: string }> {
  const resolvConf = join(await folder(), 'resolv.conf');
  writeFileSync(resolvConf, upstreamPort === undefined ? '' : 'nameserver 127.0.0.1\n');
  const dns = await startDns({ view: clusterRecords(), listen: [LOCAL], resolvConf, upstreamPort });
  onTestFinished(() => dns.close());
  return { dns, resolvConf };
}

function opened({ listening: [{ port }] }: Dns): Socket {
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  onTestFinished(() => {
    socket.destroy();
  });
  return socket;
}

function framed(message: Buffer): Buffer {
  return Buffer.concat([Buffer.of(message.length >> 8, message.length & 0xff), message]);
}

/** Ids of the answers that come, until there are so many. */
async function idsOf(socket: Socket, count: number): Promise<number[]> {
  const ids: number[] = [];
  let rest = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length > 2 && rest.length >= 2 + rest.readUInt16BE(0)) {
      ids.push(decode(rest.subarray(2, 2 + rest.readUInt16BE(0))).id ?? -1);
      rest = rest.subarray(2 + rest.readUInt16BE(0));
    }
  });
  await vi.waitFor(() => expect(ids.length).toBe(count), { timeout: 60_000, interval: 20 });
  return ids;
}

const range = (count: number) => Array.from({ length: count }, (_, index) => index);

describe('over TCP', () => {
  it('many questions at once are all answered, more than may be under way', async () => {
    const { dns } = await started();
    const socket = opened(dns);
    socket.write(Buffer.concat(range(300).map((id) => framed(question(WEB, 'A', { id })))));
    expect((await idsOf(socket, 300)).sort((a, b) => a - b)).toEqual(range(300));
  });

  it('questions that wait do not hold up those that need not; all are answered after the client has ended', async () => {
    const upstream = await upstreamOf((one) => (isTest(one) ? [] : [say(one)]));
    const { dns } = await started(upstream.port);
    const socket = opened(dns);
    const closed = once(socket, 'close');
    const ids = idsOf(socket, 3);
    const names = ['slow.test', WEB, WEB];
    socket.end(Buffer.concat(names.map((name, id) => framed(question(name, 'A', { id })))));
    await vi.waitFor(() => expect(upstream.asked.filter(isTest).length).toBeGreaterThan(0), 60_000);
    upstream.answerLate((one) => say(one, [address(one, 9)]));
    expect(await ids).toEqual([1, 2, 0]);
    await closed;
  });

  it('a question may come octet by octet', async () => {
    const { dns } = await started();
    const socket = opened(dns).setNoDelay(true);
    const ids = idsOf(socket, 1);
    for (const octet of framed(question(WEB, 'A', { id: 5 }))) {
      socket.write(Buffer.of(octet));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await ids).toEqual([5]);
  });

  it('a question that is too long ends the connection', async () => {
    const { dns } = await started();
    const socket = opened(dns);
    socket.write(Buffer.from('ffff0000', 'hex'));
    await once(socket, 'close');
  });

  it('who does not read is not read from', async () => {
    const { dns } = await started();
    const socket = opened(dns).pause();
    const burst = Buffer.concat(
      range(2000).map((id) => framed(question('crowd.default.svc.cluster.local', 'A', { id }))),
    );
    for (let turn = 0; turn < 4; turn++) socket.write(burst);
    let before = -1;
    // Until no more questions are taken.
    await vi.waitFor(
      () => {
        const { questions } = dns.server.counters;
        const same = questions === before;
        before = questions;
        expect(same && questions > 0).toBe(true);
      },
      { timeout: 60_000, interval: 500 },
    );
    expect(before).toBeLessThan(8000);
  });

  it('one client has a bounded number of connections', async () => {
    const { dns } = await started();
    const sockets = range(SERVER_LIMITS.connectionsOfClient + 10).map(() => opened(dns));
    const closed = sockets.map((socket) => once(socket, 'close').then(() => socket));
    const over = await Promise.race(closed);
    expect(over.destroyed).toBe(true);
    await vi.waitFor(() => expect(sockets.filter(({ destroyed }) => destroyed).length).toBe(10), 60_000);
  });
});

describe('a server', () => {
  it('that cannot have its address says so and listens nowhere', async () => {
    const taken = createServer().listen(0, '127.0.0.1');
    await once(taken, 'listening');
    onTestFinished(() => {
      taken.close();
    });
    const { port } = taken.address() as { port: number };
    const free = createServer().listen(0, '127.0.0.1');
    await once(free, 'listening');
    const { port: freePort } = free.address() as { port: number };
    free.close();
    const listen = [
      { address: '127.0.0.1', port: freePort },
      { address: '127.0.0.1', port },
    ];
    const resolvConf = join(await folder(), 'none');
    const failure = await startDns({ view: clusterRecords(), listen, resolvConf }).catch(
      (error: unknown) => error,
    );
    expect(failure).toBeInstanceOf(PodwireError);
    expect(failure).toMatchObject({
      code: 'DNS_LISTEN_FAILED',
      message: expect.stringContaining('EADDRINUSE'),
    });
    const again = createServer().listen(freePort, '127.0.0.1');
    await once(again, 'listening');
    again.close();
  });

  it('moves to other addresses, and stays where it is if it cannot', async () => {
    const { dns } = await started();
    const [before] = dns.listening;
    const other = { address: '127.0.0.3', port: 0 };
    const foreign = { address: '192.0.2.1', port: 0 };
    await expect(dns.move([other, foreign])).rejects.toMatchObject({ code: 'DNS_LISTEN_FAILED' });
    expect(dns.listening).toEqual([before]);
    await dns.move([{ address: before.address, port: 0 }, other]);
    expect(dns.listening).toEqual([before, { address: '127.0.0.3', port: expect.any(Number) }]);
    const connected = opened(dns);
    await once(connected, 'connect');
    await dns.move([other]);
    expect(dns.listening).toHaveLength(1);
    const refused = connect(before.port, before.address);
    const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException];
    expect(error.code).toBe('ECONNREFUSED');
    // A question that came over a connection of before is answered.
    connected.write(framed(question(WEB, 'A')));
    expect(await idsOf(connected, 1)).toHaveLength(1);
  });

  it('follows resolv.conf, and forgets what the servers before said', async () => {
    const upstream = await upstreamOf((one) => [say(one, [address(one, 3)])]);
    const { dns, resolvConf } = await started(upstream.port);
    const ask = async () => {
      const socket = opened(dns);
      socket.write(framed(question('www.example.test', 'A')));
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      return chunk.readUInt16BE(4) & 15;
    };
    expect(await ask()).toBe(0);
    writeFileSync(resolvConf, '# nobody\n');
    await vi.waitFor(async () => expect(await ask()).toBe(2), { timeout: 60_000, interval: 500 });
  });
});
