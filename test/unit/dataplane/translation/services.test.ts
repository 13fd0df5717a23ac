/** Services end to end through an engine; scapy builds what is sent, reads what comes out, and checks every checksum. */
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FLAGS, macOf, packet } from '../../../support/service-packets.js';
import { LAN, NODE, NODE_FRONTENDS, OTHER, ServiceWorld, service, startJudge, TUNNEL } from './world.js';

const judge = startJudge();
afterAll(() => judge?.close());

describe.skipIf(judge === undefined)('services', () => {
  let world: ServiceWorld;
  beforeEach(() => {
    world = new ServiceWorld(judge!);
  });
  afterEach(() => {
    world.harness.expectAtRest();
  });

  it('takes a TCP connection to a backend in another network of the node, and its answers back', async () => {
    world.change([service(1, {}, '10.0.1.13:8080')]);
    await world.send(0, "IP(src='10.0.0.10',dst='10.96.0.1')/TCP(sport=4000,dport=80,flags='S',seq=7)");
    expect(await world.readOne(3)).toMatchObject({
      sound: true,
      src: '10.0.0.10',
      dst: '10.0.1.13',
      sport: 4000,
      dport: 8080,
      ttl: 63,
    });
    await world.send(
      3,
      "IP(src='10.0.1.13',dst='10.0.0.10')/TCP(sport=8080,dport=4000,flags='SA',seq=9,ack=8)",
    );
    expect(await world.readOne(0)).toMatchObject({
      sound: true,
      src: '10.96.0.1',
      dst: '10.0.0.10',
      sport: 80,
      dport: 4000,
      ttl: 63,
    });
  });

  it('translates answers back that a backend sends straight to a client in its own network', async () => {
    world.change([service(1, {}, '10.0.0.11:8080')]);
    await world.send(0, "IP(src='10.0.0.10',dst='10.96.0.1')/TCP(sport=4000,dport=80,flags='S')");
    expect(await world.readOne(1)).toMatchObject({ sound: true, dst: '10.0.0.11', dport: 8080 });
    await world.sendTo(
      1,
      '02:70:00:00:00:10',
      "IP(src='10.0.0.11',dst='10.0.0.10')/TCP(sport=8080,dport=4000,flags='SA',ack=1)",
    );
    expect(await world.readOne(0)).toMatchObject({ sound: true, src: '10.96.0.1', sport: 80 });
    await world.sendTo(
      1,
      '02:70:00:00:00:10',
      "IP(src='10.0.0.11',dst='10.0.0.10')/UDP(sport=8080,dport=4000)/b'own'",
    );
    expect(await world.readOne(0)).toMatchObject({ sound: true, src: '10.0.0.11', sport: 8080 });
  });

  it('does so for UDP over IPv6', async () => {
    const six = {
      family: 'IPv6',
      protocol: 'UDP',
      frontends: [{ address: 'fd00:96::1', port: 53, scope: 'cluster' }],
    } as const;
    world.change([service(1, six, 'fd00:0:0:1::13:5353')]);
    await world.send(0, "IPv6(src='fd00::10',dst='fd00:96::1')/UDP(sport=4000,dport=53)/b'query'");
    expect(await world.readOne(3)).toMatchObject({
      sound: true,
      src: 'fd00::10',
      dst: 'fd00:0:0:1::13',
      dport: 5353,
    });
    await world.send(3, "IPv6(src='fd00:0:0:1::13',dst='fd00::10')/UDP(sport=5353,dport=4000)/b'answer'");
    expect(await world.readOne(0)).toMatchObject({
      sound: true,
      src: 'fd00:96::1',
      dst: 'fd00::10',
      sport: 53,
    });
  });

  it('does so for SCTP, whose checksum covers the ports', async () => {
    world.change([service(1, { protocol: 'SCTP' }, '10.0.1.13:8080')]);
    await world.send(
      0,
      "IP(src='10.0.0.10',dst='10.96.0.1')/SCTP(sport=4000,dport=80,tag=1)/SCTPChunkInit()",
    );
    expect(await world.readOne(3)).toMatchObject({ sound: true, dst: '10.0.1.13', dport: 8080 });
    await world.send(
      3,
      "IP(src='10.0.1.13',dst='10.0.0.10')/SCTP(sport=8080,dport=4000,tag=1)/SCTPChunkInitAck()",
    );
    expect(await world.readOne(0)).toMatchObject({ sound: true, src: '10.96.0.1', sport: 80 });
  });

  it('reaches a backend of another node under the client’s own address', async () => {
    world.change([service(1, {}, '10.21.0.5:8080')]);
    await world.send(0, "IP(src='10.0.0.10',dst='10.96.0.1')/TCP(sport=4000,dport=80,flags='S')");
    expect(await world.readOne(TUNNEL)).toMatchObject({
      sound: true,
      src: '10.0.0.10',
      dst: '10.21.0.5',
      dport: 8080,
    });
    await world.sendFromPeer(
      "IP(src='10.21.0.5',dst='10.0.0.10')/TCP(sport=8080,dport=4000,flags='SA',ack=1)",
    );
    expect(await world.readOne(0)).toMatchObject({ sound: true, src: '10.96.0.1', sport: 80, dport: 4000 });
  });

  it('lets a backend call its own service', async () => {
    world.change([service(1, {}, '10.0.0.10:8080')]);
    await world.send(0, "IP(src='10.0.0.10',dst='10.96.0.1')/TCP(sport=4000,dport=80,flags='S')");
    expect(await world.readOne(0)).toMatchObject({
      sound: true,
      src: '10.0.0.1',
      dst: '10.0.0.10',
      sport: 4000,
      dport: 8080,
    });
    await world.send(0, "IP(src='10.0.0.10',dst='10.0.0.1')/TCP(sport=8080,dport=4000,flags='SA',ack=1)");
    expect(await world.readOne(0)).toMatchObject({
      sound: true,
      src: '10.96.0.1',
      dst: '10.0.0.10',
      sport: 80,
      dport: 4000,
    });
  });

  it('does so for two programs of the node', async () => {
    world.change([service(1, {}, '192.0.2.7:8080')]);
    await world.send(NODE, "IP(src='10.0.0.15',dst='10.96.0.1')/TCP(sport=4000,dport=80,flags='S')");
    expect(await world.readOne(NODE)).toMatchObject({ sound: true, src: '10.0.0.1', dst: '192.0.2.7' });
    await world.send(NODE, "IP(src='192.0.2.7',dst='10.0.0.1')/TCP(sport=8080,dport=4000,flags='SA',ack=1)");
    expect(await world.readOne(NODE)).toMatchObject({ sound: true, src: '10.96.0.1', dst: '10.0.0.15' });
  });

  describe('from outside', () => {
    const nodePort = { frontends: [{ address: 'node', port: 30080, scope: 'split' as const }] };

    it('keeps the client’s address for a backend of this node, whose answers go out again by the node', async () => {
      world.change([service(1, nodePort, '10.0.1.13:8080')]);
      await world.send(
        NODE,
        `IP(src='203.0.113.9',dst='${NODE_FRONTENDS}')/TCP(sport=4000,dport=30080,flags='S')`,
      );
      expect(await world.readOne(3)).toMatchObject({
        sound: true,
        src: '203.0.113.9',
        dst: '10.0.1.13',
        dport: 8080,
      });
      await world.send(
        3,
        "IP(src='10.0.1.13',dst='203.0.113.9')/TCP(sport=8080,dport=4000,flags='SA',ack=1)",
      );
      expect(await world.readOne(NODE)).toMatchObject({
        sound: true,
        src: NODE_FRONTENDS,
        sport: 30080,
        dst: '203.0.113.9',
      });
    });

    it('comes from the switch to a backend of another node', async () => {
      world.change([
        service(1, { frontends: [{ ...nodePort.frontends[0], scope: 'cluster' }] }, '10.21.0.5:8080'),
      ]);
      await world.send(
        NODE,
        `IP(src='203.0.113.9',dst='${NODE_FRONTENDS}')/TCP(sport=4000,dport=30080,flags='S')`,
      );
      expect(await world.readOne(TUNNEL)).toMatchObject({
        sound: true,
        src: '10.0.0.1',
        dst: '10.21.0.5',
        sport: 4000,
      });
      await world.sendFromPeer(
        "IP(src='10.21.0.5',dst='10.0.0.1')/TCP(sport=8080,dport=4000,flags='SA',ack=1)",
      );
      expect(await world.readOne(NODE)).toMatchObject({
        sound: true,
        src: NODE_FRONTENDS,
        dst: '203.0.113.9',
        sport: 30080,
      });
    });

    it('gives two clients with one port different ones where both come from the switch', async () => {
      world.change([
        service(1, { frontends: [{ ...nodePort.frontends[0], scope: 'cluster' }] }, '10.21.0.5:8080'),
      ]);
      for (const client of [9, 10]) {
        await world.send(
          NODE,
          `IP(src='203.0.113.${client}',dst='${NODE_FRONTENDS}')/UDP(sport=1,dport=1)/b''`,
        );
        await world.send(
          NODE,
          `IP(src='203.0.113.${client}',dst='${NODE_FRONTENDS}')/TCP(sport=4000,dport=30080,flags='S')`,
        );
      }
      const [first, second] = await world.read(TUNNEL);
      expect(first).toMatchObject({ sound: true, sport: 4000 });
      expect(second).toMatchObject({ sound: true, src: '10.0.0.1' });
      expect(second.sport).not.toBe(4000);
      await world.sendFromPeer(
        `IP(src='10.21.0.5',dst='10.0.0.1')/TCP(sport=8080,dport=${second.sport},flags='SA',ack=1)`,
      );
      expect((await world.read(NODE)).at(-1)).toMatchObject({
        sound: true,
        dst: '203.0.113.10',
        dport: 4000,
      });
    });

    it('drops what a policy keeps to its node where others have endpoints, and takes pods there all the same', async () => {
      world.change([service(1, nodePort, '10.21.0.5:8080')]);
      await world.send(
        NODE,
        `IP(src='203.0.113.9',dst='${NODE_FRONTENDS}')/TCP(sport=4000,dport=30080,flags='S')`,
      );
      expect(world.harness.drops(NODE, 'no-local-endpoint')).toBe(1);
      await world.send(0, `IP(src='10.0.0.10',dst='${LAN}')/TCP(sport=4000,dport=30080,flags='S')`);
      expect(await world.readOne(TUNNEL)).toMatchObject({ sound: true, src: '10.0.0.10' });
    });

    it('leaves the node’s other ports to the node', async () => {
      world.change([service(1, nodePort, '10.0.1.13:8080')]);
      await world.send(0, `IP(src='10.0.0.10',dst='${LAN}')/TCP(sport=4000,dport=22,flags='S')`);
      expect(await world.readOne(NODE)).toMatchObject({ sound: true, dst: LAN, dport: 22 });
    });
  });

  describe('without an endpoint', () => {
    it.each([
      ['a handshake', "TCP(sport=4000,dport=80,flags='S',seq=7)", { flags: 'RA', seq: 0, ack: 8 }],
      ['data', "TCP(sport=4000,dport=80,flags='PA',seq=7,ack=99)/b'data'", { flags: 'R', seq: 99 }],
    ])('resets TCP at once: %s', async (_, segment, expected) => {
      world.change([service(1, {})]);
      await world.send(0, `IP(src='10.0.0.10',dst='10.96.0.1')/${segment}`);
      expect(await world.readOne(0)).toMatchObject({
        sound: true,
        src: '10.96.0.1',
        sport: 80,
        dport: 4000,
        ...expected,
      });
      expect(world.harness.drops(0, 'no-endpoint')).toBe(1);
    });

    it('does so over IPv6, behind extension headers', async () => {
      const six = {
        family: 'IPv6',
        frontends: [{ address: 'fd00:96::1', port: 80, scope: 'cluster' }],
      } as const;
      world.change([service(1, six)]);
      await world.send(
        0,
        "IPv6(src='fd00::10',dst='fd00:96::1')/IPv6ExtHdrDestOpt()/TCP(sport=4000,dport=80,flags='S',seq=7)",
      );
      expect(await world.readOne(0)).toMatchObject({
        sound: true,
        src: 'fd00:96::1',
        dst: 'fd00::10',
        flags: 'RA',
        ack: 8,
      });
    });

    it('answers no reset', async () => {
      world.change([service(1, {})]);
      await world.send(0, "IP(src='10.0.0.10',dst='10.96.0.1')/TCP(sport=4000,dport=80,flags='R')");
      expect(await world.read(0)).toEqual([]);
    });

    it('says port unreachable to UDP, from the service’s address', async () => {
      world.change([service(1, { protocol: 'UDP' })]);
      await world.send(0, "IP(src='10.0.0.10',dst='10.96.0.1')/UDP(sport=4000,dport=80)/b'x'");
      expect(await world.readOne(0)).toMatchObject({
        sound: true,
        src: '10.96.0.1',
        type: 3,
        code: 3,
        quote: { dst: '10.96.0.1', dport: 80 },
      });
    });

    it('tells clients outside as well', async () => {
      world.change([service(1, { frontends: [{ address: 'node', port: 30080, scope: 'cluster' }] })]);
      await world.send(
        NODE,
        `IP(src='203.0.113.9',dst='${NODE_FRONTENDS}')/TCP(sport=4000,dport=30080,flags='S')`,
      );
      expect(await world.readOne(NODE)).toMatchObject({
        sound: true,
        src: NODE_FRONTENDS,
        dst: '203.0.113.9',
        flags: 'RA',
      });
    });
  });

  describe('when endpoints change', () => {
    const syn = "IP(src='10.0.0.10',dst='10.96.0.1')/TCP(sport=4000,dport=80,flags='S',seq=1)";
    const data = "IP(src='10.0.0.10',dst='10.96.0.1')/TCP(sport=4000,dport=80,flags='A',seq=2,ack=5)/b'x'";

    it('sends the next datagram elsewhere', async () => {
      world.change([service(1, { protocol: 'UDP' }, '10.0.1.13:8080')]);
      const datagram = "IP(src='10.0.0.10',dst='10.96.0.1')/UDP(sport=4000,dport=80)/b'x'";
      // From the second one on it is Express that sends them.
      for (let i = 0; i < 3; i++) await world.send(0, datagram);
      expect((await world.read(3)).map(({ dst }) => dst)).toEqual(Array(3).fill('10.0.1.13'));
      world.change([service(1, { protocol: 'UDP' }, '10.0.1.13:8080 unready', '10.0.1.14:8080')]);
      await world.send(0, datagram);
      expect(await world.readOne(4)).toMatchObject({ sound: true, dst: '10.0.1.14' });
    });

    it('resets a TCP connection whose endpoint is gone', async () => {
      world.change([service(1, {}, '10.0.1.13:8080')]);
      await world.send(0, syn);
      world.change([service(1, {}, '10.0.1.14:8080')]);
      await world.send(0, data);
      expect(await world.readOne(0)).toMatchObject({ sound: true, flags: 'R', seq: 5, src: '10.96.0.1' });
      expect(world.harness.drops(0, 'endpoint-removed')).toBe(1);
      await world.send(0, syn);
      expect(await world.readOne(4)).toMatchObject({ sound: true, dst: '10.0.1.14' });
    });

    it('lets it go on where the service drains, or while the endpoint is listed', async () => {
      world.change([service(1, { onRemoval: 'drain' }, '10.0.1.13:8080'), service(2, {}, '10.0.1.13:8080')]);
      await world.send(0, syn);
      await world.send(0, syn.replace('10.96.0.1', '10.96.0.2').replace('4000', '5000'));
      for (const port of [4000, 5000]) {
        const answer = `TCP(sport=8080,dport=${port},flags='SA',seq=4,ack=2)`;
        await world.send(3, `IP(src='10.0.1.13',dst='10.0.0.10')/${answer}`);
      }
      world.change([
        service(1, { onRemoval: 'drain' }, '10.0.1.14:8080'),
        service(2, {}, '10.0.1.13:8080 unready', '10.0.1.14:8080'),
      ]);
      await world.send(0, data);
      await world.send(0, data.replace('10.96.0.1', '10.96.0.2').replace('4000', '5000'));
      expect((await world.read(3)).map(({ dst }) => dst)).toEqual(Array(4).fill('10.0.1.13'));
    });

    it('keeps a client with its endpoint where the service has affinity', async () => {
      const backends = Array.from({ length: 20 }, (_, i) => `10.21.0.${i + 1}:80`);
      world.change([service(1, { affinitySeconds: 60 }, ...backends)]);
      for (let port = 0; port < 10; port++) await world.send(0, syn.replace('4000', String(4000 + port)));
      world.change([service(1, { affinitySeconds: 60 }, ...backends, '10.21.0.99:80')]);
      for (let port = 0; port < 10; port++) await world.send(0, syn.replace('4000', String(5000 + port)));
      expect(new Set((await world.read(TUNNEL)).map(({ dst }) => dst)).size).toBe(1);
    });
  });

  describe('ICMP errors', () => {
    it('tell the client about the packet that it has sent', async () => {
      world.change([service(1, { protocol: 'UDP' }, '10.0.1.13:8080')]);
      await world.send(0, "IP(src='10.0.0.10',dst='10.96.0.1')/UDP(sport=4000,dport=80)/b'x'");
      await world.read(3);
      const quote = "IPerror(src='10.0.0.10',dst='10.0.1.13',ttl=62)/UDPerror(sport=4000,dport=8080)/b'x'";
      await world.send(3, `IP(src='10.0.1.13',dst='10.0.0.10')/ICMP(type=3,code=3)/${quote}`);
      expect(await world.readOne(0)).toMatchObject({
        sound: true,
        src: '10.96.0.1',
        dst: '10.0.0.10',
        quote: { src: '10.0.0.10', dst: '10.96.0.1', sport: 4000, dport: 80 },
      });
    });

    it('do so when the switch itself has to send them', async () => {
      world.change([service(1, {}, '10.0.1.13:8080')]);
      await world.send(
        0,
        "IP(src='10.0.0.10',dst='10.96.0.1',flags='DF')/TCP(sport=4000,dport=80,flags='A')/bytes(1440)",
      );
      expect(await world.readOne(0)).toMatchObject({
        sound: true,
        type: 3,
        code: 4,
        quote: { dst: '10.96.0.1', dport: 80 },
      });
    });

    it('do so over IPv6', async () => {
      const six = {
        family: 'IPv6',
        protocol: 'UDP',
        frontends: [{ address: 'fd00:96::1', port: 53, scope: 'cluster' }],
      } as const;
      world.change([service(1, six, 'fd00:0:0:1::13:5353')]);
      await world.send(0, "IPv6(src='fd00::10',dst='fd00:96::1')/UDP(sport=4000,dport=53)/bytes(1440)");
      expect(await world.readOne(0)).toMatchObject({
        sound: true,
        type: 2,
        quote: { dst: 'fd00:96::1', dport: 53 },
      });
    });

    it('tell the backend what the client says', async () => {
      world.change([service(1, { protocol: 'UDP' }, '10.0.1.13:8080')]);
      await world.send(0, "IP(src='10.0.0.10',dst='10.96.0.1')/UDP(sport=4000,dport=80)/b'x'");
      await world.read(3);
      const quote = "IPerror(src='10.96.0.1',dst='10.0.0.10')/UDPerror(sport=80,dport=4000)/b'x'";
      await world.send(0, `IP(src='10.0.0.10',dst='10.96.0.1')/ICMP(type=3,code=3)/${quote}`);
      expect(await world.readOne(3)).toMatchObject({
        sound: true,
        src: '10.0.0.10',
        dst: '10.0.1.13',
        quote: { src: '10.0.1.13', sport: 8080 },
      });
    });
  });

  it('takes what is for a node port of another node to a backend, and leaves its other ports to it', async () => {
    const frontends = [{ address: 'node', port: 30080, scope: 'split' }] as const;
    const published = [{ address: 'node', port: 8080, scope: 'cluster' }] as const;
    world.change([
      service(1, { frontends }, '10.0.1.13:8080'),
      service(2, { frontends: published, isOwn: true }, '10.0.1.13:8080'),
    ]);
    const ask = (port: number) =>
      `IP(src='10.0.0.10',dst='${OTHER}')/TCP(sport=4000,dport=${port},flags='S')`;
    await world.send(0, ask(30080));
    expect(await world.readOne(3)).toMatchObject({ sound: true, src: '10.0.0.10', dst: '10.0.1.13' });
    await world.send(3, "IP(src='10.0.1.13',dst='10.0.0.10')/TCP(sport=8080,dport=4000,flags='SA',ack=1)");
    expect(await world.readOne(0)).toMatchObject({ sound: true, src: OTHER, sport: 30080 });
    for (const port of [8080, 22]) {
      await world.send(0, ask(port));
      expect(await world.read(3)).toEqual([]);
    }
  });

  it('takes pods of other nodes to ports that pods publish here, and to nothing else', async () => {
    const at = (port: number) => [{ address: 'node', port, scope: 'cluster' }] as const;
    world.change([
      service(1, { frontends: at(8080), isOwn: true }, '10.0.1.13:80'),
      service(2, { frontends: at(30080) }, '10.0.1.13:80'),
    ]);
    const ask = (port: number) => `IP(src='10.21.0.5',dst='${LAN}')/TCP(sport=4000,dport=${port},flags='S')`;
    await world.sendFromPeer(ask(8080));
    expect(await world.readOne(3)).toMatchObject({
      sound: true,
      src: '10.21.0.5',
      dst: '10.0.1.13',
      dport: 80,
    });
    await world.send(3, "IP(src='10.0.1.13',dst='10.21.0.5')/TCP(sport=80,dport=4000,flags='SA',ack=1)");
    expect(await world.readOne(TUNNEL)).toMatchObject({
      sound: true,
      src: LAN,
      sport: 8080,
      dst: '10.21.0.5',
    });
    await world.sendFromPeer(ask(30080));
    expect(await world.readOne(NODE)).toMatchObject({ dst: LAN, dport: 30080 });
  });

  it('lets fragments follow their first one, and drops those of none', async () => {
    world.change([service(1, { protocol: 'UDP' }, '10.0.1.13:8080')]);
    const first =
      "IP(src='10.0.0.10',dst='10.96.0.1',id=9,flags='MF')/UDP(sport=4000,dport=80,len=24,chksum=0)/bytes(8)";
    const last = "IP(src='10.0.0.10',dst='10.96.0.1',id=9,frag=2,proto=17)/bytes(8)";
    await world.send(0, last);
    expect(world.harness.drops(0, 'fragment-orphan')).toBe(1);
    await world.send(0, first);
    await world.send(0, last);
    expect((await world.read(3)).map(({ dst }) => dst)).toEqual(['10.0.1.13', '10.0.1.13']);
  });

  it('lets established connections live on while a flood of handshakes fills the table', async () => {
    world.change([service(1, {}, '10.0.1.13:8080')]);
    await world.send(0, "IP(src='10.0.0.10',dst='10.96.0.1')/TCP(sport=4000,dport=80,flags='S',seq=1)");
    await world.send(
      3,
      "IP(src='10.0.1.13',dst='10.0.0.10')/TCP(sport=8080,dport=4000,flags='SA',seq=4,ack=2)",
    );
    await world.send(0, "IP(src='10.0.0.10',dst='10.96.0.1')/TCP(sport=4000,dport=80,flags='A',seq=2,ack=5)");
    for (let source = 1024; source < 21_024; source++) {
      const [mac, own] = ['02700000ff00', macOf(1)];
      world.harness.inject(1, packet(mac, own, '10.0.0.11', '10.96.0.1', 6, source, 80, FLAGS.syn, 0));
      if (source % 100 === 0) world.harness.run();
    }
    world.harness.run();
    const { flows } = world.harness.engine.context;
    expect(flows.countOf(1)).toBeLessThan(flows.share);
    expect(flows.countOf(1)).toBeGreaterThan(1000);
    world.harness.take(3);
    await world.send(
      3,
      "IP(src='10.0.1.13',dst='10.0.0.10')/TCP(sport=8080,dport=4000,flags='A',seq=5,ack=2)",
    );
    expect((await world.read(0)).at(-1)).toMatchObject({ sound: true, src: '10.96.0.1', sport: 80 });
    await world.send(0, "IP(src='10.0.0.10',dst='10.96.0.1')/TCP(sport=4001,dport=80,flags='S',seq=1)");
    expect(await world.readOne(3)).toMatchObject({ sound: true, sport: 4001 });
  });

  it('does so for a client that is a backend itself', async () => {
    world.change([
      service(1, { protocol: 'UDP' }, '10.0.1.13:8080'),
      service(2, { protocol: 'UDP' }, '10.0.0.10:8080'),
    ]);
    await world.send(3, "IP(src='10.0.1.13',dst='10.96.0.2')/UDP(sport=4000,dport=80)");
    expect(await world.readOne(0)).toMatchObject({ dst: '10.0.0.10' });
    await world.send(
      0,
      "IP(src='10.0.0.10',dst='10.96.0.1',id=9,flags='MF')/UDP(sport=4000,dport=80,len=24,chksum=0)/bytes(8)",
    );
    await world.send(0, "IP(src='10.0.0.10',dst='10.96.0.1',id=9,frag=2,proto=17)/bytes(8)");
    expect((await world.read(3)).map(({ dst }) => dst)).toEqual(['10.0.1.13', '10.0.1.13']);
  });

  it('says what is no service’s that it cannot be reached', async () => {
    await world.send(0, "IP(src='10.0.0.10',dst='10.96.0.77')/TCP(sport=4000,dport=80,flags='S')");
    expect(await world.readOne(0)).toMatchObject({ sound: true, type: 3, code: 1 });
  });
});
