/** A flow table, keys for it, and packets told to it. */

import { FlowKey } from '../../../../src/dataplane/flows/flow-key.js';
import { type FlowMemory, makeFlowMemory } from '../../../../src/dataplane/flows/flow-memory.js';
import { FlowReader, type FlowRow } from '../../../../src/dataplane/flows/flow-reader.js';
import { FlowTable, type FlowTableOptions } from '../../../../src/dataplane/flows/flow-table.js';
import { FLAG } from '../../../../src/wire/tcp.js';

export const { SYN, ACK, FIN, RST, PSH } = FLAG;
export const UDP = 17;
export const TCP = 6;
export const GRE = 47;

export interface Rig {
  readonly memory: FlowMemory;
  readonly table: FlowTable;
  readonly reader: FlowReader;
  readonly original: FlowKey;
  readonly reply: FlowKey;
}

export function rig(capacity: number, options: Partial<FlowTableOptions> = {}): Rig {
  const memory = options.memory ?? makeFlowMemory(capacity, 1, 7);
  const table = new FlowTable({ ports: 8, ...options, memory });
  return {
    memory,
    table,
    reader: new FlowReader(memory),
    original: new FlowKey(table.hash),
    reply: new FlowKey(table.hash),
  };
}

/** Opens flow number `n` of `port`: from 10.0.0.0 + n to 10.9.9.9. */
export function open(
  { table, original, reply }: Rig,
  protocol: number,
  n: number,
  port = 1,
  now = 0,
  flags = 0,
) {
  original.setIpv4(1, protocol, 0x0a000000 + n, 0x0a090909, 0x9c400050);
  reply.mirror(original, 1);
  return table.open(original, reply, port, flags, now);
}

export function find({ table }: Rig, protocol: number, n: number, now = 0, way = 0): number {
  return way === 0
    ? table.lookup4(1, protocol, 0x0a000000 + n, 0x0a090909, 0x9c400050, now)
    : table.lookup4(1, protocol, 0x0a090909, 0x0a000000 + n, 0x00509c40, now);
}

/** Looks a packet of flow `n` up and tells of it; -1 where there is no such flow. */
export function pass(
  one: Rig,
  protocol: number,
  n: number,
  way: number,
  now = 0,
  flags = 0,
  seq = 0,
  ack = 0,
) {
  const handle = find(one, protocol, n, now, way);
  if (handle < 0) return -1;
  return one.table.track(handle, one.table.found.state, flags, seq, ack, 1, 100, now);
}

export function rows({ reader, memory }: Rig, now = 0): FlowRow[] {
  const list: FlowRow[] = [];
  let place = 0;
  while (place >= 0) place = reader.read(place, Math.min(3, memory.capacity), now, (row) => list.push(row));
  return list;
}
