/**
 * Packets of every kind into a tunnel and out of it, in a process of their own: the heap is not collected beyond what
 * the process itself needs, and does not grow.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { PACKET } from '../../../../src/dataplane/pool.js';
import { GSO } from '../../../../src/wire/virtio-net.js';
import type { TunnelResult, TunnelWorkload } from './no-allocation-run.js';
import { octets, stream, tcpFrame } from './tcp-frame.js';
import { datagram, toHex } from './tunnel-bench.js';

const script = fileURLToPath(
  new URL('../../../../dist/test/unit/dataplane/tunnel/no-allocation-run.js', import.meta.url),
);
const isBuilt = existsSync(script);
const reason = isBuilt ? '' : ' [skipped: needs dist/, which npm run build makes]';

const MEGABYTE = 1 << 20;
/** Collections of the young generation that the process needs for itself. */
const TOLERATED = 2;

/**
 * Code is compiled where it is needed and not by another thread: on a busy machine that is given its time late, and
 * until then numbers are boxed that no compiled code boxes.
 */
const COMPILE_AT_ONCE = ['--no-concurrent-recompilation'];

const NO_OFFLOAD = { flags: 0, gsoType: GSO.NONE, gsoSize: 0, checksumStart: 0, checksumOffset: 0 };

function large(family: 4 | 6, flags: number): TunnelWorkload['packets'][number] {
  const l4 = family === 4 ? 34 : 54;
  // Sequence numbers beyond 2^31 are where V8 would need a box for them.
  const bytes = tcpFrame({ family, flags, sequence: 0xf000_0000, payload: octets(5000), isPartial: true });
  const gsoType = family === 4 ? GSO.TCPV4 : GSO.TCPV6;
  const facts = {
    flags: PACKET.PARTIAL_CHECKSUM,
    gsoType,
    gsoSize: 700,
    checksumStart: l4,
    checksumOffset: 16,
  };
  return { bytes: toHex(bytes), hash: family, facts };
}

function small(hash: number, payload: number): TunnelWorkload['packets'][number] {
  return { bytes: toHex(tcpFrame({ payload: octets(payload) })), hash, facts: NO_OFFLOAD };
}

/** Joined, not joined because of a wrong checksum, of several flows, and malformed. */
function datagrams(): TunnelWorkload['datagrams'] {
  const flows = [1, 2].map((srcPort) => stream([300, 300, 300], { srcPort, sequence: 0x7fff_ff00 }));
  const bundles = [
    stream([300, 300, 300, 7], { family: 6 }),
    stream([300, 300, 300], { sequence: 0xffff_ff00 }, { 1: { tcpError: 1 } }),
    flows[0].flatMap((frame, i) => [frame, flows[1][i]]),
  ];
  return [
    ...bundles.map((frames) => ({
      bytes: toHex(Uint8Array.from(frames.flatMap((frame) => [...datagram(frame)]))),
      size: datagram(frames[0]).length,
    })),
    { bytes: '00'.repeat(90), size: 30 },
  ];
}

function run(rounds: number, leak = false): TunnelResult {
  const packets = [
    large(4, 0x90),
    large(6, 0x10),
    ...[1, 2, 3, 4, 1, 2, 3, 9, 10, 11].map((hash) => small(hash, 60)),
    ...[1, 2].map((hash) => small(hash, 20)),
  ];
  const workload: TunnelWorkload = { rounds, warmUp: 20_000, packets, datagrams: datagrams(), leak };
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    ['--expose-gc', ...COMPILE_AT_ONCE, script],
    {
      input: JSON.stringify(workload),
      encoding: 'utf8',
    },
  );
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  return JSON.parse(stdout) as TunnelResult;
}

describe.skipIf(!isBuilt)(`no allocation in the tunnel${reason}`, () => {
  it('would be seen', () => {
    const { collections, heapGrowth } = run(80_000, true);
    expect(heapGrowth).toBeGreaterThan(MEGABYTE);
    expect(Object.keys(collections).length).toBeGreaterThan(0);
  });

  it('for packets of every kind', () => {
    const rounds = 100_000;
    const { collections, heapGrowth, joined, replicated, dropped, lost } = run(rounds);
    expect(joined).toBeGreaterThan(rounds * 10);
    expect(replicated).toBeGreaterThan(rounds * 10);
    expect(dropped).toBe(3 * rounds);
    expect(lost).toBe(0);
    expect(Object.keys(collections).filter((type) => type !== 'Scavenge')).toEqual([]);
    expect(collections.Scavenge ?? 0).toBeLessThanOrEqual(TOLERATED);
    expect(heapGrowth).toBeLessThan(MEGABYTE);
  });
});
