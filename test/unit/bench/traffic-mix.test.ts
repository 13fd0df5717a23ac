/** Mixes: their frames judged by tshark, their headers by the captures they are from. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readCapture } from '../../../bench/traffic/captures.js';
import { EPHEMERAL_PORTS, type MixOptions, makeMix, SERVICE_PORT } from '../../../bench/traffic/mix.js';
import { TEMPLATES } from '../../../bench/traffic/templates.js';
import { frameOf, type Traffic } from '../../../bench/traffic/traffic.js';
import { PcapWriter } from '../../../src/dataplane/devices/pcap-writer.js';
import { missingPrograms } from '../../support/netns-programs.js';
import { processorCost } from '../../support/processor-cost.js';

const ADDRESSES = {
  4: { src: '198.18.0.1', dst: '198.18.255.254' },
  6: { src: '2001:2::1', dst: '2001:2::1:fffe' },
} as const;

function mixOf(options: Partial<MixOptions> = {}): MixOptions {
  const family = options.family ?? 4;
  return {
    ...{ kind: 'minimum', flows: 100, packets: 240, seed: 7, family, protocol: 'udp', destinations: 3 },
    ...{ srcMac: '02:00:00:00:00:01', dstMac: '02:00:00:00:00:02', ...ADDRESSES[family], ...options },
  };
}

const EVERY = (['minimum', 'imix'] as const).flatMap((kind) =>
  (['udp', 'tcp'] as const).flatMap((protocol) =>
    ([4, 6] as const).map((family) => ({ kind, protocol, family })),
  ),
);

function digest({ bytes }: Traffic): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function write({ bytes, offsets, lengths, count }: Traffic, path: string): void {
  const writer = new PcapWriter(path);
  for (let i = 0; i < count; i++) writer.append(new DataView(bytes.buffer), offsets[i], lengths[i], i);
  writer.close();
}

/** A line of these fields for each packet. What is behind the ports is data: some port or other means a protocol. */
function fields(traffic: Traffic, names: readonly string[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'podwire-mix-'));
  try {
    const path = join(folder, 'mix.pcap');
    write(traffic, path);
    const checks = ['ip', 'udp', 'tcp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`]);
    const data = ['udp', 'tcp'].flatMap((protocol) => ['-d', `${protocol}.port==5201-5300,data`]);
    const wanted = names.flatMap((name) => ['-e', name]);
    const words = ['-n', '-r', path, ...checks, ...data, '-T', 'fields', '-E', 'separator=/s', ...wanted];
    return execFileSync('tshark', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
      .replace(/\n$/, '')
      .split('\n');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** tshark's word for a right checksum. */
const GOOD = '1';

/** Whether checksums are right, and what tshark has against the packet. */
function verdicts(traffic: Traffic, { family, protocol }: MixOptions): string[] {
  const ip = family === 4 ? ['ip.checksum.status'] : [];
  return fields(traffic, [...ip, `${protocol}.checksum.status`, '_ws.malformed']);
}

function expected({ family }: MixOptions): string {
  return family === 4 ? `${GOOD} ${GOOD} ` : `${GOOD} `;
}

const missing = missingPrograms('tshark');
const reason = missing === undefined ? '' : ` [skipped: needs ${missing}]`;

describe.skipIf(missing !== undefined)(`a mix, to tshark${reason}`, () => {
  it.each(EVERY)('of $kind $protocol over IPv$family is right in every packet', (options) => {
    const mix = mixOf(options);
    const traffic = makeMix(mix);
    expect(verdicts(traffic, mix)).toEqual(new Array(traffic.count).fill(expected(mix)));
  });

  it('is wrong where an octet is', () => {
    const mix = mixOf();
    const traffic = makeMix(mix);
    traffic.bytes[traffic.offsets[4] + 50] ^= 1;
    const wrong = verdicts(traffic, mix).flatMap((verdict, index) =>
      verdict === expected(mix) ? [] : [index],
    );
    expect(wrong).toEqual([4]);
  });

  it.each([4, 6] as const)('has the addresses and ports of its flows over IPv%i', (family) => {
    const ip = family === 4 ? 'ip' : 'ipv6';
    const traffic = makeMix(mixOf({ family, flows: 7, packets: 7, protocol: 'tcp' }));
    const names = ['eth.src', 'eth.dst', `${ip}.src`, `${ip}.dst`, 'tcp.srcport', 'tcp.dstport'];
    const to =
      family === 4
        ? ['198.18.255.254', '198.18.255.255', '198.19.0.0']
        : ['2001:2::1:fffe', '2001:2::1:ffff', '2001:2::2:0'];
    const flows = Array.from({ length: 7 }, (_, flow) => {
      const macs = '02:00:00:00:00:01 02:00:00:00:00:02';
      return `${macs} ${ADDRESSES[family].src} ${to[flow % 3]} ${EPHEMERAL_PORTS.first + flow} ${SERVICE_PORT}`;
    });
    expect(fields(traffic, names).sort()).toEqual(flows.sort());
  });
});

describe('a mix', () => {
  it('is the same for a seed, and another for another', () => {
    const once = digest(makeMix(mixOf({ kind: 'imix' })));
    expect(digest(makeMix(mixOf({ kind: 'imix' })))).toBe(once);
    expect(digest(makeMix(mixOf({ kind: 'imix', seed: 8 })))).not.toBe(once);
  });

  it('has the shortest frames, or 7:4:1 of them and two longer', () => {
    expect(new Set(makeMix(mixOf()).lengths)).toEqual(new Set([60]));
    expect(new Set(makeMix(mixOf({ family: 6 })).lengths)).toEqual(new Set([62]));
    expect(new Set(makeMix(mixOf({ family: 6, protocol: 'tcp' })).lengths)).toEqual(new Set([74]));
    const { lengths } = makeMix(mixOf({ kind: 'imix', packets: 1200 }));
    const counts = [60, 590, 1514].map((size) => lengths.filter((length) => length === size).length);
    expect(counts).toEqual([700, 400, 100]);
  });

  it('has a million flows, each of them once, in no order', () => {
    let traffic = makeMix(mixOf());
    const cost = processorCost(() => {
      traffic = makeMix(mixOf({ flows: 1_000_000, packets: 1_000_000, destinations: 1 }));
    }, 1);
    expect(cost).toBeLessThan(3000);
    const view = new DataView(traffic.bytes.buffer);
    const seen = new Uint8Array(36 * EPHEMERAL_PORTS.count);
    let ascending = 0;
    let last = -1;
    for (const at of traffic.offsets) {
      const service = view.getUint16(at + 36) - SERVICE_PORT;
      const flow = service * EPHEMERAL_PORTS.count + view.getUint16(at + 34) - EPHEMERAL_PORTS.first;
      seen[flow]++;
      if (flow > last) ascending++;
      last = flow;
    }
    expect(seen.subarray(0, 1_000_000).every((times) => times === 1)).toBe(true);
    expect(Math.abs(ascending / 1_000_000 - 0.5)).toBeLessThan(0.01);
    expect(traffic.bytes.length).toBe(60_000_000);
  });

  it('spreads the packets beyond the first of each flow evenly', () => {
    const { bytes, offsets } = makeMix(mixOf({ flows: 10, packets: 100_010, destinations: 1 }));
    const view = new DataView(bytes.buffer);
    const counts = new Array<number>(10).fill(0);
    for (const at of offsets) counts[view.getUint16(at + 34) - EPHEMERAL_PORTS.first]++;
    // Four standard deviations of a binomial: 10,000 ± 380.
    expect(Math.max(...counts.map((count) => Math.abs(count - 10_001)))).toBeLessThan(380);
  });

  it.each<[string, Partial<MixOptions>]>([
    ['flows is 0', { flows: 0 }],
    ['flows is 1000001', { flows: 1_000_001 }],
    ['packets is 1.5', { packets: 1.5 }],
    ['must be IPv6 addresses', { family: 6, src: '198.18.0.1' }],
    ['no 3 addresses from 255.255.255.254', { dst: '255.255.255.254' }],
  ])('refuses: %s', (text, options) => {
    expect(() => makeMix(mixOf(options))).toThrow(text);
  });
});

describe('templates', () => {
  const templates = [TEMPLATES.udp[4], TEMPLATES.udp[6], TEMPLATES.tcp[4], TEMPLATES.tcp[6]];
  it.each(templates)('packet $packet of $capture', async ({ capture, packet, header }) => {
    const frame = frameOf(await readCapture(capture), packet - 1);
    expect(Buffer.from(frame).toString('hex').slice(0, header.length)).toBe(header);
  });
});
