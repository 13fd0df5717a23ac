/** What the underlay itself says of a peer: echo requests, and the size that passes. */
import { familyOf } from '../../control/cidr.js';
import { searchPath } from '../../control/cluster/path-search.js';
import type { IcmpEcho } from '../../control/host/icmp-echo.js';

const REQUESTS = 5;
const SIZE = 100;
const TIMEOUT_MS = 1000;
/** This many without an answer are enough. */
const GIVE_UP_AFTER = 2;
const SMALLEST = { 4: 576, 6: 1280 } as const;
const AT_ONCE = 8;

export interface Measured {
  readonly sent: number;
  readonly answered: number;
  /** The median; undefined without an answer. */
  readonly rttMicros: number | undefined;
  /** The largest packet that came back whole; undefined: not even the smallest did. */
  readonly mtu: number | undefined;
  /** What the kernel believes the path carries, after that. */
  readonly kernelMtu: number;
}

/**
 * @param kernelMtu the kernel's path MTU to the address at present.
 * @throws where echo requests cannot be sent at all.
 */
export async function measurePeer(
  echo: Pick<IcmpEcho, 'echo'>,
  address: string,
  kernelMtu: () => number,
): Promise<Measured> {
  const micros: number[] = [];
  let sent = 0;
  while (sent < REQUESTS && !(sent >= GIVE_UP_AFTER && micros.length === 0)) {
    sent++;
    const answer = await echo.echo(address, SIZE, TIMEOUT_MS);
    if (answer !== undefined) micros.push(answer);
  }
  const ask = (size: number, timeoutMs: number) => echo.echo(address, size, timeoutMs);
  const mtu = micros.length === 0 ? undefined : await searchPath(ask, SMALLEST[familyOf(address)], kernelMtu);
  return { sent, answered: micros.length, rttMicros: median(micros), mtu, kernelMtu: kernelMtu() };
}

function median(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

/** `work` for each item, a few at a time, results in the order of the items. */
export async function aFewAtOnce<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async () => {
    while (next < items.length) {
      const index = next++;
      results[index] = await work(items[index]!);
    }
  };
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, items.length) }, worker));
  return results;
}
