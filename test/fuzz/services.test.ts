/**
 * Services by the short way and by the long one: two engines that differ in nothing else get the same packets of clients, the same
 * answers of whoever got those, and the same changes of services. They must send the same octets and count the same; of several
 * answers at once, in any order, since those of different ports may overtake one another.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ServiceSpec } from '../../src/dataplane/service-spec.js';
import { EngineHarness } from '../support/engine-harness.js';
import { FUZZ_TIMEOUT, fuzz } from '../support/fuzz-run.js';
import { FLAGS, macOf, PROTOCOL, packet } from '../support/service-packets.js';
import { NODE, NODE_FRONTENDS, service, TUNNEL, WORLD } from '../unit/dataplane/translation/world.js';

const { TCP, UDP } = PROTOCOL;

interface Send {
  readonly from: number;
  readonly to: string;
  readonly protocol: number;
  readonly source: number;
  readonly flags: number;
  readonly payload: number;
}

type Step =
  | { readonly kind: 'send'; readonly send: Send }
  /** What was sent so many times ago: connections are more than one packet. */
  | { readonly kind: 'again'; readonly ago: number }
  /** Who has got packets answers them: how many, and with which TCP flags. */
  | { readonly kind: 'answer'; readonly flags: number }
  | { readonly kind: 'change'; readonly version: number }
  | { readonly kind: 'wait'; readonly ms: number };

const CLIENTS: Readonly<Record<number, string>> = {
  0: '10.0.0.10',
  1: '10.0.0.11',
  3: '10.0.1.13',
  [NODE]: '203.0.113.9',
};
const SERVERS = [
  '10.96.0.1',
  '10.96.0.2',
  '10.96.0.3',
  NODE_FRONTENDS,
  '10.0.0.11',
  '10.0.1.14',
  '10.21.0.5',
];

/** Of each version other endpoints. */
const VERSIONS: readonly (readonly ServiceSpec[])[] = [
  [],
  [both(1, '10.0.0.11:80', '10.0.1.13:80'), both(2, '10.21.0.5:80'), both(3, '10.0.0.10:80')],
  [both(1, '10.0.1.14:80'), both(2, '10.21.0.5:80', '10.0.0.10:80 unready'), both(3)],
  [both(1, '10.0.0.11:80 draining', '10.0.1.13:80'), both(2, '203.0.113.50:80'), both(3, '10.0.0.11:81')],
].map((list) => list.flat());

function both(id: number, ...backends: string[]): ServiceSpec[] {
  const frontends = [
    { address: `10.96.0.${id}`, port: 80, scope: 'cluster' as const },
    ...(id === 1 ? [{ address: 'node', port: 80, scope: 'cluster' as const }] : []),
  ];
  return [
    service(id, { frontends }, ...backends),
    service(id + 10, { frontends, protocol: 'UDP' }, ...backends),
  ];
}

const arbitrarySend = fc.record({
  from: fc.constantFrom(0, 1, 3, NODE),
  to: fc.constantFrom(...SERVERS),
  protocol: fc.constantFrom(TCP, UDP),
  source: fc.integer({ min: 4000, max: 4003 }),
  flags: fc.constantFrom(FLAGS.syn, FLAGS.ack, FLAGS.ack, FLAGS.finAck, FLAGS.rst),
  payload: fc.constantFrom(0, 1, 20, 1460),
});

const arbitraryStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 8, arbitrary: arbitrarySend.map((send): Step => ({ kind: 'send', send })) },
  { weight: 8, arbitrary: fc.nat(3).map((ago): Step => ({ kind: 'again', ago })) },
  {
    weight: 6,
    arbitrary: fc
      .constantFrom(FLAGS.synAck, FLAGS.ack, FLAGS.ack, FLAGS.finAck)
      .map((flags): Step => ({ kind: 'answer', flags })),
  },
  { weight: 1, arbitrary: fc.nat(VERSIONS.length - 1).map((version): Step => ({ kind: 'change', version })) },
  { weight: 1, arbitrary: fc.constantFrom(1, 3000, 70_000).map((ms): Step => ({ kind: 'wait', ms })) },
);

interface Sent {
  readonly port: number;
  readonly hex: string;
}

class Pair {
  readonly engines = [true, false].map((express) => new EngineHarness(WORLD, { express }));
  private generation = 1;
  private known: readonly ServiceSpec[] = [];
  private waiting: Sent[] = [];
  private readonly sends: Send[] = [];

