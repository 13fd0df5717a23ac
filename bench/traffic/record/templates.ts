/** Writes bench/traffic/templates.ts: of each kind the first packet in the captures that a mix can be made of. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../../shell.js';
import { ROOT, readCapture } from '../captures.js';
import { frameOf } from '../traffic.js';
import { pathOf } from './record.js';

interface Source {
  readonly capture: string;
  /** A display filter of tshark for packets that have no IP or TCP options, and carry data to the server. */
  readonly filter: string;
  /** Ethernet, IP and transport header (octets). */
  readonly length: number;
}

const UDP = 'udp.dstport==5201 && udp.length==1260';
const TCP = 'tcp.dstport==5201 && tcp.hdr_len==20 && frame.len==1514';

const SOURCES: Readonly<Record<'udp' | 'tcp', Readonly<Record<4 | 6, Source>>>> = {
  udp: {
    4: { capture: 'udp-v4', filter: UDP, length: 42 },
    6: { capture: 'udp-v6', filter: UDP, length: 62 },
  },
  tcp: {
    4: { capture: 'tcp-no-timestamps-v4', filter: TCP, length: 54 },
    6: { capture: 'tcp-no-timestamps-v6', filter: TCP, length: 74 },
  },
};

const HEAD = `/**
 * The headers that mixes are made of: of data packets that iperf3 sent, from fixtures/captures. Here as text, so that
 * making a mix needs no file. \`npm run fixtures:captures\` writes this file; test/unit/bench/traffic-mix.test.ts holds it
 * to the captures it names.
 */
export interface Template {
  /** Name of the capture, and the number of the packet in it as tshark counts, from 1. */
  readonly capture: string;
  readonly packet: number;
  /** Ethernet, IP and transport header, in hexadecimal digits. */
  readonly header: string;
}

export const TEMPLATES: Readonly<Record<'udp' | 'tcp', Readonly<Record<4 | 6, Template>>>> =`;

export async function writeTemplates(): Promise<void> {
  const { udp, tcp } = SOURCES;
  const found = {
    udp: { 4: await find(udp[4]), 6: await find(udp[6]) },
    tcp: { 4: await find(tcp[4]), 6: await find(tcp[6]) },
  };
  const path = join(ROOT, 'bench/traffic/templates.ts');
  writeFileSync(path, `${HEAD} ${JSON.stringify(found)};\n`);
  run(process.execPath, [join(ROOT, 'node_modules/@biomejs/biome/bin/biome'), 'format', '--write', path]);
}

async function find({ capture, filter, length }: Source): Promise<object> {
  const numbers = run('tshark', [
    '-n',
    '-r',
    pathOf(capture),
    '-Y',
    filter,
    '-T',
    'fields',
    '-e',
    'frame.number',
  ]);
  const packet = Number.parseInt(numbers, 10);
  if (Number.isNaN(packet)) throw new Error(`${capture}: no packet matches ${filter}`);
  const frame = frameOf(await readCapture(capture), packet - 1);
  return { capture, packet, header: Buffer.from(frame.subarray(0, length)).toString('hex') };
}
