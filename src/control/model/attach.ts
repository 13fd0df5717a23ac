/** The body of an attach request. */
import { AddressError, parseIp } from '../../wire/address.js';
import type { AttachRequest } from '../api/types.js';
import { canonicalIp } from '../cidr.js';
import { invalid } from '../errors.js';
import { LABELS, NAME } from './meta.js';
import { checker, closed, type Schema } from './schema.js';

export const DEFAULT_IFNAME = 'eth0';

export const ATTACH_SCHEMA: Schema = closed(
  {
    netns: {
      type: 'string',
      pattern: '^/[^\\0]+$',
      maxLength: 4096,
      description: 'an absolute path of a network namespace, such as /run/netns/web or /proc/PID/ns/net',
    },
    ifname: {
      type: 'string',
      pattern: '^[^\\s/:%\\0]{1,15}$',
      description: 'a name of an interface: 1 to 15 bytes without white space, /, : and %',
    },
    network: NAME,
    labels: LABELS,
    ips: { type: 'array', maxItems: 2, items: { type: 'string' } },
  },
  ['netns'],
);

const check = checker<AttachRequest>(ATTACH_SCHEMA);

/** @throws PodwireError INVALID naming the field */
export function parseAttach(value: unknown): AttachRequest {
  const request = check(value);
  if (request.ifname === '.' || request.ifname === '..' || request.ifname === 'lo') {
    throw invalid('ifname', `'${request.ifname}' cannot be the name of a pod's interface`);
  }
  return request.ips ? { ...request, ips: request.ips.map(parseAddress) } : request;
}

function parseAddress(text: string, index: number): string {
  try {
    parseIp(text);
  } catch (error) {
    if (error instanceof AddressError) throw invalid(`ips[${index}]`, error.message);
    throw error;
  }
  return canonicalIp(text);
}
