/** Capture files for tests, read by pcap-parser. */

import type { EventEmitter } from 'node:events';
import { createRequire } from 'node:module';

/** pcap-parser has no types of its own. */
interface PcapParser {
  parse(path: string): EventEmitter;
}

const { parse } = createRequire(import.meta.url)('pcap-parser') as PcapParser;

/** The packets of a classic pcap file, in order. */
export function readPcap(path: string): Promise<Uint8Array[]> {
  return new Promise((resolve, reject) => {
    const packets: Uint8Array[] = [];
    const parser = parse(path);
    parser.on('packetData', (data: Buffer) => packets.push(Uint8Array.from(data)));
    parser.on('end', () => resolve(packets));
    parser.on('error', reject);
  });
}
