/** What must not pass does not, and every packet that the switch ever had is accounted for. */
import type { DropsAnswer, StatsAnswer } from '../../../control/api/types.js';
import { balance } from '../../commands/stats.js';
import { bridgedPair, type Check, type CheckContext, expect } from '../check.js';
import type { Figures } from '../figures.js';
import { forgeries, type Party } from '../frames.js';
import type { DemoNode } from '../node.js';
import type { Pod, Stage } from '../stage.js';
import { sleep } from '../time.js';

const SETTLE_MS = 1_500;
const POLL_MS = 20;

export const FORGERY_CHECKS: readonly Check[] = [{ name: 'forged packets dropped', run: forgedPackets }];
export const CONSERVATION_CHECKS: readonly Check[] = [{ name: 'packets accounted for', run: conservation }];

/** From a pod's own raw socket, so that nothing but the switch stands in the way. */
async function forgedPackets({ stage }: CheckContext): Promise<string> {
  const [sender, victim] = bridgedPair(stage);
  const other = stage.first.pods[2] ?? victim;
  const served = await victim.probe.call('udpServe', {});
  const forged = forgeries(party(stage, sender), party(stage, victim), party(stage, other), served.port);
  const port = `default/${sender.name}`;
  const before = await dropsAt(sender.node, port);
  const heardBefore = await victim.probe.call('udpHeard', {});
  const frames = forged.map(({ frame }) => frame.toString('base64'));
  await sender.probe.call('inject', { ifname: sender.attached!.ifname, frames });
  const wanted = forged.map(({ reason }) => reason);
  const missing = await waitForDrops(sender.node, port, before, wanted);
  expect(missing.length === 0, `${sender.name} sent them, but nothing was dropped as ${missing.join(', ')}`);
  const heard = await victim.probe.call('udpHeard', {});
  expect(heard.datagrams === heardBefore.datagrams, `${victim.name} heard a forged packet`);
  return `${forged.length} of ${forged.length} dropped: ${wanted.join(', ')}`;
}

function party(stage: Stage, pod: Pod): Party {
  return { mac: pod.attached!.mac, ipv4: stage.address(pod, 4), ipv6: stage.address(pod, 6) };
}

/** Drops at a port by reason. */
export async function dropsAt({ switch: daemon }: DemoNode, port: string): Promise<Map<string, number>> {
  const { drops } = await daemon.api.get<DropsAnswer>('/v1/drops');
  const own = drops.filter((entry) => entry.port === port);
  return new Map(own.map(({ reason, count }) => [reason, count]));
}

/** The reasons that have not been counted once more when the time is over. */
export async function waitForDrops(
  node: DemoNode,
  port: string,
  before: ReadonlyMap<string, number>,
  reasons: readonly string[],
): Promise<string[]> {
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const now = await dropsAt(node, port);
    const missing = reasons.filter((reason) => (now.get(reason) ?? 0) <= (before.get(reason) ?? 0));
    if (missing.length === 0 || performance.now() > deadline) return missing;
    await sleep(POLL_MS);
  }
}

/** The law of docs/architecture.md, on each node. */
async function conservation({ stage, figures }: CheckContext): Promise<string> {
  const texts: string[] = [];
  for (const node of stage.nodes) {
    const name = stage.nodes.length > 1 ? `${node.name}: ` : '';
    texts.push(`${name}${await conservationOf(node, figures)}`);
  }
  return texts.join('; ');
}

/** At a moment of rest: counters are read while packets may be on their way. */
async function conservationOf({ name, switch: daemon }: DemoNode, figures: Figures): Promise<string> {
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const stats = await daemon.api.get<StatsAnswer>('/v1/stats');
    const { came, went } = balanceOf(stats);
    if (came === went) {
      const { drops, total } = await daemon.api.get<DropsAnswer>('/v1/drops');
      const listed = drops.reduce((sum, { count }) => sum + count, 0);
      expect(listed === total, `${name}: ${total} dropped, ${listed} of them with a port and a reason`);
      noteTotals(figures, stats, drops);
      return balance(stats);
    }
    expect(performance.now() < deadline, `${name}: ${came} came in, ${went} are accounted for`);
    await sleep(POLL_MS);
  }
}

function balanceOf({ totals, inFlight }: StatsAnswer): { came: number; went: number } {
  return {
    came: totals.received + totals.originated + totals.replicated,
    went: totals.sent + totals.consumed + totals.joined + totals.dropped + inFlight,
  };
}

/** Adds a node's to those of the nodes before. */
function noteTotals(figures: Figures, stats: StatsAnswer, drops: DropsAnswer['drops']): void {
  figures.packets = (figures.packets ?? 0) + stats.totals.sent;
  figures.bytes = (figures.bytes ?? 0) + stats.ports.reduce((sum, port) => sum + port.txBytes, 0);
  const byReason = new Map(figures.drops.map(({ reason, count }) => [reason, count]));
  for (const { reason, count } of drops) byReason.set(reason, (byReason.get(reason) ?? 0) + count);
  figures.drops = [...byReason].map(([reason, count]) => ({ reason, count }));
  figures.drops.sort((a, b) => b.count - a.count);
}
