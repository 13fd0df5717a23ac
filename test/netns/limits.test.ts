/**
 * Limits and impairments, judged by iperf3 and ping between two namespaces:
 *
 *     a: eth0 10.99.0.1 ─── data plane, ports limited and impaired ─── b: eth0 10.99.0.2
 *
 * A machine that is busy with other tests may move too little in a second, and make up for it in the next; never may it
 * move far too much. So what is not within a twentieth is measured again.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { probeIoUring } from '../../src/linux/io-uring.js';
import { DataplaneBench, isBuilt } from '../support/netns-dataplane.js';
import { missingPrograms, runIn, spawnIn } from '../support/netns-programs.js';
import { missingForDaemon } from './daemon-support.js';

const missing = missingForDaemon() ?? missingPrograms('iperf3', 'ping') ?? (isBuilt ? undefined : 'dist/');
if (missing) console.log(`skipped: limits judged by iperf3 and ping need ${missing}`);

const B = '10.99.0.2';
const TRIES = 8;
/** TCP payload of a full frame with timestamps, and the frame; the same of UDP. */
const TCP_SHARE = 1448 / 1514;
const UDP_PAYLOAD = 1400;
const UDP_SHARE = UDP_PAYLOAD / (UDP_PAYLOAD + 42);
const ALL = ['0.0.0.0/0', '::/0'];

function isRight(rate: number): boolean {
  return Math.abs(rate - 1) < 0.05;
}

interface Report {
  readonly error?: string;
  readonly end?: { readonly sum_received: { readonly bits_per_second: number } };
}

const drivers = (['uring', 'poll'] as const).filter((io) => io === 'poll' || probeIoUring().available);

describe.skipIf(missing).each(drivers)('limits with --io %s', (io) => {
  let bench: DataplaneBench;

  beforeAll(async () => {
    bench = new DataplaneBench();
    await bench.start({ io });
  });
  afterAll(async () => bench?.cleanup());

  /** Bits of payload that arrive in a second, after one in which TCP finds its pace. */
  async function received(...words: string[]): Promise<number> {
    const server = spawnIn(bench.name('b'), 'iperf3', '-s', '-1');
    try {
      for (let look = 0; ; look++) {
        const client = ['-c', B, '-J', '-t', '2', '-O', '1', ...words];
        const { text } = await runIn(bench.name('a'), 'iperf3', ...client);
        const report = JSON.parse(text) as Report;
        if (report.end?.sum_received !== undefined) return report.end.sum_received.bits_per_second;
        if (look === 50) throw new Error(report.error ?? text);
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    } finally {
      server.kill();
    }
  }

  async function expectRate(bits: number, ...words: string[]): Promise<void> {
    const rates: string[] = [];
    for (let i = 0; i < TRIES; i++) {
      const rate = (await received(...words)) / bits;
      rates.push(rate.toFixed(3));
      expect(rate).toBeLessThan(1.15);
      if (isRight(rate)) break;
    }
    console.log(`${io}: ${rates.join(', ')} of ${(bits / 1e6).toFixed(1)} Mbit/s ${words.join(' ')}`);
    expect(Number(rates.at(-1))).toSatisfy(isRight);
  }

  it.each(io === 'uring' ? [10, 100] : [100])(
    'hold TCP to %i Mbit/s that its port may send',
    async (megabits) => {
      const rate = { bitsPerSecond: megabits * 1e6, burstBytes: megabits * 1250 };
      await bench.limit({ a: { rates: { fromPort: rate } } });
      await expectRate(megabits * 1e6 * TCP_SHARE);
    },
    60_000,
  );

  it('hold TCP and UDP to what the receiver’s port may be sent', async () => {
    const rate = { bitsPerSecond: 20e6, burstBytes: 20_000 };
    await bench.limit({ b: { rates: { toPort: rate } } });
    await expectRate(20e6 * TCP_SHARE);
    await expectRate(20e6 * UDP_SHARE, '-u', '-b', '40M', '-l', String(UDP_PAYLOAD));
  }, 60_000);

  it('delay each direction by what it is given, and lose nothing', async () => {
    await bench.limit({
      a: {
        impairments: [
          { direction: 'from-port', prefixes: ALL, delayMs: 30 },
          { direction: 'to-port', prefixes: [`${B}/32`], delayMs: 20 },
        ],
      },
    });
    const { text } = await runIn(bench.name('a'), 'ping', '-c10', '-i0.05', '-W10', B);
    const [, least] = /= ([\d.]+)\/[\d.]+\//.exec(text) ?? [];
    console.log(`${io}: round trip of 50 ms is ${least} at least`);
    expect(text).toContain(' 10 received');
    expect(Number(least)).toBeGreaterThanOrEqual(50);
    expect(Number(least)).toBeLessThan(150);
  }, 60_000);

  it('lose the share that they are given', async () => {
    await bench.limit({ b: { impairments: [{ direction: 'to-port', prefixes: ALL, loss: 0.3 }] } });
    const { text } = await runIn(bench.name('a'), 'ping', '-c300', '-i0.002', '-W1', B);
    const [, got] = / (\d+) received/.exec(text) ?? [];
    expect(Number(got)).toBeGreaterThan(150);
    expect(Number(got)).toBeLessThan(255);
  }, 60_000);

  it('are over when they are taken away', async () => {
    await bench.limit({});
    const { text } = await runIn(bench.name('a'), 'ping', '-c20', '-i0.01', '-W10', B);
    expect(text).toContain(' 20 received');
  });
});
