/** Policy end to end through an engine; scapy builds what is sent. Each test runs by Express and the long way. */
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FlowRow } from '../../../../src/dataplane/flows/flow-reader.js';
import { service, startJudge } from '../translation/world.js';
import { PEER_POD, PolicyWorld, pods, ruleset } from './world.js';

const judge = startJudge();
afterAll(() => judge?.close());

const allTcp = [{ protocol: 'TCP' as const, from: 80, to: 80 }];
const SYN = "TCP(sport=40000,dport=80,flags='S',seq=7)";
const SYN_ACK = "TCP(sport=80,dport=40000,flags='SA',seq=9,ack=8)";
const ACK = "TCP(sport=40000,dport=80,flags='A',seq=8,ack=10)";
const DATA = "TCP(sport=40000,dport=80,flags='PA',seq=8,ack=10)/b'data'";
const ANSWER = "TCP(sport=80,dport=40000,flags='PA',seq=10,ack=12)/b'answer'";

describe.skipIf(judge === undefined).each([true, false])('policy, express %s', (express) => {
  let world: PolicyWorld;
  beforeEach(() => {
    world = new PolicyWorld(judge!, { express });
  });
  afterEach(() => {
    world.harness.expectAtRest();
  });

  /** From the pod at a port to another pod, as bridged as routed. */
  async function send(from: number, to: number, what: string): Promise<number> {
    const address = (port: number) => (port < 3 ? `10.0.0.1${port}` : `10.0.1.1${port}`);
    const packet = `IP(src='${address(from)}',dst='${address(to)}')/${what}`;
    if (from < 3 === to < 3) await world.sendTo(from, `02:70:00:00:00:1${to}`, packet);
    else await world.send(from, packet);
    return world.count(to);
  }

  async function connect(from: number, to: number): Promise<void> {
    expect(await send(from, to, SYN)).toBe(1);
    expect(await send(to, from, SYN_ACK)).toBe(1);
    expect(await send(from, to, ACK)).toBe(1);
  }

  it('keeps a port closed until its policy was told', async () => {
    expect(await send(0, 1, SYN)).toBe(0);
    expect(world.harness.allDrops()).toEqual({ 'policy-pending': 1 });
    world.isolate([], {});
    expect(await send(0, 1, SYN)).toBe(1);
  });

  for (const [what, to] of [
    ['bridged', 1],
    ['routed', 3],
  ] as const) {
    it(`lets in what a rule allows, and the answers to it, ${what}`, async () => {
      world.isolate([ruleset(1, { peers: pods(0), ports: allTcp }), ruleset(2)], {
        [to]: { ingress: 1, egress: 2 },
      });
      await connect(0, to);
      expect(await send(0, to, DATA)).toBe(1);
      expect(await send(to, 0, ANSWER)).toBe(1);
      expect(world.harness.allDrops()).toEqual({});
      expect(await send(0, to, "TCP(sport=40000,dport=81,flags='S')")).toBe(0);
      expect(await send(2, to, SYN)).toBe(0);
      expect(await send(4, to, SYN)).toBe(0);
      expect(await send(to, 0, SYN)).toBe(0);
      expect(world.harness.allDrops()).toEqual({ 'policy-ingress': 3, 'policy-egress': 1 });
    });

    it(`ends a connection that a change forbids, with the next packet of either way, ${what}`, async () => {
      world.isolate([ruleset(1, { peers: pods(0) })], { [to]: { ingress: 1 } });
      await connect(0, to);
      expect(await send(0, to, DATA)).toBe(1);
      world.tell({ rulesets: [ruleset(1, { peers: pods(2) })] });
      expect(await send(to, 0, ANSWER)).toBe(0);
      expect(await send(0, to, DATA)).toBe(0);
      world.tell({ rulesets: [ruleset(1, { peers: pods(0) })] });
      expect(await send(to, 0, ANSWER)).toBe(1);
      expect(await send(0, to, DATA)).toBe(1);
    });

    it(`takes another label in force on the next packet, ${what}`, async () => {
      world.isolate([ruleset(1, { peers: pods(0) })], { [to]: { ingress: 1 } });
      await connect(0, to);
      world.tell({ identities: [{ id: 10, sets: [] }] });
      expect(await send(0, to, DATA)).toBe(0);
      world.tell({ identities: [{ id: 10, sets: [10] }] });
      expect(await send(0, to, DATA)).toBe(1);
    });
  }

  it('lets nothing out but what a rule for egress allows', async () => {
    world.isolate([ruleset(1, { peers: pods(1, 3) })], { 0: { egress: 1 } });
    expect(await send(0, 1, SYN)).toBe(1);
    expect(await send(0, 3, SYN)).toBe(1);
    expect(await send(0, 2, SYN)).toBe(0);
    await world.send(0, `IP(src='10.0.0.10',dst='${PEER_POD}')/${SYN}`);
    expect(world.count(9)).toBe(0);
    await world.send(0, `IP(src='10.0.0.10',dst='203.0.113.9')/${SYN}`);
    expect(world.count(5)).toBe(0);
    expect(world.harness.allDrops()).toEqual({ 'policy-egress': 3 });
  });

  it('knows a pod of another node by its address, and the node itself', async () => {
    world.isolate([ruleset(1, { peers: pods(20) }), ruleset(2)], { 0: { ingress: 1 }, 1: { ingress: 2 } });
    await world.sendFromPeer(`IP(src='${PEER_POD}',dst='10.0.0.10')/${SYN}`);
    expect(world.count(0)).toBe(1);
    await world.sendFromPeer(`IP(src='10.21.0.6',dst='10.0.0.10')/${SYN}`);
    await world.sendFromPeer(`IP(src='${PEER_POD}',dst='10.0.0.11')/${SYN}`);
    expect(world.count(0) + world.count(1)).toBe(0);
    await world.sendTo(5, '02:70:00:00:00:11', `IP(src='10.0.0.15',dst='10.0.0.11')/${SYN}`);
    expect(world.count(1)).toBe(1);
    await world.sendTo(5, '02:70:00:00:00:11', `IP(src='203.0.113.9',dst='10.0.0.11')/${SYN}`);
    expect(world.count(1)).toBe(0);
  });

  it('answers a ping that was allowed, and does not take a ping for an answer', async () => {
    world.isolate([ruleset(1)], { 0: { ingress: 1 } });
    expect(await send(0, 1, 'ICMP(type=8,id=77,seq=1)')).toBe(1);
    expect(await send(1, 0, 'ICMP(type=0,id=77,seq=1)')).toBe(1);
    expect(await send(1, 0, 'ICMP(type=8,id=77,seq=1)')).toBe(0);
    expect(await send(1, 0, 'ICMP(type=0,id=78,seq=1)')).toBe(0);
  });

  it('lets errors about a connection pass, and no others', async () => {
    world.isolate([ruleset(1)], { 0: { ingress: 1 } });
    expect(await send(0, 3, 'UDP(sport=4000,dport=53)/b"query"')).toBe(1);
    const quoted = (port: number) => `IP(src='10.0.0.10',dst='10.0.1.13')/UDP(sport=${port},dport=53)`;
    expect(await send(3, 0, `ICMP(type=3,code=3)/${quoted(4000)}`)).toBe(1);
    expect(await send(3, 0, `ICMP(type=3,code=3)/${quoted(4001)}`)).toBe(0);
    expect(await send(0, 3, 'ICMP(type=8,id=5)')).toBe(1);
    const echo = "IP(src='10.0.0.10',dst='10.0.1.13')/ICMP(type=8,id=5)";
    expect(await send(3, 0, `ICMP(type=11,code=0)/${echo}`)).toBe(1);
  });

  it('lets later fragments follow the first one', async () => {
    world.isolate([ruleset(1, { peers: pods(0), ports: [{ protocol: 'UDP', from: 53, to: 53 }] })], {
      1: { ingress: 1 },
    });
    const fragment = (id: number, offset: number, more: boolean, payload: string) =>
      world.sendTo(
        0,
        '02:70:00:00:00:11',
        `IP(src='10.0.0.10',dst='10.0.0.11',proto=17,id=${id},frag=${offset},flags='${more ? 'MF' : ''}')/${payload}`,
      );
    await fragment(1, 2, false, "Raw(b'later...')");
    expect(world.count(1)).toBe(0);
    await fragment(2, 0, true, "Raw(raw(UDP(sport=9,dport=53,len=24,chksum=0)/b'first...'))");
    await fragment(2, 2, false, "Raw(b'later...')");
    expect(world.count(1)).toBe(2);
    await fragment(3, 0, true, "Raw(raw(UDP(sport=9,dport=54,len=24,chksum=0)/b'first...'))");
    await fragment(3, 2, false, "Raw(b'later...')");
    expect(world.count(1)).toBe(0);
  });

  it('judges a service by the backend that was chosen, by its own address', async () => {
    world.change([service(1, {}, '10.0.1.13:8080')]);
    const backend = [{ protocol: 'TCP' as const, from: 8080, to: 8080 }];
    const client = (what: string) => `IP(src='10.0.0.10',dst='10.96.0.1')/${what}`;
    world.isolate(
      [
        ruleset(1, { peers: pods(3), ports: backend }),
        ruleset(2, { peers: pods(0), ports: backend }),
        ruleset(3),
      ],
      { 0: { egress: 1, ingress: 3 }, 3: { ingress: 2, egress: 3 } },
    );
    await world.send(0, client(SYN));
    expect(await world.readOne(3)).toMatchObject({ dst: '10.0.1.13', dport: 8080 });
    const answer = (what: string) => `IP(src='10.0.1.13',dst='10.0.0.10')/${what}`;
    await world.send(3, answer("TCP(sport=8080,dport=40000,flags='SA',seq=9,ack=8)"));
    expect(await world.readOne(0)).toMatchObject({ src: '10.96.0.1', sport: 80 });
    await world.send(0, client(ACK));
    await world.send(0, client(DATA));
    expect(world.count(3)).toBe(2);
    world.tell({ rulesets: [ruleset(2)] });
    await world.send(3, answer("TCP(sport=8080,dport=40000,flags='PA',seq=10,ack=12)/b'x'"));
    await world.send(0, client(DATA));
    expect(world.count(0) + world.count(3)).toBe(0);
    expect(world.harness.allDrops()).toEqual({ 'policy-ingress': 2 });
    world.tell({ rulesets: [ruleset(2, { peers: pods(0), ports: backend })] });
    await world.send(0, client(DATA));
    await world.send(3, answer("TCP(sport=8080,dport=40000,flags='PA',seq=10,ack=12)/b'x'"));
    expect([world.count(0), world.count(3)]).toEqual([1, 1]);
  });

  it('takes a connection that nobody saw begin for that of the higher port', async () => {
    world.isolate([], {});
    world.tell({ rulesets: [ruleset(1)], ports: [{ port: 1, identity: 11, ingress: 1, egress: 0 }] });
    // The server of a connection that began before speaks first: it is not taken for its opener.
    expect(await send(1, 0, ANSWER)).toBe(0);
    expect(await send(0, 1, DATA)).toBe(0);
    // A connection that it has opened itself goes on.
    expect(await send(1, 0, DATA)).toBe(1);
    expect(await send(0, 1, ANSWER)).toBe(1);
  });

  it('ends, with the next label, a connection of which it saw an answer first', async () => {
    world.isolate([], {});
    const open = { port: 1, identity: 11, ingress: 1, egress: 0 };
    world.tell({ rulesets: [ruleset(1, { peers: pods(0) })], ports: [open] });
    expect(await send(1, 0, ANSWER)).toBe(1);
    expect(await send(0, 1, DATA)).toBe(1);
    world.tell({ rulesets: [ruleset(1, { peers: pods(2) })] });
    expect(await send(0, 1, DATA)).toBe(0);
    expect(await send(1, 0, ANSWER)).toBe(0);
  });

  it('does not take an answer that was on its way, when a pod is first asked about, for a question', async () => {
    const asked = "UDP(sport=40000,dport=53)/b'asked'";
    const answer = "UDP(sport=53,dport=40000)/b'answer'";
    world.isolate([], {});
    expect(await send(0, 1, asked)).toBe(1);
    world.tell({ rulesets: [ruleset(1)], ports: [{ port: 1, identity: 11, ingress: 1, egress: 0 }] });
    expect(await send(1, 0, answer)).toBe(0);
    expect(await send(0, 1, asked)).toBe(0);
    // Later no such answer can come: it is a question from the lower port.
    world.harness.now += 11_000;
    expect(await send(1, 0, answer)).toBe(1);
    expect(await send(0, 1, asked)).toBe(1);
  });

  it('lets a server answer on that was closed for what it begins itself, and nobody else', async () => {
    world.isolate([], {});
    const web = [{ protocol: 'TCP' as const, from: 80, to: 80 }];
    world.tell({
      rulesets: [ruleset(1), ruleset(2, { peers: pods(0), ports: web })],
      ports: [{ port: 1, identity: 11, ingress: 2, egress: 1 }],
    });
    expect(await send(1, 0, ANSWER)).toBe(1);
    expect(await send(0, 1, DATA)).toBe(1);
    // Who may not ask is not answered, and the server begins nothing.
    expect(await send(1, 2, ANSWER)).toBe(0);
    expect(await send(1, 0, SYN)).toBe(0);
    expect(await send(1, 0, "TCP(sport=81,dport=40000,flags='A',seq=1,ack=1)")).toBe(0);
    // To a pod that is closed nobody has an answer.
    world.tell({ ports: [{ port: 2, identity: 12, ingress: 1, egress: 0 }] });
    expect(await send(0, 2, ANSWER)).toBe(0);
  });

  it('asks for each copy of what is flooded', async () => {
    world.isolate([ruleset(1)], { 1: { ingress: 1 } });
    const packet = "IP(src='10.0.0.10',dst='255.255.255.255')/UDP(sport=67,dport=67)";
    await world.sendTo(0, 'ff:ff:ff:ff:ff:ff', packet);
    expect([world.count(1), world.count(2)]).toEqual([0, 1]);
    world.tell({ ports: [{ port: 0, identity: 10, ingress: 0, egress: 1 }] });
    await world.sendTo(0, 'ff:ff:ff:ff:ff:ff', packet);
    expect([world.count(1), world.count(2)]).toEqual([0, 0]);
    expect(world.harness.allDrops()).toEqual({ 'policy-egress': 1 });
    const group = "IP(src='10.0.0.10',dst='224.0.0.22',ttl=1)/igmp.IGMP(type=0x16,gaddr='239.1.1.1')";
    await world.sendTo(0, '01:00:5e:00:00:16', group);
    expect([world.count(1), world.count(2)]).toEqual([1, 1]);
  });

  it('remembers which rule has refused a packet', async () => {
    world.isolate([ruleset(7), ruleset(8)], { 1: { ingress: 7 }, 2: { egress: 8 } });
    await send(0, 1, SYN);
    world.harness.now += 250;
    await send(2, 0, SYN);
    const [out, into] = world.denials.recent(world.harness.now);
    const ports = { protocol: 6, sourcePort: 40000, destinationPort: 80 };
    expect(into).toMatchObject({ ...ports, direction: 'ingress', port: 1, note: 700, age: 250 });
    expect(into).toMatchObject({ source: [0x0a00000a], destination: [0x0a00000b] });
    expect(out).toMatchObject({ ...ports, direction: 'egress', port: 2, note: 800, age: 0 });
    expect([world.denials.count(700), world.denials.count(800)]).toEqual([1, 1]);
  });

  it('counts every packet of a connection once, whichever way it goes', async () => {
    world.isolate([ruleset(1, { peers: pods(0) })], { 1: { ingress: 1 } });
    await connect(0, 1);
    for (let i = 0; i < 5; i++) expect(await send(0, 1, DATA)).toBe(1);
    world.harness.now += 1500;
    world.harness.run();
    expect(await send(0, 1, DATA)).toBe(1);
    world.harness.now += 1500;
    world.harness.run();
    const rows: FlowRow[] = [];
    world.flows.read(0, 1000, world.harness.now, (row) => rows.push(row));
    expect(rows).toHaveLength(1);
    // 40 octets of headers, and four of data.
    expect(rows[0].original).toMatchObject({ packets: 8, bytes: 2 * 40 + 6 * 44 });
    expect(rows[0].reply).toMatchObject({ packets: 1, bytes: 40 });
    expect(rows[0].decision).toMatchObject({ argument: 101 });
  });
});
