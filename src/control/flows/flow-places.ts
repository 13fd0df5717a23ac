/**
 * Names of what flows have by number, ports and zones (dataplane/policy/connection-key.ts): numbers are those of one daemon, and the
 * next one may give others.
 */
import { FIRST_DOMAIN_ZONE, FIRST_PAIR_ZONE, ROUTED_ZONE } from '../../dataplane/policy/connection-key.js';
import type { Snapshot } from '../../dataplane/snapshot.js';
import { ZONE as TRANSLATED_ZONE } from '../../dataplane/translation/tuple.js';

const TRANSLATED = 'translated';
const ROUTED = 'routed';
const DOMAIN = 'domain';
const PAIR = 'pair';

/** By number, of all that flows may be in. @param nameOf of a port's number */
export function zoneNames(
  { domains, ports }: Pick<Snapshot, 'domains' | 'ports'>,
  nameOf: (port: number) => string | undefined,
): Record<string, string> {
  const names: Record<string, string> = { [TRANSLATED_ZONE]: TRANSLATED, [ROUTED_ZONE]: ROUTED };
  for (const { id, name } of domains) names[FIRST_DOMAIN_ZONE + id] = `${DOMAIN} ${name}`;
  for (const { id, attachment } of ports) {
    if (attachment.kind !== 'direct' || attachment.peer < id) continue;
    const ends = [nameOf(id), nameOf(attachment.peer)];
    if (!ends.includes(undefined)) names[FIRST_PAIR_ZONE + id] = `${PAIR} ${ends.join(' ')}`;
  }
  return names;
}

/** The number that the zone has now; undefined: there is no such, or not yet. */
export function zoneNumber(
  name: string,
  portOf: (name: string) => number | undefined,
  domainOf: (name: string) => number | undefined,
): number | undefined {
  const [kind, first, second] = name.split(' ');
  if (kind === TRANSLATED) return TRANSLATED_ZONE;
  if (kind === ROUTED) return ROUTED_ZONE;
  if (kind === DOMAIN) return plus(FIRST_DOMAIN_ZONE, domainOf(first));
  if (kind !== PAIR) return undefined;
  const [a, b] = [portOf(first), portOf(second)];
  return a === undefined || b === undefined ? undefined : FIRST_PAIR_ZONE + Math.min(a, b);
}

function plus(base: number, number: number | undefined): number | undefined {
  return number === undefined ? undefined : base + number;
}
