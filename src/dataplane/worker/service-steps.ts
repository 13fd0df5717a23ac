/**
 * Takes a large change of services apart into steps, so that no worker stops forwarding for long while it reads one: 50,000
 * services at once would be a second. A service is in one step, whole; so the largest, of tens of thousands of backends, takes as
 * long as it takes.
 */
import type { ServiceChanges, ServiceSpec } from '../service-spec.js';

/** Our tuning: frontends and backends of a step, read in some 2 ms. */
const STEP = 1000;
/** What a service costs beside. */
const EACH = 2;

/**
 * In order, and at least one. What is removed goes with the first; all but the last have the generation `before`, so that what is
 * decided meanwhile is decided again.
 */
export function* stepsOf(changes: ServiceChanges, before: number): Iterable<ServiceChanges> {
  const { generation, removed, changed } = changes;
  let gone = removed;
  let from = 0;
  let cost = 0;
  for (let at = 0; at < changed.length; at++) {
    cost += costOf(changed[at]);
    if (cost < STEP || at === changed.length - 1) continue;
    yield { generation: before, removed: gone, changed: changed.slice(from, at + 1) };
    gone = [];
    from = at + 1;
    cost = 0;
  }
  yield { generation, removed: gone, changed: changed.slice(from) };
}

function costOf({ frontends, backends }: ServiceSpec): number {
  return EACH + frontends.length + backends.length;
}
