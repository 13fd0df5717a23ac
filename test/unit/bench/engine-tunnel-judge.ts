/** What the tunnel's device of a benchmark was given, and what tshark says of it. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TUNNEL } from '../../../bench/engine/cluster.js';
import type { Batch } from '../../../src/dataplane/batch.js';
import type { Device } from '../../../src/dataplane/device.js';
import type { Engine } from '../../../src/dataplane/engine.js';

/** Keeps the datagrams that it is given, one by one, and the last word of the address that each goes to. */
export class Collector implements Device {
  readonly name = 'collector';
  readonly port = TUNNEL;
  readonly mtu = 65_507;
  readonly offloads = 0;
  readonly carries = 'datagrams';
  readonly batchSize = 0;
  readonly datagrams: { readonly bytes: Uint8Array; readonly to: number }[] = [];

  constructor(private readonly engine: Engine) {}

  receive(): number {
    return 0;
  }

  send(batch: Batch): void {
    const { pool, counters } = this.engine;
    for (const slot of batch.slots.subarray(0, batch.count)) {
      const whole = pool.bytes.slice(pool.at[slot], pool.at[slot] + pool.length[slot]);
      const size = pool.gsoSize[slot] === 0 ? whole.length : pool.gsoSize[slot];
      for (let at = 0; at < whole.length; at += size) {
        this.datagrams.push({ bytes: whole.subarray(at, at + size), to: pool.remote[slot * 4 + 3] >>> 0 });
      }
      counters.sent(TUNNEL, whole.length);
      pool.release(slot);
    }
    batch.clear();
  }

  close(): void {}
}

/** Fields of the innermost headers, a line for each datagram; text2pcap puts Ethernet, IP and UDP before each. */
export function fieldsOf(datagrams: readonly Uint8Array[], names: readonly string[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-engine-'));
  try {
    const [text, capture] = [join(folder, 'datagrams.txt'), join(folder, 'datagrams.pcap')];
    writeFileSync(text, datagrams.map(hexDump).join('\n'));
    execFileSync('text2pcap', ['-q', '-u', '40000,4789', text, capture], { stdio: 'ignore' });
    const checks = ['ip', 'udp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`]);
    const wanted = names.flatMap((name) => ['-e', name]);
    const form = ['-T', 'fields', '-E', 'separator=/s', '-E', 'occurrence=l'];
    const words = ['-n', '-r', capture, '-d', 'udp.port==5201,data', ...checks, ...form, ...wanted];
    return execFileSync('tshark', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      .trimEnd()
      .split('\n')
      .map((line) => line.trimEnd());
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function hexDump(bytes: Uint8Array): string {
  return `0000 ${Array.from(bytes, (octet) => octet.toString(16).padStart(2, '0')).join(' ')}\n`;
}
