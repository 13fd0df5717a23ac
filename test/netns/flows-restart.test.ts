/**
 * Connections that outlive the daemon, where only the server speaks:
 *
 *     client ─ eth0 ─┐                  ┌─ eth0 ─ server: may be called at 7000 by `app: client`, and may call nobody
 *     other  ─ eth0 ─┴─ podwire daemon ─┘
 *
 * The server sends a number every fifth of a second, and never reads. So after a restart its packet is the first that the daemon sees
 * of the connection: without its flow it is refused, as the server may not open one, or not translated, and then reset.
 */
import type { ChildProcess } from 'node:child_process';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { StatusAnswer } from '../../src/control/api/types.js';
import { missingPrograms, spawnIn } from '../support/netns-programs.js';
import { DaemonBench, missingForDaemon, outcome, sleep, until } from './daemon-support.js';

const missing = missingForDaemon() ?? missingPrograms('python3');

/** Counts for whoever calls, by TCP and UDP, and prints who does. */
const SERVER = `
import socket, threading, time
def count(send):
    n = 0
    try:
        while True:
            n += 1
            send(b'%d\\n' % n)
            time.sleep(0.2)
    except OSError as e: print('ended', e, flush=True)
def tcp():
    s = socket.create_server(('::', 7000), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
    while True:
        c, peer = s.accept()
        print('tcp', peer[0].replace('::ffff:', ''), flush=True)
        threading.Thread(target=count, args=(c.sendall,), daemon=True).start()
threading.Thread(target=tcp, daemon=True).start()
u = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
u.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
u.bind(('::', 7000))
print('ready', flush=True)
while True:
    data, peer = u.recvfrom(100)
    print('udp', peer[0].replace('::ffff:', ''), flush=True)
    threading.Thread(target=count, args=(lambda b, p=peer: u.sendto(b, p),), daemon=True).start()
`;

/** Calls, and prints what comes. */
const CLIENT = `
import socket, sys
kind, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ':' in host else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM if kind == 'udp' else socket.SOCK_STREAM)
# A port below the server's, so that it seems to be the server who calls.
if len(sys.argv) > 4: s.bind(('', int(sys.argv[4])))
s.connect((host, port))
if kind == 'udp': s.send(b'go')
while True:
    data = s.recv(65536)
    if not data: break
    sys.stdout.write(data.decode())
    sys.stdout.flush()
`;

/** Calls again and again, a new connection each time. */
const KNOCKER = `
import socket, sys, time
print('ready', flush=True)
while True:
    s = socket.socket(socket.AF_INET)
    s.settimeout(0.3)
    try: s.connect((sys.argv[1], 7000)); print('connected', flush=True)
    except OSError: time.sleep(0.05)
    s.close()
`;

class Program {
  text = '';
  constructor(readonly child: ChildProcess) {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (chunk: Buffer) => {
        this.text += chunk.toString();
      });
    }
  }

  /** The last number that came. */
  get last(): number {
    return Number(/(\d+)\n$/.exec(this.text)?.[1] ?? 0);
  }

  get isOver(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }
}

let bench: DaemonBench;
let programs: Program[];
beforeEach(() => {
  bench = new DaemonBench();
  programs = [];
  bench.namespace('host');
});
afterEach(async ({ task }) => {
  if (task.result?.state === 'fail')
    console.log(
      bench.log,
      programs.map(({ text }) => text.slice(-300)),
    );
  for (const { child } of programs) child.kill('SIGKILL');
  await bench.cleanup();
});

function run(who: string, program: string, ...words: string[]): Program {
  const one = new Program(spawnIn(bench.name(who), 'python3', '-u', '-c', program, ...words));
  programs.push(one);
  return one;
}

async function put(path: string, body: object): Promise<void> {
  const answer = await bench.call('PUT', path, body);
  expect(Number(outcome(answer)), `${path} ${JSON.stringify(answer.body)}`).toBeLessThan(300);
}

const from = (app: string) => [{ podSelector: { matchLabels: { app } } }];
function policy(name: string, app: string): Promise<void> {
  return put(`/v1/networkpolicies/default/${name}`, {
    ...{
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name, namespace: 'default' },
    },
    spec: {
      podSelector: { matchLabels: { app: 'server' } },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ from: from(app), ports: ['TCP', 'UDP'].map((protocol) => ({ protocol, port: 7000 })) }],
    },
  });
}

