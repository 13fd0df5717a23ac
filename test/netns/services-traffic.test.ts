/**
 * Much through services (services-support.ts has the picture): connections and datagrams that cross the tunnel or do not, in both
 * directions, larger than a packet, than the path, than memory is patient with. What arrives is compared; how fast is not.
 */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missingPrograms } from '../support/netns-programs.js';
import { until } from './daemon-support.js';
import { FAMILIES, host, missingForServices, ServiceWorld } from './services-support.js';

const missing = missingForServices ?? missingPrograms('iperf3', 'sha256sum', 'ping');
const BODY_OCTETS = 64 * 2 ** 20;
const PORTS = [
  { name: 'http', port: 80, targetPort: 8080 },
  { name: 'iperf', port: 5201 },
  { name: 'iperf-udp', port: 5201, protocol: 'UDP' },
  { name: 'echo', port: 50, targetPort: 5000, protocol: 'UDP' },
];

describe.skipIf(missing)(`much through services${missing ? ` (needs ${missing})` : ''}`, () => {
  let world: ServiceWorld;
  let digest: string;
  beforeAll(async () => {
    world = await ServiceWorld.start();
    const { k1, k2 } = world;
    await Promise.all([
      world.pod(k1, 'client'),
      world.server(k1, 'web1', { labels: { at: 'here' } }),
      world.server(k2, 'web2', { labels: { at: 'there' } }),
    ]);
    const body = Buffer.alloc(BODY_OCTETS);
    for (let i = 0, x = 1; i < BODY_OCTETS; i += 4) {
      x = (Math.imul(x, 1_103_515_245) + 12_345) | 0;
      body.writeInt32LE(x, i);
    }
    digest = createHash('sha256').update(body).digest('hex');
    for (const [server, at] of [
      ['web1', 'here'],
      ['web2', 'there'],
    ]) {
      writeFileSync(join(world.folder(server), 'files/body'), body);
      world.spawn(server, 'iperf3', '--server');
      await world.service(at, { type: 'NodePort', ports: PORTS, selector: { at } });
    }
    const url = async (at: string) => `http://${(await world.addresses(at))[4]}/`;
    const isThere = async () =>
      (await world.get('client', await url('here'))).name === 'web1' &&
      (await world.get('client', await url('there'))).name === 'web2';
    expect(await until(isThere)).toBe(true);
  });
  afterAll(() => world?.cleanup());

  async function download(who: string, url: string): Promise<string> {
    const command = `curl -sS --max-time 90 ${url}files/body | sha256sum`;
    return (await world.run(who, 'sh', '-c', command)).text.split(' ')[0];
  }

  describe.each(FAMILIES)('IPv%i', (family) => {
    it.each(['here', 'there'])('takes large bodies from an endpoint: %s', async (at) => {
      const addresses = await world.addresses(at);
      expect(await download('client', `http://${host(addresses[family])}/`)).toBe(digest);
      const node = host(world.address('k1', family));
      expect(await download('outside', `http://${node}:${addresses.nodePorts.http}/`)).toBe(digest);
    });

    it.each([
      ['TCP, forth', []],
      ['TCP, back', ['--reverse']],
      ['UDP, forth', ['--udp', '--bitrate', '20M', '--length', '1200']],
      ['UDP, back', ['--udp', '--bitrate', '20M', '--length', '1200', '--reverse']],
    ])('moves what iperf3 sends through the tunnel: %s', async (_how, flags) => {
      const { [family]: address } = await world.addresses('there');
      const words = ['--client', address, '--json', '--time', '1', ...flags];
      const { text } = await world.run('client', 'iperf3', ...words);
      const { error, end } = JSON.parse(text) as { error?: string; end: { [of: string]: { bytes: number } } };
      expect(error).toBeUndefined();
      expect((end.sum_received ?? end.sum).bytes).toBeGreaterThan(500_000);
    });

    it.each(['here', 'there'])(
      'takes datagrams of 4,000 and 60,000 octets to an endpoint and back: %s',
      async (at) => {
        const name = at === 'here' ? 'web1' : 'web2';
        const { [family]: address, nodePorts } = await world.addresses(at);
        for (const size of [4000, 60_000]) {
          const answer = `${name} ${world.address('client', family)} ${size}`;
          expect(await world.datagram('client', address, 50, size)).toBe(answer);
          const node = world.address('k1', family);
          expect(await world.datagram('outside', node, nodePorts.echo, size)).toMatch(`${name} `);
        }
      },
    );
  });

  it('tells clients what fits where the way to an endpoint becomes narrower: of packets that must stay whole', async () => {
    world.k1.bench.ip('host', 'link', 'set', 'u0', 'mtu', '1400');
    for (const family of FAMILIES) {
      const { [family]: address } = await world.addresses('there');
      const told = async () => (await world.run('client', 'python3', '-c', PROBE, address)).text.trim();
      // VXLAN over IPv4 takes 50 octets.
      expect(await until(async () => (await told()) === '1350')).toBe(true);
    }
  });
});

/** Sends 1,400 octets whole until the kernel refuses to, and prints what fits the way then; nothing where it does not. */
const PROBE = `
import socket, sys, time
IP_MTU_DISCOVER, IP_MTU, DO = 10, 14, 2
six = ':' in sys.argv[1]
level, discover, mtu = (socket.IPPROTO_IPV6, 23, 24) if six else (socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_MTU)
s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(level, discover, DO)
s.connect((sys.argv[1], 50))
for i in range(50):
    try: s.send(b'x' * 1390)
    except OSError as e:
        print(s.getsockopt(level, mtu))
        break
    time.sleep(0.05)
`;
