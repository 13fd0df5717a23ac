/**
 * A case of policies with packets: two nodes with an engine each, the tunnel between them carried by hand. Pods of a node are
 * neighbours in its subnet, 10.0.N.0/24; those of the other are behind the tunnel.
 *
 * Each pair of pods opens a connection for each of the case's ports. At the client's node it gets out where egress lets it, at the server's
 * it gets in where ingress does, whatever the other end says; and where both do, the answer comes back.
 */
import type { Snapshot } from '../../src/dataplane/snapshot.js';
import { EngineHarness } from './engine-harness.js';
import { CaseCluster, type CaseEnd, type PolicyCase } from './policy-cases.js';
import type { OracleQuestion } from './policy-manifests.js';
import { judge } from './policy-oracle.js';
import { PlannedNode, portOf } from './policy-planned.js';
import { FLAGS, PROTOCOL, packet } from './service-packets.js';

const TUNNEL = 99;
const NETWORK = 'default';
/** VXLAN with VNI 1 (RFC 7348 section 5). */
const OUTER = Uint8Array.of(8, 0, 0, 0, 0, 0, 1, 0);
/** Above all ports that are asked for, so that a connection is its opener's. */
const FIRST_PORT = 60_100;
const PORTS = 5000;

const hex = (text: string): string => text.replaceAll(':', '');
const gatewayMac = (node: number): string => `02:70:00:00:ff:0${node}`;
const vtepMac = (node: number): string => `02:70:00:00:fe:0${node}`;
const macOf = (port: number): string => `02:70:00:00:01:${port.toString(16).padStart(2, '0')}`;
const otherOf = (node: number): number => 3 - node;

interface Pod {
  readonly address: string;
  readonly port: number;
  readonly node: number;
}

export class PolicyEngines {
  private readonly cluster = new CaseCluster();
  private readonly engines: ReadonlyMap<number, EngineHarness>;
  private source = 0;
  /** Connections that were tried. */
  tried = 0;

  constructor(private readonly one: PolicyCase) {
    const planned = new Map([1, 2].map((node) => [node, new PlannedNode(`n${node}`)]));
    for (const step of [...one.first, ...one.later]) {
      if (step.kind !== 'tell') this.cluster.set(step);
      for (const node of planned.values()) node.step(step);
    }
    const ends = [...this.cluster.ends(undefined)].flatMap(([address, end]) => podAt(address, end) ?? []);
    this.engines = new Map(
      [...planned].map(([node, { plan }]) => {
        const pods = ends.filter((pod) => pod.node === node);
        const harness = new EngineHarness(snapshotOf(node, pods), { slots: 64 });
        harness.engine.changePolicies({ ...plan.whole(), generation: 2 });
        return [node, harness];
      }),
    );
  }

  /** @throws what differs from the oracle. */
  check(): void {
    const ends = this.cluster.ends(undefined);
    for (const question of this.cluster.questions(this.one)) {
      const [from, to] = [question.from, question.to].map((address) => podAt(address, ends.get(address)));
      if (question.overlay === undefined && from && to && isPlain(question)) this.connect(question, from, to);
    }
  }

