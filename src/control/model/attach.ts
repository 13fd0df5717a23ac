/** The bodies of attach and detach requests. */
import { AddressError, parseIp } from '../../wire/address.js';
import type { AttachRequest, DetachRequest, Limits } from '../api/types.js';
import { canonicalIp } from '../cidr.js';
import { invalid } from '../errors.js';
import { LIMITS_SCHEMA, limitParser, limitRequestSchema, readLimits } from './limits.js';
import { LABELS, NAME } from './meta.js';
import { type FullWish, fullWishes, PUBLISH_LIST, publishParser, publishSchema } from './publish.js';
import { checker, closed, type Schema } from './schema.js';
import { parseStation } from './station.js';

export const DEFAULT_IFNAME = 'eth0';

/** Names of an interface in its network beside the pod's own. */
const MOST_ALIASES = 32;

/** The number after it means nobody (kernel: uid_valid()). */
const LAST_UID = 0xffff_fffe;

const IFNAME: Schema = {
  type: 'string',
  pattern: '^[^\\s/:%\\0]{1,15}$',
  description: 'a name of an interface: 1 to 15 bytes without white space, /, : and %',
};

export const ATTACH_SCHEMA: Schema = closed({
  netns: {
    type: 'string',
    pattern: '^/[^\\0]+$',
    maxLength: 4096,
    description: 'an absolute path of a network namespace, such as /run/netns/web or /proc/PID/ns/net',
  },
  ifname: IFNAME,
  network: NAME,
  labels: LABELS,
  ips: { type: 'array', maxItems: 2, items: { type: 'string' } },
  mac: { type: 'string', description: 'a MAC address of one station, such as 02:00:5e:10:00:01' },
  aliases: { type: 'array', maxItems: MOST_ALIASES, uniqueItems: true, items: NAME },
  limits: LIMITS_SCHEMA,
  publish: PUBLISH_LIST,
  tap: { ...IFNAME, description: 'the TAP of a virtual machine, a name of an interface' },
  tapOwner: { type: 'integer', minimum: 0, maximum: LAST_UID, description: 'a number of a user' },
});

export const DETACH_SCHEMA: Schema = closed({ ifname: IFNAME, network: NAME });

export const LIMIT_SCHEMA: Schema = limitRequestSchema(IFNAME);

/** Of PUT …/limits. @throws PodwireError INVALID naming the field */
export const parseLimit = limitParser(IFNAME);

export const PUBLISH_SCHEMA: Schema = publishSchema(IFNAME);

/** Of POST …/ports. @throws PodwireError INVALID, UNSUPPORTED naming the field */
export const parsePublish = publishParser(IFNAME);

/** @throws PodwireError INVALID naming the field */
export const parseDetach = checker<DetachRequest>(DETACH_SCHEMA);

const check = checker<AttachRequest>(ATTACH_SCHEMA);

/** With limits as numbers and ports in their normal form. */
export interface FullAttachRequest extends AttachRequest {
  readonly limits?: Limits;
  readonly publish?: FullWish[];
}

/** @throws PodwireError INVALID, UNSUPPORTED naming the field */
export function parseAttach(value: unknown): FullAttachRequest {
  const { limits, publish, ...request } = check(value);
  if (request.ifname === '.' || request.ifname === '..' || request.ifname === 'lo') {
    throw invalid('ifname', `'${request.ifname}' cannot be the name of a pod's interface`);
  }
  checkTap(request);
  return {
    ...request,
    ...(request.ips && { ips: request.ips.map(parseAddress) }),
    ...(request.mac !== undefined && { mac: parseStation('mac', request.mac) }),
    ...(limits && { limits: readLimits('limits.', limits) }),
    ...(publish && { publish: fullWishes('publish', publish) }),
  };
}

function checkTap({ tap, tapOwner }: AttachRequest): void {
  if (tap === '.' || tap === '..') throw invalid('tap', `'${tap}' cannot be the name of an interface`);
  if (tap === undefined && tapOwner !== undefined) throw invalid('tapOwner', 'there is no tap to own');
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
