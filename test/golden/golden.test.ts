/**
 * Every case of fixtures/ through the engine. Packets in and packets out were built by scapy (fixtures/make.py),
 * so the judge is not the switch's own encoder. Each case runs twice, with either checksum kernel: the same
 * snapshot, packets and clock give the same bytes.
 */
import { describe, expect, it } from 'vitest';
import { plainChecksum, wasmChecksum } from '../../src/wire/checksum-kernel.js';
import { EngineHarness } from '../support/engine-harness.js';
import { type GoldenCase, type GoldenPacket, goldenNames, loadGolden } from '../support/golden-case.js';
import { packetDifference } from '../support/packet-difference.js';

const names = goldenNames();

function run(golden: GoldenCase, checksum: typeof wasmChecksum): EngineHarness {
  const { snapshot, offloads } = golden;
  const harness = new EngineHarness(snapshot, { offloads, checksum });
  for (const { now, inputs } of golden.steps) {
    harness.now = now;
    for (const [port, packets] of inputs) {
      for (const { bytes, facts, remote } of packets) harness.inject(port, bytes, facts, remote);
    }
    harness.run();
  }
  return harness;
}

function sentBy(harness: EngineHarness): Map<number, GoldenPacket[]> {
  const ports = [...harness.devices.keys()];
  return new Map(
    ports.map((port) => [
      port,
      harness.take(port).map(({ bytes, remote, ...facts }) => ({ bytes, facts, remote })),
    ]),
  );
}

function expectPackets(
  expected: ReadonlyMap<number, readonly GoldenPacket[]>,
  actual: ReadonlyMap<number, readonly GoldenPacket[]>,
): void {
  for (const port of new Set([...expected.keys(), ...actual.keys()])) {
    expect(packetDifference(`port ${port}`, expected.get(port) ?? [], actual.get(port) ?? [])).toBe('');
  }
}

function expectCounters({ counters }: GoldenCase, harness: EngineHarness): void {
  harness.expectAtRest();
  expect(harness.dropsByPort()).toEqual(counters.drops);
  expect(harness.totals()).toEqual(counters.totals);
  expect(harness.engine.held).toBe(counters.held);
  const { movedAddresses = 0, suppressedErrors = 0 } = counters;
  expect(harness.engine.counters.cycleCounter('movedAddresses')).toBe(movedAddresses);
  expect(harness.engine.counters.cycleCounter('suppressedErrors')).toBe(suppressedErrors);
}

describe('golden cases', () => {
  it('are there', () => {
    expect(names.length).toBeGreaterThan(0);
  });

  it.each(names)('%s', async (name) => {
    const golden = await loadGolden(name);
    for (const checksum of [wasmChecksum, plainChecksum]) {
      const harness = run(golden, checksum);
      expectPackets(golden.outputs, sentBy(harness));
      expectCounters(golden, harness);
    }
  });
});
