/**
 * Golden cases: fixtures/<case>/ as fixtures/make.py writes it.
 *
 *     state.json            a Snapshot; `offloads` by port; `steps`, with the clock of each
 *     in/<step>-<port>.pcap  what the port's device receives; .json beside it: offload facts
 *     out/<port>.pcap        what the port's device is given to send; .json beside it: offload facts
 *     counters.json         totals, drops by port and reason, and what is still held
 *
 * The tunnel's port carries datagrams: its captures show them in their outer headers, and the .json beside says how
 * many lie in each slot.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { OFFLOAD } from '../../src/dataplane/device.js';
import type { OffloadFacts } from '../../src/dataplane/devices/memory.js';
import { PACKET } from '../../src/dataplane/pool.js';
import type { Snapshot } from '../../src/dataplane/snapshot.js';
import { GSO } from '../../src/wire/virtio-net.js';
import { datagramsOf, type Side } from './golden-datagrams.js';
import { readPcap } from './pcap.js';

export const FIXTURES = join(import.meta.dirname, '..', '..', 'fixtures');

/** A frame and what virtio's header says of it. */
export interface GoldenPacket {
  readonly bytes: Uint8Array;
  readonly facts: OffloadFacts;
  /** Of a datagram: underlay address and UDP port of the other end, `192.168.77.2 4789`. */
  readonly remote?: string;
}

export interface GoldenStep {
  /** The clock (ms). */
  readonly now: number;
  /** By port. */
  readonly inputs: ReadonlyMap<number, readonly GoldenPacket[]>;
}

export interface GoldenCounters {
  readonly totals: Readonly<Record<string, number>>;
  readonly held: number;
  readonly drops: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly movedAddresses?: number;
  readonly suppressedErrors?: number;
}

export interface GoldenCase {
  readonly name: string;
  readonly snapshot: Snapshot;
  /** Bits of OFFLOAD by port. */
  readonly offloads: Readonly<Record<number, number>>;
  readonly steps: readonly GoldenStep[];
  /** By port; a port without an entry sends nothing. */
  readonly outputs: ReadonlyMap<number, readonly GoldenPacket[]>;
  readonly counters: GoldenCounters;
}

interface StateFile extends Snapshot {
  readonly offloads: Readonly<Record<string, readonly (keyof typeof OFFLOAD)[]>>;
  readonly steps: readonly { readonly now: number }[];
}

interface FactsEntry {
  readonly flags: readonly (keyof typeof PACKET)[];
  /** GSO names, joined by `|`. */
  readonly gsoType: string;
  readonly gsoSize: number;
  readonly checksumStart: number;
  readonly checksumOffset: number;
}

const NO_FACTS: FactsEntry = { flags: [], gsoType: 'NONE', gsoSize: 0, checksumStart: 0, checksumOffset: 0 };

export function goldenNames(): string[] {
  return readdirSync(FIXTURES)
    .filter((name) => existsSync(join(FIXTURES, name, 'state.json')))
    .sort();
}

export async function loadGolden(name: string): Promise<GoldenCase> {
  const folder = join(FIXTURES, name);
  const { offloads, steps, ...snapshot } = readJson<StateFile>(join(folder, 'state.json'));
  const tunnel = snapshot.tunnel?.port;
  return {
    name,
    snapshot,
    offloads: Object.fromEntries(
      Object.entries(offloads).map(([port, names]) => [port, bits(OFFLOAD, names)]),
    ),
    steps: await Promise.all(
      steps.map(async ({ now }, i) => ({
        now,
        inputs: await readPorts(join(folder, 'in'), `${i + 1}-`, 'source', tunnel),
      })),
    ),
    outputs: await readPorts(join(folder, 'out'), '', 'destination', tunnel),
    counters: readJson(join(folder, 'counters.json')),
  };
}

/** The captures named `<prefix><port>.pcap`, in the order of port numbers. */
async function readPorts(
  folder: string,
  prefix: string,
  side: Side,
  tunnel: number | undefined,
): Promise<Map<number, GoldenPacket[]>> {
  const ports = existsSync(folder)
    ? readdirSync(folder)
        .filter((file) => file.startsWith(prefix) && file.endsWith('.pcap'))
        .map((file) => Number(file.slice(prefix.length, -'.pcap'.length)))
        .sort((a, b) => a - b)
    : [];
  const packets = ports.map(async (port) => {
    const path = join(folder, `${prefix}${port}`);
    return [port, await (port === tunnel ? readDatagrams(path, side) : readPackets(path))] as const;
  });
  return new Map(await Promise.all(packets));
}

async function readPackets(path: string): Promise<GoldenPacket[]> {
  const frames = await readPcap(`${path}.pcap`);
  const facts = existsSync(`${path}.json`) ? readJson<FactsEntry[]>(`${path}.json`) : [];
  return frames.map((bytes, i) => ({ bytes, facts: toFacts(facts[i] ?? NO_FACTS) }));
}

async function readDatagrams(path: string, side: Side): Promise<GoldenPacket[]> {
  const frames = await readPcap(`${path}.pcap`);
  const slots = existsSync(`${path}.json`) ? readJson<{ datagrams: number }[]>(`${path}.json`) : [];
  return datagramsOf(
    frames,
    slots.map(({ datagrams }) => datagrams),
    side,
  );
}

function toFacts(entry: FactsEntry): OffloadFacts {
  const gsoTypes = entry.gsoType.split('|') as (keyof typeof GSO)[];
  return { ...entry, flags: bits(PACKET, entry.flags), gsoType: bits(GSO, gsoTypes) };
}

function bits<Name extends string>(values: Readonly<Record<Name, number>>, names: readonly Name[]): number {
  return names.reduce((sum, name) => sum | values[name], 0);
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(path, 'utf8')) as T;
}
