/**
 * Engines side by side that share what they learn, under random packets, moves, full rings, ports that change their
 * domain or their owner while engines still have different snapshots, and time. In the end all know the same, it is
 * true, and nothing is left of what was taken away.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FUZZ_TIMEOUT, fuzz } from '../support/fuzz-run.js';
import { DOMAINS, type GossipStep, GossipWorld, PORTS, STRANGERS, WORKERS } from '../support/gossip-world.js';

const port = fc.nat(PORTS - 1);
const engine = fc.nat(WORKERS - 1);
const stranger = fc.nat(STRANGERS - 1);
const step: fc.Arbitrary<GossipStep> = fc.oneof(
  { weight: 20, arbitrary: fc.record({ do: fc.constant('hear' as const), port, stranger }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('burst' as const), port }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('listen' as const), engine }) },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant('wait' as const), seconds: fc.constantFrom(1, 5, 40, 290) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('replace' as const), port }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('move' as const),
      port,
      domain: fc.nat(DOMAINS - 1),
      first: engine,
      meanwhile: fc.array(fc.record({ port, stranger }), { maxLength: WORKERS }),
    }),
  },
);
const cases = fc.array(fc.array(step, { maxLength: 25, size: 'max' }), { minLength: 1, maxLength: 3 });

/** What was found once. */
const FOUND: readonly (readonly [string, readonly (readonly GossipStep[])[]])[] = [
  [
    // Engine 1 hears of the stranger, hears it at port 1, and forgets it with the port; engine 0 puts aside what it is told.
    'an address heard behind a port that others have seen leave is known to all when it is next heard where it lives',
    [
      [
        { do: 'hear', port: 0, stranger: 3 },
        {
          do: 'move',
          port: 1,
          domain: 1,
          first: 2,
          meanwhile: [
            { port: 0, stranger: 0 },
            { port: 1, stranger: 3 },
          ],
        },
      ],
      [{ do: 'hear', port: 0, stranger: 3 }],
    ],
  ],
];

describe('fuzzing what engines tell each other', () => {
  it.each(FOUND)('%s', (_, rounds) => {
    const world = new GossipWorld();
    for (const round of rounds) {
      for (const one of round) world.run(one);
      expect(world.violation()).toBe('');
    }
  });

  it(
    'ends with all of one mind, and right',
    () => {
      const world = new GossipWorld();
      const check = (rounds: readonly (readonly GossipStep[])[]) => {
        world.reset();
        for (const round of rounds) {
          for (const one of round) world.run(one);
          expect(world.violation()).toBe('');
        }
      };
      fuzz('gossip', cases, check, { budget: 2000 });
    },
    FUZZ_TIMEOUT,
  );
});
