/**
 * The whole engine, fed with packets of the golden cases changed at random, noise and false offload facts, in
 * bursts over ports of every kind, while time jumps and snapshots change. After each burst: nothing was thrown,
 * every packet is accounted for, every slot is back, and nothing was written where the engine owns nothing.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { linkLocalOf, parseIp, parseMac } from '../../src/wire/address.js';
import { claimsOf, foreignClaim, type Owned } from '../support/frame-claims.js';
import { corpusNames, keepInCorpus, readCorpus } from '../support/fuzz-corpus.js';
import { type FuzzCase, fuzzCases, goldenInputs } from '../support/fuzz-packets.js';
import { FUZZ_TIMEOUT, fuzz } from '../support/fuzz-run.js';
import { FuzzSwitch } from '../support/fuzz-switch.js';
import { FUZZ_PORTS, fuzzSnapshot } from '../support/fuzz-world.js';

const golden = await goldenInputs();
const SNAPSHOT = fuzzSnapshot(true);
const GUARDED = SNAPSHOT.ports.filter(({ guard }) => guard).map(({ id }) => id);

function expectLaws(fuzzed: FuzzSwitch, { rounds }: FuzzCase): void {
  fuzzed.reset();
  for (const round of rounds) {
    fuzzed.run(round);
    expect(fuzzed.violation()).toBe('');
  }
}

function digits(words: ArrayLike<number>): string {
  return Array.from(words, (word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
}

function ownedBy(id: number): Owned {
  const { mac, addresses, attachment } = SNAPSHOT.ports.find((port) => port.id === id)!;
  const domain = SNAPSHOT.domains.find((one) => attachment.kind === 'domain' && one.id === attachment.domain);
  const ips = [...addresses.map((address) => parseIp(address).words), linkLocalOf(parseMac(mac))];
  return {
    mac: mac.replaceAll(':', ''),
    gatewayMac: domain?.gatewayMac.replaceAll(':', '') ?? '',
    ips: ips.map(digits),
  };
}

/** Everything comes from port `id`; what other ports get of it must speak under no other name. */
function expectOwnSources(fuzzed: FuzzSwitch, id: number, { rounds }: FuzzCase): void {
  fuzzed.reset();
  const own = ownedBy(id);
  const gateways = SNAPSHOT.domains.map(({ gatewayMac }) => gatewayMac.replaceAll(':', ''));
  for (const round of rounds) {
    const packets = round.packets.map((packet) => ({ ...packet, port: id }));
    for (const [port, sent] of fuzzed.run({ ...round, swap: false, packets })) {
      if (port === id) continue;
      for (const { bytes } of sent) {
        const claims = claimsOf(bytes);
        // A router speaks under the MAC address that it has in the network that it routes into.
        const gatewayMac = gateways.includes(claims.mac) ? claims.mac : own.gatewayMac;
        expect(foreignClaim(claims, { ...own, gatewayMac })).toBe('');
      }
    }
  }
}

describe('fuzzing the engine', () => {
  it('has packets to change', () => {
    expect(golden.length).toBeGreaterThan(100);
  });

  it.each(corpusNames())('replays %s', (name) => {
    const found = readCorpus(name);
    const fuzzed = new FuzzSwitch();
    expectLaws(fuzzed, found);
    for (const id of GUARDED) expectOwnSources(fuzzed, id, found);
  });

  it(
    'loses nothing and writes nowhere else',
    () => {
      const keep = (found: unknown) => console.log(`kept as ${keepInCorpus(found as FuzzCase)}`);
      const cases = fuzzCases(golden, fc.constantFrom(...FUZZ_PORTS));
      const fuzzed = new FuzzSwitch();
      fuzz('engine', cases, (one) => expectLaws(fuzzed, one), { budget: 5000, onFound: keep });
    },
    FUZZ_TIMEOUT,
  );

  it(
    'lets no guarded port speak under a foreign name',
    () => {
      const keep = (found: unknown) =>
        console.log(`kept as ${keepInCorpus((found as [number, FuzzCase])[1])}`);
      const cases = fc.tuple(fc.constantFrom(...GUARDED), fuzzCases(golden, fc.constantFrom(...GUARDED)));
      const fuzzed = new FuzzSwitch();
      const check = ([id, one]: [number, FuzzCase]) => expectOwnSources(fuzzed, id, one);
      fuzz('source guard', cases, check, { budget: 3000, onFound: keep });
    },
    FUZZ_TIMEOUT,
  );
});