/** Whether each has something more within the time. */
async function goesOn(clients: readonly Program[]): Promise<void> {
  const before = clients.map(({ last }) => last);
  await until(
    () => clients.every(({ last }, i) => last > before[i] + 2) || clients.some(({ isOver }) => isOver),
  );
  for (const [i, { last, text, isOver }] of clients.entries()) {
    expect(last, `connection ${i}: ${text.slice(-200)}`).toBeGreaterThan(before[i] + 2);
    expect(isOver).toBe(false);
  }
}

async function restoredFlows(): Promise<number> {
  return (await bench.call<StatusAnswer>('GET', '/v1/status')).body.restoredFlows;
}

describe.skipIf(missing).each([
  ['uring', '1'],
  ['poll', '2'],
])(
  `connections over a restart, with --io %s --workers %s${missing ? ` (needs ${missing})` : ''}`,
  (io, workers) => {
    it('go on, through a service and under a policy, where only the server sends; and none that is forbidden', async () => {
      const flags = ['--io', io, '--workers', workers];
      const first = await bench.start(flags);
      const server = await bench.pod('server', { labels: { app: 'server' } });
      await bench.pod('client', { labels: { app: 'client' } });
      await bench.pod('other', { labels: { app: 'other' } });
      await policy('client', 'client');
      await policy('other', 'other');
      await put('/v1/services/default/counter', {
        ...{ apiVersion: 'v1', kind: 'Service', metadata: { name: 'counter', namespace: 'default' } },
        spec: {
          ipFamilyPolicy: 'RequireDualStack',
          selector: { app: 'server' },
          ports: ['TCP', 'UDP'].map((protocol) => ({
            name: protocol.toLowerCase(),
            protocol,
            port: 70,
            targetPort: 7000,
          })),
        },
      });
      const { body } = await bench.call<{ spec: { clusterIPs: string[] } }>(
        'GET',
        '/v1/services/default/counter',
      );
      const vips = body.spec.clusterIPs;
      const counter = run('server', SERVER);
      expect(await until(() => counter.text.includes('ready'))).toBe(true);
      const clients = [
        ...vips.map((ip) => run('client', CLIENT, 'tcp', ip, '70')),
        ...vips.map((ip) => run('client', CLIENT, 'udp', ip, '70')),
        ...server.ips.map((ip, i) => run('client', CLIENT, 'tcp', ip, '7000', `${6000 + i}`)),
      ];
      const other = run('other', CLIENT, 'tcp', server.ips[0], '7000', '6000');
      await goesOn([...clients, other]);
      // Until an answered datagram's connection is a stream, which is what is kept of one while the daemon runs.
      await sleep(2100);

      expect(await bench.end(first, 'SIGTERM')).toBe(0);
      const stopped = Date.now();
      const second = await bench.start(flags);
      await goesOn([...clients, other]);
      expect(await restoredFlows()).toBeGreaterThanOrEqual(clients.length + 1);

      // It is saved once more as soon as it is ready. What is forbidden from now on is allowed in that file.
      const file = join(bench.data, 'flows');
      expect(await until(() => statSync(file).mtimeMs > stopped)).toBe(true);
      expect((await bench.call('DELETE', '/v1/networkpolicies/default/other')).status).toBe(200);
      const calls = () => counter.text.split('\n').filter((line) => line.startsWith('tcp')).length;
      const [called, told] = [calls(), other.last];
      const knocker = run('other', KNOCKER, server.ips[0]);
      expect(await until(() => knocker.text.includes('ready'))).toBe(true);
      await bench.end(second, 'SIGKILL');
      await bench.start(flags);
      await goesOn(clients);
      expect(await restoredFlows()).toBeGreaterThanOrEqual(clients.length + 1);
      expect(knocker.text).not.toContain('connected');
      expect(other.last, 'what is forbidden now').toBeLessThanOrEqual(told + 1);
      expect(calls()).toBe(called);
    });
  },
);