  /** What each has sent. */
  step(step: Step): Sent[][] {
    switch (step.kind) {
      case 'send':
        this.sends.push(step.send);
        return this.inject([{ port: step.send.from, bytes: request(step.send) }]);
      case 'again': {
        const send = this.sends.at(-1 - step.ago);
        return this.inject(send === undefined ? [] : [{ port: send.from, bytes: request(send) }]);
      }
      case 'answer':
        return this.answer(step.flags);
      case 'change':
        return this.change(VERSIONS[step.version]);
      case 'wait':
        for (const harness of this.engines) harness.now += step.ms;
        return this.inject([]);
    }
  }

  get expressPackets(): number {
    return this.engines[0].engine.counters.cycleCounter('expressPackets');
  }

  private answer(flags: number): Sent[][] {
    const got = this.waiting.filter(({ port }) => port !== TUNNEL);
    this.waiting = [];
    return this.inject(got.flatMap(({ port, hex }) => answerTo(port, Buffer.from(hex, 'hex'), flags)));
  }

  private change(changed: readonly ServiceSpec[]): Sent[][] {
    this.generation++;
    const removed = this.known.map(({ id }) => id);
    for (const { engine } of this.engines)
      engine.changeServices({ generation: this.generation, removed, changed });
    this.known = changed;
    return [[], []];
  }

  private inject(packets: readonly { port: number; bytes: Uint8Array }[]): Sent[][] {
    const sent = this.engines.map((harness) => {
      for (const { port, bytes } of packets) harness.inject(port, bytes);
      harness.run();
      harness.expectAtRest();
      return [...harness.devices].flatMap(([port, device]) =>
        device.take().map(({ bytes }) => ({ port, hex: Buffer.from(bytes).toString('hex') })),
      );
    });
    this.waiting.push(...sent[0]);
    return sent;
  }
}

function request({ from, to, protocol, source, flags, payload }: Send): Uint8Array {
  const gateway = `02700000ff0${from === 3 ? 1 : 0}`;
  return packet(gateway, macOf(from), CLIENTS[from], to, protocol, source, 80, flags, payload);
}

/** From the destination of a packet that a port has got to its source, by the gateway or straight to the neighbour. */
function answerTo(port: number, got: Buffer, flags: number): { port: number; bytes: Uint8Array }[] {
  const protocol = got[23];
  if (got.readUInt16BE(12) !== 0x0800 || (protocol !== TCP && protocol !== UDP)) return [];
  if (protocol === TCP && (got[47] & FLAGS.rst) !== 0) return [];
  const text = (at: number) => [...got.subarray(at, at + 4)].join('.');
  const source = text(26);
  const isNear = port < 3 && source.startsWith('10.0.0.') && source !== '10.0.0.1';
  const gateway = `02700000ff0${port === 3 || port === 4 ? 1 : 0}`;
  const mac = isNear ? macOf(Number(source.split('.')[3]) - 10) : gateway;
  const bytes = packet(
    mac,
    macOf(port),
    text(30),
    source,
    protocol,
    got.readUInt16BE(36),
    got.readUInt16BE(34),
    flags,
    4,
  );
  return [{ port, bytes }];
}

function sorted(sent: readonly Sent[]): string[] {
  return sent.map(({ port, hex }) => `${port} ${hex}`).sort();
}

describe('services, by the short way and the long one', () => {
  let express = 0;

  const compare = (steps: readonly Step[]) => {
    const pair = new Pair();
    pair.step({ kind: 'change', version: 1 });
    for (const step of steps) {
      const [short, long] = pair.step(step).map((sent) => (step.kind === 'answer' ? sorted(sent) : sent));
      expect(short).toEqual(long);
    }
    const counts = pair.engines.map((harness) => ({ ...harness.totals(), drops: harness.dropsByPort() }));
    expect(counts[0]).toEqual(counts[1]);
    express += pair.expressPackets;
  };

  it(
    'send the same and count the same',
    () => {
      fuzz('services', fc.array(arbitraryStep, { minLength: 1, maxLength: 40 }), compare, { budget: 2500 });
    },
    FUZZ_TIMEOUT,
  );

  it('is about packets that did take the short way', () => {
    expect(express).toBeGreaterThan(0);
  });
});
