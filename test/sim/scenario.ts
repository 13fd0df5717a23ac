/**
 * A run of a small cluster through bad weather: nodes that move, are renumbered, killed, added, cut off from each
 * other or from the store, at moments that the seed decides, while pods write to each other. At the end the weather
 * is fair again, all know all, everything arrives, and nothing is lost to the counters.
 */
import type { SimNode } from './sim-node.js';
import { FAIR, type Weather, World } from './world.js';

export const FOUL: Weather = { delay: 2, jitter: 15, loss: 0.05, duplication: 0.05, holdBack: 60 };

const FEWEST = 4;
/** Nothing changes any more once all have known all for so long (ms). */
const CALM = 4000;

export interface Outcome {
  readonly digest: string;
  /** From fair weather until all knew all (virtual ms). */
  readonly settled: number;
  readonly delivered: number;
  readonly written: number;
  readonly events: readonly string[];
}

export async function runStorm(seed: number, nodes: number, milliseconds: number): Promise<Outcome> {
  const world = new World({ seed, nodes, podsPerNode: 2, letters: 2 });
  await world.until('all know all', 10_000, () => world.isConverged());
  world.weather = FOUL;
  const events: string[] = [];
  for (const end = world.now + milliseconds; world.now < end; ) {
    await world.run(200 + Math.floor(world.chance() * 1200));
    events.push(happen(world));
    world.log(events[events.length - 1]);
  }
  world.weather = FAIR;
  world.cutOff.clear();
  world.cutFromStore.clear();
  const fair = world.now;
  let unsettled = fair;
  // What happened last may have its effect later: all must know all for a while.
  await world.until('all know all again', 30_000, () => {
    if (!world.isConverged()) unsettled = world.now;
    return world.now - unsettled >= CALM;
  });
  const settled = unsettled - fair;
  await world.expectDelivery();
  world.letters = 0;
  await world.run(500);
  world.expectAtRest();
  const { digest, delivered, written } = world;
  return { digest, settled, delivered, written, events };
}

/** One thing that happens to one node. */
function happen(world: World): string {
  const living = world.nodes.filter(({ isAlive, pods }) => isAlive && pods.length > 0);
  const node = world.pick(living);
  switch (Math.floor(world.chance() * 7)) {
    case 0:
      void node.moveTo(world.nextSubnets());
      return `${node.name} moves`;
    case 1:
      void node.changeAddress(world.nextAddress(node.name));
      return `${node.name} is at ${node.address}`;
    case 2:
      return living.length > FEWEST ? kill(node) : `${node.name} is spared`;
    case 3:
      return `${world.add().name} is new`;
    case 4:
      return toggle(world.cutOff, node, 'the underlay');
    case 5:
      return toggle(world.cutFromStore, node, 'the store');
    default:
      world.cutFromStore.clear();
      world.cutOff.clear();
      return 'every cut is mended';
  }
}

function kill(node: SimNode): string {
  node.kill();
  return `${node.name} is killed`;
}

function toggle(cuts: Set<string>, { name }: SimNode, from: string): string {
  if (cuts.delete(name)) return `${name} is joined to ${from} again`;
  cuts.add(name);
  return `${name} is cut off from ${from}`;
}
