/** Published ports: who gets one, what services are told of them, and who wins. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { pino } from 'pino';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { PublishedPort, PublishWish } from '../../../src/control/api/publish-types.js';
import type { NetworkSpec } from '../../../src/control/api/types.js';
import { PodwireError } from '../../../src/control/errors.js';
import { hostSockets, readSockets } from '../../../src/control/host/listeners.js';
import { KeyedLock } from '../../../src/control/keyed-lock.js';
import type { LiveNetwork } from '../../../src/control/live-network.js';
import { fullWishes, hostPortsOf } from '../../../src/control/model/publish.js';
import { hostPortChanges } from '../../../src/control/pod-wishes.js';
import { PublishedPorts } from '../../../src/control/published-ports.js';
import type { AttachmentRecord, PodRecord } from '../../../src/control/records.js';
import { LiveServices } from '../../../src/control/services/live-services.js';
import type { Service } from '../../../src/control/services/types.js';

const ADDRESS = '192.0.2.5';
const TCP = 'TCP' as const;

function network(spec: Partial<NetworkSpec> = {}): LiveNetwork {
  const full: NetworkSpec = { mode: 'routed', cidrs: ['10.1.0.0/24', 'fd01::/64'], ...spec };
  return { name: 'net', spec: full } as LiveNetwork;
}

class World {
  readonly records = new Map<string, PodRecord>();
  readonly down = new Set<string>();
  readonly log: string[] = [];
  private generation = 0;
  readonly services: LiveServices = new LiveServices({
    here: { node: 'n1' },
    serviceCidrs: () => ['10.96.0.0/16'],
    expose: (changes) => changes,
    publish: async () => {
      this.services.take();
      this.generation++;
    },
    rerouted: async () => {},
    log: pino({ level: 'info' }, { write: (line: string) => void this.log.push(line) }),
  });
  readonly published = new PublishedPorts({
    records: { get: (key) => this.records.get(key), list: () => [...this.records] },
    services: this.services,
    generation: () => this.generation,
    isUp: ({ port }) => !this.down.has(port),
    hostAddresses: async () => [{ ifname: 'eth0', address: ADDRESS, mtu: 1500 }],
    lock: new KeyedLock(),
    log: pino({ level: 'info' }, { write: (line: string) => void this.log.push(line) }),
  });

  async claim(key: string, wishes: PublishWish[], spec: Partial<NetworkSpec> = {}): Promise<PublishedPort[]> {
    const full = fullWishes('publish', wishes);
    const claim = await this.published.claim(key, network(spec), 'publish', full);
    claim.release();
    return [...claim.ports];
  }

  async add(key: string, wishes: PublishWish[], ips = ['10.1.0.3', 'fd01::3']): Promise<AttachmentRecord> {
    const published = await this.claim(key, wishes);
    const attachment = { port: key, ips, published } as unknown as AttachmentRecord;
    this.records.set(key, { attachments: [attachment] } as unknown as PodRecord);
    await this.published.put(key);
    return attachment;
  }

  get told(): string[] {
    return [...this.services.all]
      .flatMap(({ name, frontends, backends, family }) =>
        frontends.map(
          ({ address, port }) => `${name} ${family} ${address}:${port} -> ${backends.map((one) => one.name)}`,
        ),
      )
      .sort();
  }
}

async function refusal(action: Promise<unknown>): Promise<string> {
  try {
    await action;
  } catch (error) {
    if (error instanceof PodwireError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'accepted';
}

describe('what services are told', () => {
  it('both families of the pod, at every address of the node or at one', async () => {
    const world = new World();
    await world.add('default/web', [
      { hostPort: 80, containerPort: 8080 },
      { hostPort: 53, containerPort: 53, protocol: 'UDP', hostIP: ADDRESS },
      { hostPort: 90, containerPort: 9, hostIP: '::' },
    ]);
    expect(world.told).toEqual([
      `publish:default/web:${ADDRESS}:53/udp IPv4 ${ADDRESS}:53 -> 10.1.0.3:53`,
      'publish:default/web:80/tcp IPv4 node:80 -> 10.1.0.3:8080',
      'publish:default/web:80/tcp/IPv6 IPv6 node:80 -> [fd01::3]:8080',
      'publish:default/web:[::]:90/tcp IPv6 node:90 -> [fd01::3]:9',
    ]);
  });

  it('no backend while the pod is Lost, and nothing while it is taken away', async () => {
    const world = new World();
    const attachment = await world.add('default/web', [{ hostPort: 80, containerPort: 80 }], ['10.1.0.3']);
    world.down.add('default/web');
    world.published.review();
    await world.services.settled();
    expect(world.told).toEqual(['publish:default/web:80/tcp IPv4 node:80 -> ']);
    world.down.clear();
    await world.published.without('default/web', attachment, async () => {
      expect(world.told).toEqual([]);
      world.published.review();
      await world.services.settled();
      expect(world.told).toEqual([]);
      world.records.clear();
    });
    await world.services.settled();
    expect(world.told).toEqual([]);
  });

  it('again what an attachment has that could not be taken away', async () => {
    const world = new World();
    const attachment = await world.add('default/web', [{ hostPort: 80, containerPort: 80 }]);
    const failed = world.published.without('default/web', attachment, () => Promise.reject(new Error('no')));
    await expect(failed).rejects.toThrow('no');
    await world.services.settled();
    expect(world.told).toHaveLength(2);
  });
});

describe('a port is refused', () => {
  it.each<[Partial<PublishWish>, boolean]>([
    [{ hostPort: 80 }, false],
    [{ hostPort: 80, hostIP: ADDRESS }, false],
    [{ hostPort: 80, hostIP: '::' }, false],
    [{ hostPort: 80, protocol: 'UDP' }, true],
    [{ hostPort: 81 }, true],
    [{ hostPort: 90 }, false],
    [{ hostPort: 90, hostIP: '0.0.0.0' }, false],
    [{ hostPort: 90, hostIP: '::' }, true],
  ])('%j while another pod has 80 everywhere and 90 at one address', async (wish, isFree) => {
    const world = new World();
    await world.add('default/web', [
      { hostPort: 80, containerPort: 80 },
      { hostPort: 90, containerPort: 80, hostIP: ADDRESS },
    ]);
    const answer = await refusal(world.claim('default/db', [{ containerPort: 1, ...wish }]));
    if (isFree) expect(answer).toBe('accepted');
    else expect(answer).toMatch(/^PORT_IN_USE: publish: port .* belongs to pod default\/web$/);
  });

  it('while another attach is under way with it', async () => {
    const { published } = new World();
    const wishes = fullWishes('publish', [{ hostPort: 80, containerPort: 80 }]);
    const first = await published.claim('default/web', network(), 'publish', wishes);
    const second = () => refusal(published.claim('default/db', network(), 'publish', wishes));
    expect(await second()).toContain('PORT_IN_USE');
    first.release();
    expect(await second()).toBe('accepted');
  });

  it.each<[string, Partial<NetworkSpec>]>([
    ['its pods are stations of the LAN', { mode: 'raw' }],
    ['the node’s own interfaces', { mode: 'host', cidrs: [] }],
    ['no interface', { mode: 'none', cidrs: [] }],
    ['connects two pods', { mode: 'direct' }],
    ['internal', { internal: true }],
  ])('in a network where %s', async (words, spec) => {
    const answer = await refusal(new World().claim('a/b', [{ hostPort: 80, containerPort: 80 }], spec));
    expect(answer).toMatch(/^UNSUPPORTED: publish: /);
    expect(answer).toContain(words);
  });

  it('at an address that the node has not, or of a family that the network has not', async () => {
    const world = new World();
    const at = (hostIP: string, cidrs = ['10.1.0.0/24']) =>
      refusal(world.claim('a/b', [{ hostPort: 80, containerPort: 80, hostIP }], { cidrs }));
    expect(await at(ADDRESS)).toBe('accepted');
    expect(await at('192.0.2.6')).toBe('INVALID: publish: 192.0.2.6 is not an address of this node');
    expect(await at('::')).toContain('no IPv6 addresses');
  });

  it('while a program of the host listens there, which is named', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const world = new World();
    const answer = await refusal(world.claim('a/b', [{ hostPort: port, containerPort: 80 }]));
    expect(answer).toMatch(
      new RegExp(`^PORT_IN_USE: .* ${port}/tcp of the node belongs to .*pid ${process.pid}`),
    );
    const elsewhere = [{ hostPort: port, containerPort: 80, hostIP: ADDRESS }];
    expect(await refusal(world.claim('a/b', elsewhere))).toBe('accepted');
  });
});

it('chooses ports that nobody has, one after the other', async () => {
  const world = new World();
  const chosen = await world.add('default/web', [{ containerPort: 80 }, { containerPort: 81 }]);
  const more = await world.add('default/db', [{ containerPort: 80 }]);
  const ports = [...(chosen.published ?? []), ...(more.published ?? [])].map(({ hostPort }) => hostPort);
  expect(new Set(ports).size).toBe(3);
  expect(Math.min(...ports)).toBeGreaterThan(1023);
});

describe('a service', () => {
  const service = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'shop', namespace: 'default' },
    spec: {
      type: 'NodePort',
      clusterIP: '10.96.0.5',
      clusterIPs: ['10.96.0.5'],
      ipFamilies: ['IPv4'],
      ports: [{ name: 'http', port: 30_081, protocol: TCP, nodePort: 30_080 }],
    },
  } as unknown as Service;

  it('that has a node port keeps it from being published, and its own addresses do not', async () => {
    const world = new World();
    world.services.setService(service);
    await world.services.settled();
    const at = (hostPort: number, hostIP?: string) =>
      refusal(world.claim('a/b', [{ hostPort, containerPort: 80, ...(hostIP && { hostIP }) }]));
    expect(await at(30_080)).toContain('belongs to service default/shop:http');
    expect(await at(30_080, ADDRESS)).toContain('belongs to service default/shop:http');
    expect(await at(30_080, '::')).toBe('accepted');
    expect(await at(30_081)).toBe('accepted');
  });

  it('that comes later wins, is told of, and gives the port back when it goes', async () => {
    const world = new World();
    const attachment = await world.add(
      'default/web',
      [{ hostPort: 30_080, containerPort: 80 }],
      ['10.1.0.3'],
    );
    const own = 'publish:default/web:30080/tcp IPv4 node:30080 -> 10.1.0.3:80';
    expect(world.told).toEqual([own]);
    world.services.setService(service);
    await world.services.settled();
    world.published.review();
    await world.services.settled();
    expect(world.told).not.toContain(own);
    const [{ message }] = world.published.statusOf(attachment);
    expect(message).toBe('service default/shop:http has the port');
    world.published.review();
    expect(world.log.filter((line) => line.includes('out of force'))).toHaveLength(1);
    world.services.removeService('default/shop');
    await world.services.settled();
    world.published.review();
    await world.services.settled();
    expect(world.told).toEqual([own]);
    expect(world.published.statusOf(attachment)).toEqual(attachment.published);
  });
});

describe('sockets of the host', () => {
  it('are read as the kernel lists them', () => {
    // `cat /proc/net/tcp /proc/net/tcp6` of Linux 6.1 on x86-64
    const tcp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 31337 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F91 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 31338 1 0000000000000000 20 4 30 10 -1`;
    const tcp6 = `   0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4 1 0
   1: 0000000000000000FFFF00000100007F:0051 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 5 1 0`;
    const [address, port] = ['127.0.0.1', 8080];
    expect(readSockets('TCP', tcp)).toEqual([{ protocol: 'TCP', address, port, inode: '31337' }]);
    expect(readSockets('TCP', tcp6).map((one) => `${one.address} ${one.port}`)).toEqual([
      ':: 80',
      '127.0.0.1 81',
    ]);
  });

  it('of this machine: what is bound, and not what is connected', async () => {
    const socket = createSocket('udp6').bind(0, '::1');
    onTestFinished(() => void socket.close());
    await once(socket, 'listening');
    const { port } = socket.address();
    const isThere = () => hostSockets().some((one) => one.protocol === 'UDP' && one.port === port);
    expect(hostSockets()).toContainEqual(expect.objectContaining({ protocol: 'UDP', address: '::1', port }));
    socket.connect(9, '::1');
    await once(socket, 'connect');
    expect(isThere()).toBe(false);
  });
});

describe('a manifest', () => {
  const pod = (...hostPorts: number[]) => ({
    apiVersion: 'v1' as const,
    kind: 'Pod' as const,
    metadata: { name: 'web' },
    spec: { containers: [{ ports: hostPorts.map((hostPort) => ({ containerPort: 80, hostPort })) }] },
  });
  const port = (hostPort: number) => ({ containerPort: 80, hostPort, protocol: TCP });

  it('asks for its host ports, each once, and for none with 0', () => {
    expect(hostPortsOf(pod(80, 0, 81, 80))).toEqual([port(80), port(81)]);
    expect(hostPortsOf({ ...pod(), spec: { containers: [{}] } })).toEqual([]);
  });

  it('that changes leaves what was published in other ways', () => {
    const published = [port(80), port(9000)];
    expect(hostPortChanges(published, pod(81), pod(80))).toEqual({ kept: [port(9000)], added: [port(81)] });
    expect(hostPortChanges(published, pod(80, 9000), pod(80))).toEqual({ kept: published, added: [] });
    expect(hostPortChanges([port(9000)], pod(80), pod(80))).toEqual({ kept: [port(9000)], added: [] });
  });
});
