/**
 * MTU: a packet that fits the pod's interface and not the tunnel is refused with the size that does, and that size
 * follows the underlay.
 */
import { type Check, type CheckContext, expect, forBothFamilies, remotePair } from '../check.js';
import { ipBatch } from '../namespaces.js';
import type { Pod, Stage } from '../stage.js';
import { sleep } from '../time.js';
import { setUnderlayMtu, TUNNEL_OVERHEAD, UNDERLAY_MTU } from '../underlay.js';

const TIMEOUT_MS = 700;
const POLL_MS = 50;
const NARROW_MTU = 1400;
/** While it is narrowed, packets are lost at first. */
const LOST_MS = 100;
/** The daemon hears of it with the first packet that was refused, or when it asks the kernel, every 10 s. */
const FOLLOW_TIMEOUT_MS = 12_000;

export const TUNNEL_MTU_CHECKS: readonly Check[] = [
  ...forBothFamilies('too big for the tunnel', tooBig),
  { name: `underlay MTU down to ${NARROW_MTU}`, run: narrow },
];

/** The pod's own kernel would refuse it, so its interface is told another MTU meanwhile. */
async function tooBig(family: 4 | 6, { stage }: CheckContext): Promise<string> {
  const [from, to] = remotePair(stage);
  const { ifname, mtu } = from.attached!;
  const right = UNDERLAY_MTU - TUNNEL_OVERHEAD;
  expect(mtu === right, `${from.name}'s interface has MTU ${mtu}, not ${right}`);
  await ipBatch([`link set dev ${ifname} mtu ${UNDERLAY_MTU}`], from.netns);
  try {
    const answer = await ask(stage, from, to, family, UNDERLAY_MTU);
    expect(answer !== null, `${from.name} to ${to.name}: no answer to ${UNDERLAY_MTU} octets`);
    const gateway = stage.gateway(from, family);
    expect(answer.from === gateway, `${answer.from} answered, not the gateway ${gateway}`);
    expect(answer.mtu === right, `${answer.from} says MTU ${answer.mtu}, not ${right}`);
    const what = family === 4 ? 'Fragmentation Needed' : 'Packet Too Big';
    return `${UNDERLAY_MTU} octets: ${what}, MTU ${answer.mtu}, from ${answer.from}`;
  } finally {
    await ipBatch([`link set dev ${ifname} mtu ${mtu}`], from.netns);
  }
}

function ask(stage: Stage, from: Pod, to: Pod, family: 4 | 6, size: number, timeoutMs = TIMEOUT_MS) {
  const request = { target: stage.address(to, family), size, timeoutMs };
  return from.probe.call('tooBig', request);
}

/** The first large packet is lost, and tells the daemon; those after it are refused by the switch. */
async function narrow({ stage, progress }: CheckContext): Promise<string> {
  const [from, to] = remotePair(stage);
  const nodes = stage.nodes.map(({ netns }) => netns);
  const right = NARROW_MTU - TUNNEL_OVERHEAD;
  const start = performance.now();
  await setUnderlayMtu(nodes, NARROW_MTU);
  try {
    for (;;) {
      const answer = await ask(stage, from, to, 4, from.attached!.mtu, LOST_MS);
      const millis = Math.round(performance.now() - start);
      if (answer?.mtu === right) return `${from.name} is told ${right} after ${millis} ms`;
      const heard = answer === null ? 'nothing' : `MTU ${answer.mtu}`;
      expect(millis < FOLLOW_TIMEOUT_MS, `${from.name} is told ${heard}, not ${right}`);
      progress(`told ${heard}`);
      await sleep(POLL_MS);
    }
  } finally {
    await setUnderlayMtu(nodes, UNDERLAY_MTU);
  }
}
