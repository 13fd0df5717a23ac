/**
 * The well-known recipes of NetworkPolicy, each in a file of its own in policy-recipes/ with its manifests and, written by hand, who
 * reaches whom under them: every ordered pair of a dozen pods on two nodes, both nodes and a host outside, and two services; TCP to
 * two ports, datagrams and ping, IPv4 and IPv6 (policy-cast.ts has them, policy-matrix.ts the signs). Before and after, everything
 * is open. Programs ask and answer, through real sockets; what comes to a pod although it must not is seen by a packet socket in it.
 *
 * The recipes are those that github.com/ahmetb/kubernetes-network-policy-recipes has and announces, 01 to 14 with 02a, with other names
 * and labels; a letter after the number marks what such a recipe tells of as a variant of it.
 */
import { readdirSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WORKERS } from '../support/netns-workers.js';
import { open, readRecipe } from './policy-cast.js';
import { Reach } from './policy-reach.js';
import { missingForPolicies } from './policy-support.js';

const FOLDER = new URL('policy-recipes/', import.meta.url);
/** With two workers every third of them: what is decided is the same, but packets and their answers change threads. */
const RECIPES = readdirSync(FOLDER)
  .sort()
  .filter((_, index) => WORKERS === 1 || index % 3 === 0)
  .map((name) => ({ name, ...readRecipe(new URL(name, FOLDER)) }));

describe.skipIf(missingForPolicies)(
  `recipes of policy${missingForPolicies ? ` (needs ${missingForPolicies})` : ''}`,
  () => {
    let world: Reach;
    beforeAll(async () => {
      world = await Reach.begin();
    });
    afterAll(async () => {
      await world?.cleanup();
    });

    it.each(RECIPES)('$title', async ({ manifests, matrix }) => {
      expect(await world.reached(open())).toBe(`${open()}`);
      await world.apply(...manifests);
      try {
        expect(await world.reached(matrix)).toBe(`${matrix}`);
      } finally {
        await world.remove(...manifests);
      }
    });

    it('is open again without them', async () => {
      expect(await world.reached(open())).toBe(`${open()}`);
    });
  },
);
