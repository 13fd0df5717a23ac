/**
 * The captures of real traffic, fixtures/captures, as traffic for benchmarks. `npm run fixtures:captures` makes them
 * anew; what each one is, its README says.
 */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { readCapture as readFile } from '../../src/dataplane/devices/pcap-capture.js';
import type { Traffic } from './traffic.js';

/** Runs from bench/ in tests and from dist/bench/ otherwise: the folder is where package.json is. */
function rootOf(folder: string): string {
  return existsSync(join(folder, 'package.json')) ? folder : rootOf(dirname(folder));
}

export const ROOT = rootOf(import.meta.dirname);
export const CAPTURES = join(ROOT, 'fixtures', 'captures');

const ENDING = '.pcap';

/** In alphabetical order. */
export function captureNames(): string[] {
  return readdirSync(CAPTURES)
    .filter((name) => name.endsWith(ENDING))
    .map((name) => name.slice(0, -ENDING.length))
    .sort();
}

/** @throws PcapError where there is no such capture. */
export async function readCapture(name: string): Promise<Traffic> {
  const { view, at, length, count } = await readFile(join(CAPTURES, name + ENDING));
  const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  return { name, bytes, offsets: at, lengths: length, count };
}