  private connect(question: OracleQuestion, from: Pod, to: Pod): void {
    const { egress, ingress } = judge(this.cluster.oracle, question);
    if ([egress, ingress].some(({ isOpen, isBefore }) => isOpen || isBefore)) return;
    this.tried++;
    const source = FIRST_PORT + (this.source++ % PORTS);
    const protocol = question.protocol === 'TCP' ? PROTOCOL.TCP : PROTOCOL.UDP;
    const port = question.port!;
    const ask = (toMac: string, fromMac: string): Uint8Array =>
      packet(hex(toMac), hex(fromMac), from.address, to.address, protocol, source, port, FLAGS.syn, 4);
    const answer = (toMac: string, fromMac: string): Uint8Array =>
      packet(hex(toMac), hex(fromMac), to.address, from.address, protocol, port, source, FLAGS.synAck, 4);
    const said = (what: string, got: boolean, wanted: boolean): void => {
      if (got === wanted) return;
      const text = `${what} of ${question.protocol} ${port} from ${from.address} to ${to.address}`;
      throw new Error(`${text}: ${got}, not ${wanted}; egress ${egress.why}, ingress ${ingress.why}`);
    };
    const isAllowed = egress.allowed && ingress.allowed;
    if (from.node === to.node) {
      const [client, server] = [macOf(from.port), macOf(to.port)];
      said('arrival', this.carry(from.node, from.port, ask(server, client), to.port), isAllowed);
      if (isAllowed) said('answer', this.carry(from.node, to.port, answer(client, server), from.port), true);
      return;
    }
    const out = ask(gatewayMac(from.node), macOf(from.port));
    said('departure', this.carry(from.node, from.port, out, TUNNEL), egress.allowed);
    const into = inTunnel(ask(vtepMac(to.node), vtepMac(from.node)));
    said('arrival', this.carry(to.node, TUNNEL, into, to.port), ingress.allowed);
    if (!isAllowed) return;
    const back = answer(gatewayMac(to.node), macOf(to.port));
    said('answer, on its way', this.carry(to.node, to.port, back, TUNNEL), true);
    const home = inTunnel(answer(vtepMac(from.node), vtepMac(to.node)));
    said('answer', this.carry(from.node, TUNNEL, home, from.port), true);
  }

  /** Whether what comes in at the one port goes out of the other. */
  private carry(node: number, port: number, bytes: Uint8Array, out: number): boolean {
    const harness = this.engines.get(node)!;
    harness.inject(port, bytes);
    harness.run();
    return harness.take(out).length === 1;
  }
}

/** Connections of TCP and UDP over IPv4. */
function isPlain({ protocol, port, from }: OracleQuestion): boolean {
  return (protocol === 'TCP' || protocol === 'UDP') && port !== undefined && !from.includes(':');
}

function podAt(address: string, end: CaseEnd | undefined): Pod | undefined {
  if (end === undefined || address.includes(':')) return undefined;
  return { address, port: portOf(end.slot, NETWORK), node: Number(end.pod.node.slice(1)) };
}

function inTunnel(frame: Uint8Array): Uint8Array {
  return Buffer.concat([OUTER, frame]);
}

function snapshotOf(node: number, pods: readonly Pod[]): Snapshot {
  const other = otherOf(node);
  const own = { prefix: `10.0.${node}.0/24`, kind: 'connected', domain: 0 } as const;
  return {
    generation: 1,
    ports: [
      ...pods.map(({ address, port }) => ({
        ...{ id: port, name: `default/p${port}`, mac: macOf(port), addresses: [address] },
        ...{ attachment: { kind: 'domain', domain: 0 } as const, routeTable: 0, mtu: 1400 },
        ...{ guard: true, policed: true },
      })),
      {
        ...{ id: TUNNEL, name: 'tunnel', mac: vtepMac(node), addresses: [] },
        ...{ attachment: { kind: 'tunnel', domain: 1 } as const, routeTable: 1, mtu: 1500, guard: false },
      },
    ],
    domains: [
      { id: 0, name: 'default', gatewayMac: gatewayMac(node), gateways: [`10.0.${node}.1`], learning: false },
      {
        id: 1,
        name: 'tunnel',
        gatewayMac: vtepMac(node),
        gateways: [`10.0.${node}.1`],
        learning: false,
        vni: 1,
      },
    ],
    routes: [
      { table: 0, ...own },
      { table: 1, ...own },
    ],
    neighbours: pods.map(({ address, port }) => ({ domain: 0, address, mac: macOf(port), port })),
    tunnel: { port: TUNNEL, domain: 1 },
    peers: [
      {
        ...{ id: other, name: `n${other}`, address: `192.168.0.${other}`, port: 4789, mac: vtepMac(other) },
        ...{ prefixes: [`10.0.${other}.0/24`], routedIn: [0], mtu: 1400 },
      },
    ],
  };
}
