/** A PolicyNote in words: for tables, and for people who ask why. */
import type { PolicyName, PolicyNote } from './types.js';

/** More policies than these are counted. */
const SHOWN = 3;

/** `NetworkPolicy shop/db`. */
export function policyText({ kind, namespace, name }: PolicyName): string {
  return `${kind} ${namespace === undefined ? name : `${namespace}/${name}`}`;
}

/** What decided: `NetworkPolicy shop/db, spec.ingress[0]`, or `no rule of NetworkPolicy shop/db`. */
export function ruleText({ tier, policies, path, networks }: PolicyNote): string {
  if (networks) return `networks ${networks.join(' and ')} are kept apart`;
  if (tier === 'unknown') return 'a pod of the cluster that was not heard of yet';
  if (path === undefined) return `no rule of ${namesText(policies)}`;
  return `${policies.map(policyText).join(', ')}, ${path}`;
}

function namesText(policies: readonly PolicyName[]): string {
  const more = policies.length - SHOWN;
  const names = policies.slice(0, SHOWN).map(policyText).join(', ');
  return more > 0 ? `${names} and ${more} more` : names;
}
