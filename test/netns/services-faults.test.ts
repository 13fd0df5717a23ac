/**
 * What goes wrong with services while they are used (services-support.ts has the picture): endpoints that go, services that are
 * deleted, floods, a daemon that is killed. Clients and servers are programs that keep a connection and say what becomes of it.
 */
import type { ChildProcess } from 'node:child_process';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { outcome, until } from './daemon-support.js';
import { FAMILIES, type Family, missingForServices, ServiceWorld } from './services-support.js';

const missing = missingForServices;
const MAX_FLOWS = 1024;
const PORTS = [
  { name: 'line', port: 70, targetPort: 7000 },
  { name: 'echo', port: 50, targetPort: 5000, protocol: 'UDP' },
];

/** Answers each line with its name. */
const SERVE_LINES = `
import socket, sys, threading
s = socket.create_server(('::', 7000), family=socket.AF_INET6, dualstack_ipv6=True, backlog=1024)
def serve(c):
    try:
        for line in c.makefile('r'): c.sendall((sys.argv[1] + '\\n').encode())
    except OSError: pass
print('up', flush=True)
while True:
    c, _ = s.accept()
    threading.Thread(target=serve, args=(c,), daemon=True).start()
`;

/** Keeps one connection, or one socket for datagrams, asks ten times a second, and prints each answer and what ends it. */
const KEEP_ASKING = `
import errno, socket, sys, time
kind, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
s = socket.socket(socket.AF_INET6 if ':' in host else socket.AF_INET, getattr(socket, kind))
s.settimeout(60 if kind == 'SOCK_STREAM' else 1)
try:
    s.connect((host, port))
    for i in range(900):
        try:
            s.send(b'?\\n')
            said = s.recv(1000)
            if not said: break
            print(said.decode().split()[0], flush=True)
        except socket.timeout: print('silence', flush=True)
        time.sleep(0.1)
    print('closed', flush=True)
except OSError as e: print(errno.errorcode.get(e.errno, str(e)), flush=True)
`;

/** Begins connections and leaves them, each from a port of its own. */
const FLOOD = `
import socket, sys
host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sockets = []
for i in range(count):
    s = socket.socket()
    s.setblocking(False)
    try: s.connect((host, port))
    except OSError: pass
    s.close()
print('sent')
`;

class Asker {
  readonly heard: string[] = [];

  constructor(readonly child: ChildProcess) {
    // A line and its end may come one after the other.
    child.stdout?.on('data', (chunk: Buffer) => {
      this.heard.push(...chunk.toString().split('\n').filter(Boolean));
    });
  }

  get last(): string | undefined {
    return this.heard.at(-1);
  }

  /** Whether it ends with one of these. */
  ends(...words: string[]): Promise<boolean> {
    return until(() => words.includes(this.last ?? ''));
  }

  /** Whether it hears this next, or later. */
  hears(...words: string[]): Promise<boolean> {
    const from = this.heard.length;
    return until(() => this.heard.slice(from).some((word) => words.includes(word)));
  }
}

