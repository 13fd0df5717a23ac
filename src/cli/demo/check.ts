/** What a check of the demo is, and how its parts fail. */
import type { Figures } from './figures.js';
import type { Pod, Stage } from './stage.js';

export interface CheckContext {
  readonly stage: Stage;
  readonly figures: Figures;
  /** Says how far a long check is. */
  readonly progress: (text: string) => void;
}

export interface Check {
  readonly name: string;
  /** When it fails, what comes after it makes no sense. */
  readonly fatal?: boolean;
  /** Returns what was found, in a few words; throws what was wrong. */
  readonly run: (context: CheckContext) => Promise<string>;
}

/** `{ name, ok, detail }` of `demo --json`. */
export interface CheckResult {
  readonly name: string;
  readonly ok: boolean;
  readonly detail: string;
  /** How long it took; null where it was not run, and `detail` says why. */
  readonly millis: number | null;
}

export function expect(condition: boolean, problem: string): asserts condition {
  if (!condition) throw new Error(problem);
}

/** Runs a check for IPv4 and IPv6. */
export function forBothFamilies(
  name: string,
  run: (family: 4 | 6, context: CheckContext) => Promise<string>,
): Check[] {
  return ([4, 6] as const).map((family) => ({
    name: `${name}, IPv${family}`,
    run: (context) => run(family, context),
  }));
}

/** Two pods of one subnet: what one sends the other is bridged. */
export function bridgedPair({ first }: Stage): [Pod, Pod] {
  const [one, other] = first.pods;
  expect(one !== undefined && other !== undefined, 'fewer than two pods');
  return [one, other];
}

/** Pods of different subnets of one node: what one sends the other is routed. Undefined where all are in one. */
export function routedPair({ first }: Stage): [Pod, Pod] | undefined {
  const other = first.pods.find(({ subnet }) => subnet === 1);
  return other === undefined || first.pods[0] === undefined ? undefined : [first.pods[0], other];
}

/** Pods of the first and the last node: the tunnel is between them. */
export function remotePair({ nodes }: Stage): [Pod, Pod] {
  const [one, other] = [nodes[0]?.pods[0], nodes.at(-1)?.pods[0]];
  expect(one !== undefined && other !== undefined && nodes.length > 1, 'fewer than two nodes');
  return [one, other];
}
