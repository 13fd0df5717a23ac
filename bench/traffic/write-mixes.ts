/**
 * `npm run fixtures:mixes -- [DIR]`: writes mixes as capture files, for other programs to replay: every kind of frame
 * sizes with UDP and TCP over IPv4 and IPv6. The same options give the same octets. Times count up by a microsecond.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { Command, InvalidArgumentError } from 'commander';
import { PcapWriter } from '../../src/dataplane/devices/pcap-writer.js';
import { ROOT } from './captures.js';
import { type MixOptions, makeMix } from './mix.js';
import type { Traffic } from './traffic.js';

interface Options {
  readonly flows: number;
  readonly packets: number;
  readonly seed: number;
  readonly destinations: number;
  readonly srcMac: string;
  readonly dstMac: string;
}

/** In networks for benchmarks (RFC 2544 appendix C.2.2, RFC 5180 section 8): no host has them. */
const ADDRESSES = {
  4: { src: '198.18.0.1', dst: '198.19.0.1' },
  6: { src: '2001:2::1', dst: '2001:2:0:1::1' },
} as const;

function whole(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0) return value;
  throw new InvalidArgumentError('a whole number is needed');
}

function* all(options: Options): Generator<MixOptions> {
  for (const kind of ['minimum', 'imix'] as const) {
    for (const protocol of ['udp', 'tcp'] as const) {
      for (const family of [4, 6] as const)
        yield { kind, protocol, family, ...ADDRESSES[family], ...options };
    }
  }
}

function write({ bytes, offsets, lengths, count }: Traffic, path: string): void {
  const writer = new PcapWriter(path);
  const memory = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let i = 0; i < count; i++) writer.append(memory, offsets[i], lengths[i], i);
  writer.close();
}

function main(folder: string, options: Options): void {
  mkdirSync(folder, { recursive: true });
  for (const mix of all(options)) {
    const traffic = makeMix(mix);
    const path = join(folder, `${traffic.name}.pcap`);
    write(traffic, path);
    console.log(`${path}  ${traffic.count} packets`);
  }
}

try {
  new Command('fixtures:mixes')
    .argument('[dir]', 'where to', join(ROOT, 'fixtures', 'mixes'))
    .option('--flows <N>', 'flows of each mix, at most 1,000,000', whole, 1000)
    .option('--packets <N>', 'packets of each mix', whole, 10_000)
    .option('--destinations <N>', 'addresses that flows are spread over', whole, 250)
    .option('--seed <N>', 'gives order and sizes', whole, 1)
    .option('--src-mac <MAC>', 'source of every frame', '02:00:00:09:01:02')
    .option('--dst-mac <MAC>', 'destination of every frame', '02:00:00:09:01:01')
    .action(main)
    .parse();
} catch (error) {
  console.error(`error: MIXES_FAILED: ${(error as Error).message}`);
  process.exitCode = 1;
}
