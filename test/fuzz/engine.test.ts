/**
 * The whole engine, fed with packets of the golden cases changed at random, noise and false offload facts, in
 * bursts over ports of every kind, while time jumps and snapshots change. After each burst: nothing was thrown,
 * every packet is accounted for, every slot is back, and nothing was written where the engine owns nothing.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_FRAME } from '../../src/dataplane/constants.js';
import { linkLocalOf, parseIp, parseMac } from '../../src/wire/address.js';
import { claimsOf, foreignClaim, type Owned } from '../support/frame-claims.js';
import { corpusNames, keepInCorpus, readCorpus } from '../support/fuzz-corpus.js';
import { encapsulated, innerFrames } from '../support/fuzz-datagrams.js';
import { type FuzzCase, fuzzCases, goldenInputs } from '../support/fuzz-packets.js';
import { FUZZ_TIMEOUT, fuzz } from '../support/fuzz-run.js';
import { FuzzSwitch } from '../support/fuzz-switch.js';
import { FUZZ_PEERS, FUZZ_PORTS, FUZZ_TUNNEL, FUZZ_VNIS, fuzzSnapshot } from '../support/fuzz-world.js';

const golden = await goldenInputs();
const fromPeers = golden.filter(({ remote }) => remote !== undefined);
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

const GATEWAYS = SNAPSHOT.domains.map(({ gatewayMac }) => gatewayMac.replaceAll(':', ''));
const OVERLAY_GATEWAY = '02000000ff03';

/** Pods of the overlay behind peer 1. */
const OVERLAY_PODS: readonly Owned[] = [5, 6].map((pod) => {
  const mac = `02:00:00:00:00:0${pod}`;
  const ips = [`10.3.0.1${pod}`, `fd00:3::1${pod}`].map((address) => parseIp(address).words);
  const digitsOfMac = mac.replaceAll(':', '');
  return {
    mac: digitsOfMac,
    gatewayMac: digitsOfMac,
    ips: [...ips, linkLocalOf(parseMac(mac))].map(digits),
  };
});

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
  for (const round of rounds) {
    const packets = round.packets.map((packet) => ({ ...packet, port: id }));
    for (const [port, sent] of fuzzed.run({ ...round, swap: false, packets })) {
      if (port === id) continue;
      const frames = sent.flatMap(({ bytes, ...facts }) =>
        port === FUZZ_TUNNEL ? innerFrames({ bytes, facts }) : [bytes],
      );
      for (const frame of frames) {
        const claims = claimsOf(frame);
        // A router speaks under the MAC address that it has in the network that it routes into.
        const gatewayMac = GATEWAYS.includes(claims.mac) ? claims.mac : own.gatewayMac;
        expect(foreignClaim(claims, { ...own, gatewayMac })).toBe('');
      }
    }
  }
}

/** Prefixes of peer 1 in hexadecimal digits: 10.21.0.0/24 and fd00:21::/64. */
const PEER_PREFIXES = ['0a1500', 'fd00002100000000'];

/** Everything comes from peer 1: what ports here get of it speaks for its pods or comes from its prefixes. */
function expectPeerSources(fuzzed: FuzzSwitch, { rounds }: FuzzCase): void {
  fuzzed.reset();
  for (const round of rounds) {
    const packets = round.packets.map((packet, i) => {
      const isDatagram = packet.remote !== undefined;
      const bytes = isDatagram ? packet.bytes : encapsulated(packet.bytes, FUZZ_VNIS[i % 2]);
      const facts = { ...packet.facts, gsoSize: isDatagram ? packet.facts.gsoSize : 0 };
      return { bytes: bytes.subarray(0, MAX_FRAME), facts, port: FUZZ_TUNNEL, remote: FUZZ_PEERS[0] };
    });
    for (const [port, sent] of fuzzed.run({ ...round, swap: false, packets })) {
      for (const { bytes } of sent) {
        // An overlay's frames never go back into the tunnel.
        if (port === FUZZ_TUNNEL) expect(bytes[6]).toBe(FUZZ_VNIS[0]);
        else expect(foreignToPeer(bytes)).toBe('');
      }
    }
  }
}

function foreignToPeer(frame: Uint8Array): string {
  const claims = claimsOf(frame);
  const { mac, ip = '', hardware } = claims;
  if (GATEWAYS.includes(mac)) {
    if (mac === OVERLAY_GATEWAY && hardware.length > 0) return `claim of ${hardware[0]}`;
    return PEER_PREFIXES.some((prefix) => ip.startsWith(prefix)) ? '' : `IP address ${ip}`;
  }
  const own = OVERLAY_PODS.find((pod) => pod.mac === mac);
  return own === undefined ? `MAC address ${mac}` : foreignClaim(claims, own);
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
    expectPeerSources(fuzzed, found);
  });

  it(
    'loses nothing where packets have to wait',
    () => {
      const cases = fuzzCases(golden, fc.constantFrom(...FUZZ_PORTS));
      const fuzzed = new FuzzSwitch(true);
      let most = 0;
      fuzz(
        'engine with limits',
        cases,
        (one) => {
          expectLaws(fuzzed, one);
          most = Math.max(most, fuzzed.harness.engine.held);
        },
        { budget: 1500 },
      );
      expect(most).toBeGreaterThan(5);
    },
    FUZZ_TIMEOUT,
  );

  it(
    'loses nothing and writes nowhere else',
    () => {
      const keep = (found: unknown) => console.log(`kept as ${keepInCorpus(found as FuzzCase)}`);
      const cases = fuzzCases(golden, fc.constantFrom(...FUZZ_PORTS));
      const fuzzed = new FuzzSwitch();
      fuzz('engine', cases, (one) => expectLaws(fuzzed, one), { budget: 2000, onFound: keep });
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
      fuzz('source guard', cases, check, { budget: 1000, onFound: keep });
    },
    FUZZ_TIMEOUT,
  );

  it(
    'lets no peer speak for anybody but its own',
    () => {
      const keep = (found: unknown) => console.log(`kept as ${keepInCorpus(found as FuzzCase)}`);
      const cases = fuzzCases(fromPeers, fc.constant(FUZZ_TUNNEL));
      const fuzzed = new FuzzSwitch();
      fuzz('tunnel guard', cases, (one) => expectPeerSources(fuzzed, one), { budget: 1000, onFound: keep });
    },
    FUZZ_TIMEOUT,
  );
});
