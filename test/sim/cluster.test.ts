/**
 * A whole cluster in one process, on virtual time: see docs/guides/simulation.md.
 *
 *     PODWIRE_SIM_SEED=17          runs that seed alone
 *     PODWIRE_SIM_SEEDS=500        runs so many seeds, from PODWIRE_SIM_SEED or 1 on
 *     PODWIRE_SIM_NODES=500        size of the large cluster; 50 without it, 200 in CI
 */
import { describe, expect, it } from 'vitest';
import { writeLetter } from './pod-packet.js';
import { runStorm } from './scenario.js';
import { World } from './world.js';

const FIRST_SEED = Number(process.env.PODWIRE_SIM_SEED ?? 1);
const SEEDS = Number(process.env.PODWIRE_SIM_SEEDS ?? (process.env.PODWIRE_SIM_SEED === undefined ? 2 : 1));
const NODES = Number(process.env.PODWIRE_SIM_NODES ?? 50);
const LONG = 3_600_000;

describe('a large cluster', () => {
  it(
    `of ${NODES} nodes converges in bounded time after changes to some`,
    async () => {
      const world = new World({ seed: FIRST_SEED, nodes: NODES });
      const times: string[] = [];
      let began = world.now;
      const converge = async (what: string, limit: number, isReached: () => boolean): Promise<void> => {
        await world.until(what, began + limit - world.now, () => world.now % 5 === 0 && isReached());
        times.push(`${what}: ${world.now - began} ms`);
      };
      await converge('all join at once', 5000, () => world.now % 50 === 0 && world.isConverged());
      // All of it at the same time, so that it costs a large cluster one round of compiling rather than three.
      began = world.now;
      const [, moved, renumbered, killed] = world.nodes;
      const others = world.nextSubnets();
      const move = moved.moveTo(others);
      const change = renumbered.changeAddress(world.nextAddress(renumbered.name));
      killed.kill();
      const isMoved = (): boolean => moved.subnets[0] === others[0] && world.isKnown(moved);
      await converge('a subnet is exchanged', 1000, isMoved);
      await converge('an underlay address changes', 2000, () => world.isKnown(renumbered));
      await converge('a node is killed', 4500, () => world.isKnown(killed));
      began = world.now;
      const added = world.add();
      const isIn = (): boolean => added.subnets.length > 0 && world.isKnown(added) && knowsAll(world, added);
      await converge('a node is added', 2000, isIn);
      await Promise.all([move, change]);
      await world.expectDelivery();
      world.letters = 0;
      await world.run(20);
      world.expectAtRest();
      console.log(`${NODES} nodes, seed ${FIRST_SEED}, virtual time: ${times.join(', ')}`);
      console.log(
        `${world.delivered} of ${world.written} letters delivered, digest ${world.digest.slice(0, 16)}`,
      );
    },
    LONG,
  );
});

function knowsAll(world: World, node: World['nodes'][number]): boolean {
  return world.nodes.every((other) => other === node || !other.isAlive || node.view.has(other.name));
}

describe('a small cluster in a storm', () => {
  const seeds = Array.from({ length: SEEDS }, (_, i) => FIRST_SEED + i);
  it.each(seeds)(
    'seed %i: no pod is given what is for another, and all is well afterwards',
    async (seed) => {
      const { settled, delivered, written, digest, events } = await runStorm(seed, 8, 12_000);
      console.log(
        `seed ${seed}: ${events.length} events, settled in ${settled} ms, ${delivered} of ${written} letters, ${digest.slice(0, 16)}`,
      );
      expect(delivered).toBeGreaterThan(written / 4);
    },
    LONG,
  );

  it('runs the same way with the same seed, and in another with another', async () => {
    const [first, again, other] = [
      await runStorm(77, 5, 3000),
      await runStorm(77, 5, 3000),
      await runStorm(78, 5, 3000),
    ];
    expect(again).toEqual(first);
    expect(other.digest).not.toBe(first.digest);
  });
});

describe('the watch over letters', () => {
  it.each([
    ['is for another pod', (world: World) => ({ to: world.nodes[2].pods[0].uid })],
    ['comes under a false name', (world: World) => ({ from: world.nodes[2].pods[0].uid })],
  ])('ends the run, with its seed, when what a pod is given %s', async (_, change) => {
    const world = new World({ seed: 9, nodes: 3, letters: 0 });
    await world.until('all know all', 10_000, () => world.isConverged());
    await world.expectDelivery();
    const [from, to] = world.nodes.map((node) => node.pods[0]);
    const frame = writeLetter(
      {
        source: from.ips[0],
        destination: to.ips[0],
        sourceMac: from.mac,
        destinationMac: from.node.gatewayMac,
      },
      { from: from.uid, to: to.uid, number: 1, ...change(world) },
    );
    from.device.inject(frame);
    await expect(world.run(100)).rejects.toThrow(/^seed 9, at \d+ ms: n1\/1\/0 was given/);
  });
});
