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
export function bridgedPair({ pods }: Stage): [Pod, Pod] {
  const [first, second] = pods;
  expect(first !== undefined && second !== undefined, 'fewer than two pods');
  return [first, second];
}

/** Pods of different subnets: what one sends the other is routed. Undefined where all are in one. */
export function routedPair({ pods }: Stage): [Pod, Pod] | undefined {
  const other = pods.find(({ subnet }) => subnet === 1);
  return other === undefined || pods[0] === undefined ? undefined : [pods[0], other];
}
