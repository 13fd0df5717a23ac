/** What the routes of resources have in common. */
import { invalid } from '../errors.js';
import type { PutResult } from '../networks.js';
import type { Reply } from './routes.js';
import type { ObjectMeta } from './types.js';

export function putReply(result: PutResult, body: unknown): Reply {
  return { status: result === 'created' ? 201 : 200, headers: { 'x-podwire-result': result }, body };
}

/** @throws PodwireError INVALID where a resource is not the one that the path names */
export function checkIdentity(metadata: ObjectMeta, name: string, namespace?: string): void {
  if (metadata.name !== name)
    throw invalid('metadata.name', `is ${metadata.name}, but the path says ${name}`);
  if (metadata.namespace !== undefined && metadata.namespace !== namespace) {
    throw invalid('metadata.namespace', `is ${metadata.namespace}, but the path says ${namespace}`);
  }
}
