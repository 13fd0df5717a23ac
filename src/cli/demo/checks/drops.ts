/** What must not pass does not, and every packet that the switch ever had is accounted for. */
import type { DropsAnswer, StatsAnswer } from '../../../control/api/types.js';
import { balance } from '../../commands/stats.js';
import { bridgedPair, type Check, type CheckContext, expect } from '../check.js';
import { forgeries, type Party } from '../frames.js';
import type { Pod, Stage } from '../stage.js';
import { sleep } from '../time.js';

const SETTLE_MS = 1_500;
const POLL_MS = 20;

export const DROP_CHECKS: readonly Check[] = [
  { name: 'forged packets dropped', run: forgedPackets },
  { name: 'packets accounted for', run: conservation },
];

/** From a pod's own raw socket, so that nothing but the switch stands in the way. */
async function forgedPackets({ stage }: CheckContext): Promise<string> {
  const [sender, victim] = bridgedPair(stage);
  const other = stage.pods[2] ?? victim;
  const { port } = await victim.probe.call('udpServe', {});
  const forged = forgeries(party(stage, sender), party(stage, victim), party(stage, other), port);
  const before = await dropsOf(stage, sender);
  const heardBefore = await victim.probe.call('udpHeard', {});
  const frames = forged.map(({ frame }) => frame.toString('base64'));
  await sender.probe.call('inject', { ifname: sender.attached!.ifname, frames });
  const wanted = forged.map(({ reason }) => reason);
  const missing = await waitForDrops(stage, sender, before, wanted);
  expect(missing.length === 0, `${sender.name} sent them, but nothing was dropped as ${missing.join(', ')}`);
  const heard = await victim.probe.call('udpHeard', {});
  expect(heard.datagrams === heardBefore.datagrams, `${victim.name} heard a forged packet`);
  return `${forged.length} of ${forged.length} dropped: ${wanted.join(', ')}`;
}

function party(stage: Stage, pod: Pod): Party {
  return { mac: pod.attached!.mac, ipv4: stage.address(pod, 4), ipv6: stage.address(pod, 6) };
}

/** Drops at a pod's port by reason. */
async function dropsOf(stage: Stage, pod: Pod): Promise<Map<string, number>> {
  const { drops } = await stage.switch.api.get<DropsAnswer>('/v1/drops');
  const own = drops.filter(({ port }) => port === `default/${pod.name}`);
  return new Map(own.map(({ reason, count }) => [reason, count]));
}

/** The reasons that have not been counted once more when the time is over. */
async function waitForDrops(
  stage: Stage,
  pod: Pod,
  before: ReadonlyMap<string, number>,
  reasons: readonly string[],
): Promise<string[]> {
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const now = await dropsOf(stage, pod);
    const missing = reasons.filter((reason) => (now.get(reason) ?? 0) <= (before.get(reason) ?? 0));
    if (missing.length === 0 || performance.now() > deadline) return missing;
    await sleep(POLL_MS);
  }
}

/** The law of docs/architecture.md, at a moment of rest: counters are read while packets may be on their way. */
async function conservation({ stage, figures }: CheckContext): Promise<string> {
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const stats = await stage.switch.api.get<StatsAnswer>('/v1/stats');
    const { came, went } = balanceOf(stats);
    if (came === went) {
      const { drops } = await stage.switch.api.get<DropsAnswer>('/v1/drops');
      noteTotals(figures, stats, drops);
      return balance(stats);
    }
    expect(performance.now() < deadline, `${came} came in, ${went} are accounted for`);
    await sleep(POLL_MS);
  }
}

function balanceOf({ totals, inFlight }: StatsAnswer): { came: number; went: number } {
  return {
    came: totals.received + totals.originated + totals.replicated,
    went: totals.sent + totals.consumed + totals.joined + totals.dropped + inFlight,
  };
}

function noteTotals(figures: CheckContext['figures'], stats: StatsAnswer, drops: DropsAnswer['drops']): void {
  figures.packets = stats.totals.sent;
  figures.bytes = stats.ports.reduce((sum, port) => sum + port.txBytes, 0);
  const byReason = new Map<string, number>();
  for (const { reason, count } of drops) byReason.set(reason, (byReason.get(reason) ?? 0) + count);
  figures.drops = [...byReason].map(([reason, count]) => ({ reason, count }));
  figures.drops.sort((a, b) => b.count - a.count);
}
