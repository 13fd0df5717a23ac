/**
 * Published ports with packets: a program in a pod answers at the node's ports, and sees its clients' own addresses.
 *
 *     client 10.244.0.4 ── podwire ── 192.0.2.5:8080, an address of the node's ──> web 10.244.0.3:80
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AttachAnswer } from '../../src/control/api/types.js';
import { DaemonBench, missingForDaemon } from './daemon-support.js';

const missing = missingForDaemon();

/** Answers each TCP connection and each datagram with its sender's address. */
const ECHO = `
  const net = require('net'), udp = require('dgram').createSocket('udp6');
  const plain = (text) => text.replace(/^::ffff:/, '');
  udp.on('message', (_, from) => udp.send(plain(from.address), from.port, from.address));
  udp.bind(53, '::', () => net.createServer((one) => one.end(plain(one.remoteAddress))).listen(80, '::', () => console.log('up')));
`;

/** Prints what a connection or a datagram is answered. */
const ASK = `
  const [, kind, host, port] = process.argv;
  const say = (text) => { console.log(String(text)); process.exit(0); };
  setTimeout(() => say('silence'), 20_000);
  if (kind === 'tcp') {
    let heard = '';
    const socket = require('net').connect(Number(port), host);
    socket.on('data', (data) => (heard += data)).on('end', () => say(heard)).on('error', (error) => say(error.code));
  } else {
    const socket = require('dgram').createSocket(host.includes(':') ? 'udp6' : 'udp4');
    socket.on('message', say).on('error', (error) => say(error.code));
    socket.connect(Number(port), host, () => socket.send('?', (error) => error && say(error.code)));
  }
`;

describe.skipIf(missing)('a published port', () => {
  let bench: DaemonBench;
  let client: AttachAnswer;
  let server: ChildProcess;
  const node = ['192.0.2.5', '2001:db8::5'];
  const inside = (short: string, ...args: string[]): string[] => [
    'netns',
    'exec',
    bench.name(short),
    ...args,
  ];
  const ask = (short: string, kind: 'tcp' | 'udp', host: string, port: number): string =>
    execFileSync('ip', inside(short, process.execPath, '-e', ASK, kind, host, String(port)), {
      encoding: 'utf8',
    }).trim();

  beforeAll(async () => {
    bench = new DaemonBench();
    bench.namespace('host');
    bench.namespace('outside');
    bench.ip(
      'host',
      'link',
      'add',
      'wan',
      'type',
      'veth',
      'peer',
      'name',
      'lan',
      'netns',
      bench.name('outside'),
    );
    bench.ip('host', 'address', 'add', '192.0.2.5/24', 'dev', 'wan');
    bench.ip('host', 'address', 'add', '2001:db8::5/64', 'dev', 'wan', 'nodad');
    bench.ip('outside', 'address', 'add', '192.0.2.9/24', 'dev', 'lan');
    bench.ip('outside', 'address', 'add', '2001:db8::9/64', 'dev', 'lan', 'nodad');
    bench.ip('host', 'link', 'set', 'wan', 'up');
    bench.ip('outside', 'link', 'set', 'lan', 'up');
    await bench.start();
    await bench.pod('web', {
      publish: [
        { hostPort: 8080, containerPort: 80 },
        { hostPort: 5353, containerPort: 53, protocol: 'UDP' },
      ],
    });
    client = await bench.pod('client');
    server = spawn('ip', inside('web', process.execPath, '-e', ECHO), {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    if (server.stdout) await once(server.stdout, 'data');
  });
  afterAll(() => {
    server?.kill('SIGKILL');
    return bench.cleanup();
  });

  it('answers another pod at the node’s addresses, by TCP and UDP, over IPv4 and IPv6', () => {
    for (const [index, address] of node.entries()) {
      expect(ask('client', 'tcp', address, 8080)).toBe(client.ips[index]);
      expect(ask('client', 'udp', address, 5353)).toBe(client.ips[index]);
    }
  });

  it('answers the pod itself, which sees the gateway', () => {
    expect(ask('web', 'tcp', node[0], 8080)).toBe('10.244.0.1');
    expect(ask('web', 'udp', node[1], 5353)).toBe('fd00:10:244::1');
  });

  it('answers machines outside, and the host, and tells the program who asks', () => {
    expect(ask('outside', 'tcp', node[0], 8080)).toBe('192.0.2.9');
    expect(ask('outside', 'tcp', node[1], 8080)).toBe('2001:db8::9');
    expect(ask('outside', 'udp', node[0], 5353)).toBe('192.0.2.9');
    expect(ask('outside', 'udp', node[1], 5353)).toBe('2001:db8::9');
    expect(ask('host', 'tcp', '127.0.0.1', 8080)).not.toMatch(/[A-Z]|silence/);
    expect(ask('outside', 'tcp', node[0], 8079)).toBe('ECONNREFUSED');
  });

  it('comes and goes while they run', async () => {
    const ports = [{ hostPort: 8081, containerPort: 80 }];
    expect(ask('client', 'tcp', node[0], 8081)).toBe('ECONNREFUSED');
    await bench.call('POST', '/v1/pods/default/web/ports', { ports });
    expect(ask('client', 'tcp', node[0], 8081)).toBe(client.ips[0]);
    await bench.call('POST', '/v1/pods/default/web/ports/remove', { ports });
    expect(ask('client', 'tcp', node[0], 8081)).toBe('ECONNREFUSED');
  });
});
