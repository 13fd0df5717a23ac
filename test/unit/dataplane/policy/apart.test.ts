/**
 * Networks that are kept apart, end to end through an engine; scapy builds what is sent and reads what the sender is told. Ports 3
 * and 4 are of a network without a route to that of ports 0 to 2.
 */
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { shareConnections } from '../../../../src/dataplane/connections.js';
import { DenialReader } from '../../../../src/dataplane/policy/denial-reader.js';
import { NO_PORT } from '../../../../src/dataplane/policy/verdict.js';
import type { Snapshot } from '../../../../src/dataplane/snapshot.js';
import { ServiceWorld, service, startJudge, WORLD } from '../translation/world.js';

const judge = startJudge();
afterAll(() => judge?.close());

const TABLE = 7;
/** More than sixteen bits: notes are as many as rules. */
const NOTE = 100_007;
const OTHER_NOTE = 5;
const NOTES = 200_000;

const SNAPSHOT: Snapshot = {
  ...WORLD,
  ports: WORLD.ports.map((port) =>
    port.id === 3 || port.id === 4 ? { ...port, routeTable: TABLE, returnTable: TABLE } : port,
  ),
  routes: [
    ...WORLD.routes,
    { table: TABLE, prefix: '10.0.1.0/24', kind: 'connected', domain: 1 },
    { table: TABLE, prefix: 'fd00:0:0:1::/64', kind: 'connected', domain: 1 },
    { table: TABLE, prefix: '10.96.0.0/16', kind: 'unreachable', services: 'address' },
    { table: TABLE, prefix: '10.0.0.0/24', kind: 'apart', note: NOTE },
    { table: TABLE, prefix: 'fd00:0:0:0::/64', kind: 'apart', note: NOTE },
    { table: TABLE, prefix: '10.21.0.0/16', kind: 'apart', note: OTHER_NOTE },
  ],
};
const SYN = "TCP(sport=40000,dport=80,flags='S',seq=7)";

describe.skipIf(judge === undefined).each([true, false])('networks apart, express %s', (express) => {
  let world: ServiceWorld;
  let denials: DenialReader;
  beforeEach(() => {
    const connections = { ...shareConnections(4096, 1, 7, NOTES), own: 0, clockStart: 0 };
    world = new ServiceWorld(judge!, { express, connections }, SNAPSHOT);
    denials = new DenialReader(connections.denials);
  });
  afterEach(() => {
    world.harness.expectAtRest();
  });

  it('tells the sender that it is prohibited, and remembers which networks they are', async () => {
    await world.send(3, `IP(src='10.0.1.13',dst='10.0.0.10')/${SYN}`);
    const told = await world.readOne(3);
    expect(told).toMatchObject({ sound: true, src: '10.0.1.1', dst: '10.0.1.13', type: 3, code: 13 });
    expect(told.quote).toEqual({ src: '10.0.1.13', dst: '10.0.0.10', sport: 40_000, dport: 80 });
    expect(world.harness.take(0)).toHaveLength(0);
    expect(world.harness.allDrops()).toEqual({ 'network-isolation': 1 });
    await world.send(4, `IP(src='10.0.1.14',dst='10.21.0.5')/ICMP()`);
    expect(denials.allCounts()).toEqual(
      new Map([
        [NOTE, 1],
        [OTHER_NOTE, 1],
      ]),
    );
    expect(denials.recent(0).find(({ note }) => note === NOTE)).toMatchObject({
      direction: 'egress',
      port: 3,
      protocol: 6,
      source: [0x0a00010d],
      destination: [0x0a00000a],
      sourcePort: 40_000,
      destinationPort: 80,
    });
    world.harness.take(4);
  });

  it('tells it over IPv6, too', async () => {
    await world.send(3, `IPv6(src='fd00:0:0:1::13',dst='fd00:0:0:0::10')/UDP(sport=7,dport=53)/b'x'`);
    expect(await world.readOne(3)).toMatchObject({ sound: true, dst: 'fd00:0:0:1::13', type: 1, code: 1 });
    expect(denials.recent(0)).toMatchObject([{ note: NOTE, protocol: 17, destinationPort: 53 }]);
  });

  it('says it of a service whose endpoint is in the other network, as the client knows it', async () => {
    world.change([service(1, {}, '10.0.0.11:8080')]);
    await world.send(3, `IP(src='10.0.1.13',dst='10.96.0.1')/${SYN}`);
    const told = await world.readOne(3);
    expect(told).toMatchObject({ sound: true, type: 3, code: 13 });
    expect(told.quote).toMatchObject({ dst: '10.96.0.1', dport: 80 });
    const [denial] = denials.recent(0);
    expect(denial).toMatchObject({ note: NOTE, destination: [0x0a00000b], destinationPort: 8080 });
    expect(world.harness.allDrops()).toEqual({ 'network-isolation': 1 });
  });

  it('counts what nobody may be told of: later fragments', async () => {
    await world.send(3, `IP(src='10.0.1.13',dst='10.0.0.10',frag=185,proto=17)/(b'x'*64)`);
    expect(await world.read(3)).toEqual([]);
    expect(denials.recent(0)).toMatchObject([{ note: NOTE, protocol: 17, destinationPort: NO_PORT }]);
  });

  it('lets pass what goes the other way, where there is a route', async () => {
    await world.send(0, `IP(src='10.0.0.10',dst='10.0.1.13')/${SYN}`);
    expect(world.harness.take(3)).toHaveLength(1);
    expect(denials.allCounts()).toEqual(new Map());
  });
});