describe.skipIf(missing)(`faults of services${missing ? ` (needs ${missing})` : ''}`, () => {
  let world: ServiceWorld;
  beforeAll(async () => {
    world = await ServiceWorld.start('--max-flows', `${MAX_FLOWS}`);
    const { k1, k2 } = world;
    await Promise.all([
      world.pod(k1, 'client'),
      world.pod(k1, 'flooder'),
      server('web1', k1),
      server('web2', k2),
    ]);
  });
  afterAll(() => world?.cleanup());
  beforeEach(async () => {
    await Promise.all(['web1', 'web2'].map((name) => ready(name, true)));
  });

  async function server(name: string, node: ServiceWorld['k1']): Promise<void> {
    await world.pod(node, name, { labels: { app: 'web', name } });
    await world.datagrams(name);
    const lines = world.spawn(name, 'python3', '-c', SERVE_LINES, name);
    await new Promise((resolve) => lines.stdout?.once('data', resolve));
  }

  function ready(name: string, isReady: boolean, more: object = {}): Promise<void> {
    return world.say(name, { app: 'web', name }, { 'podwire.dev/ready': `${isReady}`, ...more });
  }

  async function service(name: string, spec: object = {}, metadata: object = {}): Promise<void> {
    await world.service(name, { ports: PORTS, ...spec }, metadata, world.k1);
  }

  async function asks(kind: 'SOCK_STREAM' | 'SOCK_DGRAM', name: string, family: Family = 4): Promise<Asker> {
    const { [family]: address } = await world.addresses(name);
    const port = kind === 'SOCK_STREAM' ? '70' : '50';
    return new Asker(world.spawn('client', 'python3', '-c', KEEP_ASKING, kind, address, port));
  }

  /** Takes the pod out of all services at once, as one that is deleted. */
  const remove = (name: string) => world.say(name, { app: 'gone' });

  it.each(FAMILIES)('send the next datagram elsewhere when an endpoint goes: IPv%i', async (family) => {
    await service('web');
    const asker = await asks('SOCK_DGRAM', 'web', family);
    expect(await asker.hears('web1', 'web2')).toBe(true);
    const first = asker.last!;
    await remove(first);
    expect(await asker.hears(first === 'web1' ? 'web2' : 'web1')).toBe(true);
    await remove(first === 'web1' ? 'web2' : 'web1');
    expect(await asker.ends('ECONNREFUSED')).toBe(true);
  });

  it.each(FAMILIES)(
    'reset a connection whose endpoint goes, or let it go on where they are to: IPv%i',
    async (family) => {
      await service('web');
      await service('gentle', {}, { annotations: { 'podwire.dev/on-endpoint-removal': 'drain' } });
      const [harsh, gentle] = [
        await asks('SOCK_STREAM', 'web', family),
        await asks('SOCK_STREAM', 'gentle', family),
      ];
      expect(await Promise.all([harsh.hears('web1', 'web2'), gentle.hears('web1', 'web2')])).toEqual([
        true,
        true,
      ]);
      await remove('web1');
      await remove('web2');
      expect(await harsh.ends('ECONNRESET'), `harsh: ${harsh.heard}`).toBe(true);
      expect(await gentle.hears('web1', 'web2')).toBe(true);
      const { [family]: address } = await world.addresses('gentle');
      const isKnown = async () => (await world.datagram('client', address, 50)) === 'ECONNREFUSED';
      expect(await until(isKnown), 'known').toBe(true);
      const late = await asks('SOCK_STREAM', 'gentle', family);
      expect(await late.ends('ECONNREFUSED'), `late: ${late.heard}`).toBe(true);
      await world.end(gentle.child);
    },
  );

  it('let connections of an endpoint that terminates go on, and give it no new ones', async () => {
    await service('web');
    await remove('web2');
    const asker = await asks('SOCK_STREAM', 'web');
    expect(await asker.hears('web1')).toBe(true);
    await ready('web2', true);
    await ready('web1', true, { 'podwire.dev/terminating': 'true' });
    const fresh = async () =>
      (await world.answers('client', (await world.addresses('web'))[4], 50, 10, 2)).length;
    expect(await until(async () => (await fresh()) === 1)).toBe(true);
    expect(await asker.hears('web1')).toBe(true);
    await world.end(asker.child);
  });

  it('end what goes on when a service is deleted', async () => {
    await service('brief');
    const asker = await asks('SOCK_STREAM', 'brief');
    expect(await asker.hears('web1', 'web2')).toBe(true);
    expect(outcome(await world.k2.bench.call('DELETE', '/v1/services/default/brief'))).toBe('200');
    expect(await asker.ends('ECONNRESET', 'EHOSTUNREACH', 'ENETUNREACH')).toBe(true);
  });

  it('keep connections of others while a pod floods', async () => {
    await service('web');
    const asker = await asks('SOCK_STREAM', 'web');
    expect(await asker.hears('web1', 'web2')).toBe(true);
    await service('hole', { ports: [{ name: 'hole', port: 9 }], selector: { app: 'web' } });
    const { 4: address } = await world.addresses('hole');
    // Nobody answers there: the SYNs stay what they are.
    for (const name of ['web1', 'web2']) await world.run(name, 'sh', '-c', DROP_9);
    const flood = await world.run('flooder', 'python3', '-c', FLOOD, address, '9', `${4 * MAX_FLOWS}`);
    expect(flood.text.trim()).toBe('sent');
    expect(await asker.hears('web1', 'web2')).toBe(true);
    const late = await asks('SOCK_STREAM', 'web');
    expect(await late.hears('web1', 'web2')).toBe(true);
    const { body } = await world.k1.bench.call<FlowsSummary>('GET', '/v1/flows/summary');
    const flooded = body.services.find(({ service }) => service === 'default/hole:hole');
    // Half of the table is one port's share, and beyond it what it opened first goes first.
    expect(flooded?.flows).toBeLessThanOrEqual(MAX_FLOWS / 2);
    expect(flooded?.flows).toBeGreaterThan(MAX_FLOWS / 8);
    expect(body.table.evicted).toBeGreaterThan(MAX_FLOWS / 2);
    for (const { child } of [asker, late]) await world.end(child);
  });

  it.each(['here', 'there'])(
    'go on with a connection when the client’s daemon is killed and starts again: endpoint %s',
    async (at) => {
      const name = at === 'here' ? 'web1' : 'web2';
      await service('one', { selector: { name } });
      const asker = await asks('SOCK_STREAM', 'one');
      expect(await asker.hears(name)).toBe(true);
      await world.k1.kill();
      await world.k1.start([...world.cluster.server(world.k1), '--zone', 'a', '--max-flows', `${MAX_FLOWS}`]);
      expect(await asker.hears(name), asker.heard.join()).toBe(true);
      await world.end(asker.child);
    },
  );
});

interface FlowsSummary {
  readonly services: { readonly service: string; readonly flows: number }[];
  readonly table: { readonly evicted: number };
}

const DROP_9 =
  'nft add table inet t; nft "add chain inet t in { type filter hook input priority 0; }"; nft add rule inet t in tcp dport 9 drop';
