/** Policies of tests through the program's own reading of manifests. */
import { parseAdminPolicy, parseBaselinePolicy } from '../../src/control/model/admin-policy.js';
import { parseNetworkPolicy } from '../../src/control/model/network-policy.js';
import type { AnyPolicy } from '../../src/control/policies/types.js';
import type { RawPolicy } from './policy-manifests.js';

const READERS: Readonly<Record<RawPolicy['kind'], (value: unknown) => AnyPolicy>> = {
  NetworkPolicy: parseNetworkPolicy,
  AdminNetworkPolicy: parseAdminPolicy,
  BaselineAdminNetworkPolicy: parseBaselinePolicy,
};

const known = new WeakMap<RawPolicy, AnyPolicy>();

/** @throws what podwire apply would say of it. */
export function parsed(manifest: RawPolicy): AnyPolicy {
  const before = known.get(manifest);
  if (before !== undefined) return before;
  const policy = READERS[manifest.kind](JSON.parse(JSON.stringify(manifest)));
  known.set(manifest, policy);
  return policy;
}
