/** What the switch says about packets that it cannot forward. */
import { type Check, type CheckContext, expect, forBothFamilies, remotePair } from '../check.js';

const TIMEOUT_MS = 700;
/** For documentation only (RFC 5737, RFC 3849), so in nobody's routing table. */
const NOWHERE = { 4: '192.0.2.1', 6: '2001:db8::1' } as const;
/** In a single node's second subnet; nobody needs to be there, the packet does not get so far. */
const BEYOND_GATEWAY = { 4: '10.81.0.200', 6: 'fd00:10:81::200' } as const;

export const ICMP_ERROR_CHECKS: readonly Check[] = [
  ...forBothFamilies('time exceeded', timeExceeded),
  ...forBothFamilies('unreachable', noRoute),
];

async function timeExceeded(family: 4 | 6, context: CheckContext): Promise<string> {
  const { stage } = context;
  const target = stage.cluster ? stage.address(remotePair(stage)[1], family) : BEYOND_GATEWAY[family];
  const [from, text] = await askBeyond(target, 1, 'time exceeded', context);
  expect(from === stage.gateway(stage.pods[0]!, family), `${text}, which is not the gateway`);
  return text;
}

/** Where pods have a way out, it ends at their node, which has none itself. */
async function noRoute(family: 4 | 6, context: CheckContext): Promise<string> {
  const { first, pods } = context.stage;
  const [from, text] = await askBeyond(NOWHERE[family], 64, 'unreachable', context);
  const routers = [context.stage.gateway(pods[0]!, family), first.address(family)];
  expect(routers.includes(from), `${text}, which is neither the gateway nor the node`);
  return text;
}

/** Who answers the first pod, and all of it in words. */
async function askBeyond(
  target: string,
  ttl: number,
  expected: string,
  { stage }: CheckContext,
): Promise<[string, string]> {
  const pod = stage.pods[0]!;
  const { from, answer } = await pod.probe.call('hop', { target, ttl, timeoutMs: TIMEOUT_MS });
  expect(answer !== null && from !== null, `${pod.name} to ${target}: no answer`);
  expect(answer === expected, `${pod.name} to ${target}: ${from} answered ${answer}, not ${expected}`);
  return [from, `${pod.name} to ${target}: ${answer}, from ${from}`];
}
