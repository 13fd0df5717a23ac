/** TCP and UDP with data that is compared: bulk transfers by their SHA-256, datagrams octet by octet. */
import { formatBitRate } from '../../output/units.js';
import { bridgedPair, type Check, type CheckContext, expect, forBothFamilies, routedPair } from '../check.js';
import type { ProbeProcess } from '../probe-process.js';
import type { Pod, Stage } from '../stage.js';

const OCTETS = 64 << 20;
/** From nothing to several fragments; 1472 fills an MTU of 1500 exactly. */
const UDP_SIZES = [0, 1, 512, 1452, 1472, 4_000, 16_000, 60_000];

export const TRANSFER_CHECKS: readonly Check[] = [
  ...forBothFamilies('UDP echo', (family, { stage }) => udpEcho(family, stage, bridgedPair(stage))),
  ...forBothFamilies('TCP 64 MiB', tcpBridged),
  { name: 'TCP 64 MiB, routed', run: tcpRouted },
  { name: 'TCP 64 MiB, node to pod', run: tcpFromNode },
];

export async function udpEcho(family: 4 | 6, stage: Stage, [from, to]: readonly [Pod, Pod]): Promise<string> {
  const { port } = await to.probe.call('udpServe', {});
  const host = stage.address(to, family);
  const { echoed } = await from.probe.call('udpEcho', { host, port, sizes: UDP_SIZES });
  const missing = UDP_SIZES.find((size) => !echoed.includes(size));
  expect(missing === undefined, `${from.name} to ${to.name}: ${missing} octets did not come back`);
  return `${echoed.length} of ${UDP_SIZES.length} came back, 0 to ${UDP_SIZES.at(-1)} octets`;
}

async function tcpBridged(family: 4 | 6, context: CheckContext): Promise<string> {
  const [to, from] = bridgedPair(context.stage);
  const host = context.stage.address(from, family);
  return transfer({ from: from.probe, to: to.probe, host, label: `IPv${family}` }, context);
}

async function tcpRouted(context: CheckContext): Promise<string> {
  const pair = routedPair(context.stage);
  if (pair === undefined) return 'all pods are in one subnet (three pods or more use two)';
  const [to, from] = pair;
  const host = context.stage.address(from, 4);
  return transfer({ from: from.probe, to: to.probe, host, label: 'IPv4 routed' }, context);
}

async function tcpFromNode(context: CheckContext): Promise<string> {
  const { stage } = context;
  const [to] = bridgedPair(stage);
  const host = stage.first.address(4);
  return transfer({ from: stage.first.probe, to: to.probe, host, label: 'IPv4 from the node' }, context);
}

export interface Transfer {
  readonly from: ProbeProcess;
  readonly to: ProbeProcess;
  /** Address of `from`. */
  readonly host: string;
  readonly label: string;
}

export async function transfer({ from, to, host, label }: Transfer, context: CheckContext): Promise<string> {
  const offer = await from.call('tcpSend', { octets: OCTETS });
  const request = { host, port: offer.port, octets: OCTETS };
  const received = await to.call('tcpReceive', request, (octets) =>
    context.progress(progressBar(octets / OCTETS)),
  );
  expect(received.octets === OCTETS, `${received.octets} of ${OCTETS} octets arrived`);
  expect(received.sha256 === offer.sha256, 'what arrived has another SHA-256 than what was sent');
  const rate = (OCTETS * 8000) / received.millis;
  context.figures.tcpBitsPerSecond[label] = Math.round(rate);
  return `${from.name} to ${to.name}: ${formatBitRate(rate)}, SHA-256 ${received.sha256.slice(0, 12)}… equal`;
}

/** `████████░░░░░░░░  50 %` */
export function progressBar(share: number, width = 24): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * width);
  const percent = String(Math.round(share * 100)).padStart(3);
  return `${'█'.repeat(full)}${'░'.repeat(width - full)} ${percent} %`;
}
