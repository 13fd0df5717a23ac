/**
 * `scale.flows`, the half that is in memory: what a million connections through services take, and what it costs to find one among
 * them, beside sixteen. Each has been opened, decided about, and has done its handshake.
 */
import { FlowKey } from '../../src/dataplane/flows/flow-key.js';
import { makeFlowMemory } from '../../src/dataplane/flows/flow-memory.js';
import { FlowTable } from '../../src/dataplane/flows/flow-table.js';
import { FLAG } from '../../src/wire/tcp.js';
import { type Budget, type Case, timeCases } from '../engine/timing.js';
import type { Figure } from '../figure.js';
import { SCALE_FLOWS } from './flows.js';
import { collect, residentMegabytes } from './memory-use.js';
import { figure } from './values.js';

export const FEW_FLOWS = 16;
export const MANY_FLOWS = 1_000_000;
/** As `podwire daemon` has it. */
const CAPACITY = 1_048_576;
const BASELINE = `podwire, ${FEW_FLOWS} flows`;

const TCP = 6;
const SERVER = 0x0a090909;
const PORTS = 0x9c400050 | 0;
const PACKETS = 4096;
const QUERIES = 1 << 16;

export function measureFlowTable(budget: Budget, say: (text: string) => void): Figure[] {
  const few = new Connected(FEW_FLOWS);
  say(`opening ${MANY_FLOWS} flows`);
  collect();
  const before = residentMegabytes();
  const began = performance.now();
  const many = new Connected(MANY_FLOWS);
  const opened = ((performance.now() - began) * 1e6) / MANY_FLOWS;
  collect();
  const memory = residentMegabytes() - before;
  const cases = [few, many].flatMap((one) => [
    one.case('lookup', () => one.lookUp()),
    one.case('track', () => one.track()),
  ]);
  const times = timeCases(cases, budget, say).cases;
  const cost = (metric: string, key: string): Figure =>
    figure(SCALE_FLOWS, { metric, unit: 'ns', better: 'lower' }, times.get(`${key}, ${MANY_FLOWS}`)!, {
      name: BASELINE,
      values: times.get(`${key}, ${FEW_FLOWS}`)!,
    });
  return [
    plain('memory of 1 M connections', 'MB', memory),
    cost('a connection found, among 1 M', 'lookup'),
    cost('a packet found and counted, among 1 M', 'track'),
    plain('a connection opened, decided about, through its handshake', 'ns', opened),
  ];
}

/** What was found last, where anybody could look: so nothing of it is left out. */
export let lastFound = 0;

class Connected {
  private readonly table: FlowTable;
  private readonly clients: Int32Array;
  private next = 0;

  constructor(private readonly count: number) {
    const memory = makeFlowMemory(CAPACITY, 1, 5);
    this.table = new FlowTable({ memory, ports: 4096, quota: memory.capacity });
    const original = new FlowKey(this.table.hash);
    const reply = new FlowKey(this.table.hash);
    for (let n = 0; n < count; n++) this.open(n, original, reply);
    this.clients = Int32Array.from(
      { length: QUERIES },
      (_, i) => 0x0c000000 + ((Math.imul(i + 1, 0x9e3779b1) >>> 4) % count),
    );
  }

  case(name: string, run: () => void): Case {
    return { name: `${name}, ${this.count}`, packets: PACKETS, run };
  }

  lookUp(): void {
    let found = 0;
    for (const client of this.batch()) found += this.table.lookup4(1, TCP, client, SERVER, PORTS, 1);
    lastFound = found;
  }

  track(): void {
    const { table } = this;
    let sum = 0;
    for (const client of this.batch()) {
      const handle = table.lookup4(1, TCP, client, SERVER, PORTS, 1);
      const { state, target } = table.found;
      sum = (sum + target + table.track(handle, state, FLAG.ACK, 1, client, 1, 1500, 1)) | 0;
    }
    lastFound = sum;
  }

  private batch(): Int32Array {
    const from = this.next;
    this.next = (from + PACKETS) & (QUERIES - 1);
    return this.clients.subarray(from, from + PACKETS);
  }

  private open(n: number, original: FlowKey, reply: FlowKey): void {
    const { table } = this;
    original.setIpv4(1, TCP, 0x0c000000 + n, SERVER, PORTS);
    reply.mirror(original, 1);
    reply.source[3] = (0x0b000000 + (n & 0xff)) | 0;
    reply.seal();
    const handle = table.open(original, reply, n & 63, FLAG.SYN, 0);
    table.decide(handle, table.found.state, 1, n, 0, 0);
    table.track(handle, table.found.state, FLAG.SYN, 1, 0, 1, 60, 0);
    table.track(handle + 1, table.found.state, FLAG.SYN | FLAG.ACK, 1, 2, 1, 60, 0);
    table.track(handle, table.found.state, FLAG.ACK, 2, 2, 1, 52, 0);
  }
}

function plain(metric: string, unit: string, value: number): Figure {
  return figure(SCALE_FLOWS, { metric, unit, better: 'lower' }, [value]);
}
