/**
 * Impairments, as the ports of this node do them. Each direction of one is done at a single port, so that no packet is
 * impaired twice: where the sender is a pod of this node, at its port as it comes in; else at the receiver's, as it goes
 * out. A pod that is not attached has no ports and no addresses: then there is nothing to do.
 */
import type { ImpairmentSpec, RateSpec } from '../dataplane/snapshot.js';
import { hostPrefix } from './cidr.js';
import type { PlannedPort } from './plan.js';
import { podKeyOfPort } from './records.js';

export type PlannedEnd =
  | { readonly kind: 'pod'; readonly key: string }
  | { readonly kind: 'addresses'; readonly cidr: string };

export interface PlannedImpairment {
  readonly from: PlannedEnd;
  readonly to: PlannedEnd;
  readonly bidirectional: boolean;
  readonly delayMs?: number;
  readonly jitterMs?: number;
  /** 0..1 */
  readonly loss?: number;
  readonly rate?: RateSpec;
}

/** Whom packets of one direction come from, and go to. */
export type DirectedPair = readonly [source: PlannedEnd, destination: PlannedEnd];

export function directionsOf({ from, to, bidirectional }: PlannedImpairment): readonly DirectedPair[] {
  return bidirectional
    ? [
        [from, to],
        [to, from],
      ]
    : [[from, to]];
}

/** The pod whose ports do it, and in which direction; undefined where neither end is a pod. */
export function whereDone([source, destination]: DirectedPair):
  | { readonly pod: string; readonly direction: ImpairmentSpec['direction']; readonly other: PlannedEnd }
  | undefined {
  if (source.kind === 'pod') return { pod: source.key, direction: 'from-port', other: destination };
  if (destination.kind === 'pod') return { pod: destination.key, direction: 'to-port', other: source };
  return undefined;
}

/** By number of the port, in the order of the impairments. */
export function impairmentsByPort(
  impairments: readonly PlannedImpairment[],
  pods: readonly PlannedPort[],
): ReadonlyMap<number, readonly ImpairmentSpec[]> {
  const byPort = new Map<number, ImpairmentSpec[]>();
  if (impairments.length === 0) return byPort;
  const portsOf = byPod(pods);
  for (const impairment of impairments) {
    for (const pair of directionsOf(impairment)) {
      const done = whereDone(pair);
      for (const port of (done && portsOf.get(done.pod)) ?? []) {
        const spec = done && specAt(port, done, impairment, portsOf);
        if (spec) byPort.set(port.id, [...(byPort.get(port.id) ?? []), spec]);
      }
    }
  }
  return byPort;
}

function byPod(pods: readonly PlannedPort[]): ReadonlyMap<string, readonly PlannedPort[]> {
  const portsOf = new Map<string, PlannedPort[]>();
  for (const port of pods) {
    const key = podKeyOfPort(port.name);
    portsOf.set(key, [...(portsOf.get(key) ?? []), port]);
  }
  return portsOf;
}

function specAt(
  port: PlannedPort,
  { direction, other }: { readonly direction: ImpairmentSpec['direction']; readonly other: PlannedEnd },
  { from: _, to: __, bidirectional: ___, ...effects }: PlannedImpairment,
  portsOf: ReadonlyMap<string, readonly PlannedPort[]>,
): ImpairmentSpec | undefined {
  const prefixes = prefixesOf(other, port.network, portsOf);
  return prefixes.length === 0 ? undefined : { direction, prefixes, ...effects };
}

/** Of a pod those in the same network: networks do not reach one another, and may have the same addresses. */
function prefixesOf(
  end: PlannedEnd,
  network: string,
  portsOf: ReadonlyMap<string, readonly PlannedPort[]>,
): string[] {
  if (end.kind === 'addresses') return [end.cidr];
  const ports = (portsOf.get(end.key) ?? []).filter((port) => port.network === network);
  return ports.flatMap(({ ips }) => ips.map(hostPrefix));
}
