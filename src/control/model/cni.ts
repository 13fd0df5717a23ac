/** The bodies of /v1/cni. Names and limits: CNI 1.1, section 2. */
import type { CniAddRequest, CniCheckRequest, CniDelRequest, CniGcRequest } from '../api/cni-types.js';
import { ATTACH_SCHEMA } from './attach.js';
import { NAME, NAMESPACE } from './meta.js';
import { PORT_MAPPINGS } from './publish.js';
import { checker, closed, type Schema } from './schema.js';

/** An identifier of a container: CNI 1.1, section 2, "CNI_CONTAINERID". */
const CONTAINER: Schema = {
  type: 'string',
  pattern: '^[A-Za-z0-9][A-Za-z0-9_.-]{0,252}$',
  description: 'an identifier of a container: letters, digits, _, . and -',
};

/** A network configuration's name: the same, by the specification. */
const CONFIG: Schema = { ...CONTAINER, description: 'a name of a network configuration' };

const { netns, ifname, network, ips, mac, aliases, labels } = ATTACH_SCHEMA.properties as Record<
  string,
  Schema
>;

const ATTACHMENT = { containerId: CONTAINER, ifname, config: CONFIG };
const NAMED = ['containerId', 'ifname', 'config'];

/** Bits and bits a second: what fits a double exactly. */
const BITS: Schema = { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER };

export const CNI_ADD_SCHEMA: Schema = closed(
  {
    ...ATTACHMENT,
    netns,
    pod: closed({ namespace: NAMESPACE, name: NAME, uid: { type: 'string', maxLength: 253 } }, [
      'namespace',
      'name',
    ]),
    network,
    ips,
    mac,
    aliases,
    labels,
    portMappings: PORT_MAPPINGS,
    bandwidth: closed({ ingressRate: BITS, ingressBurst: BITS, egressRate: BITS, egressBurst: BITS }),
  },
  [...NAMED, 'netns'],
);

export const CNI_DEL_SCHEMA: Schema = closed(ATTACHMENT, NAMED);

export const CNI_CHECK_SCHEMA: Schema = closed(
  { ...ATTACHMENT, netns, ips: { type: 'array', maxItems: 16, items: { type: 'string' } }, mac },
  [...NAMED, 'netns'],
);

export const CNI_GC_SCHEMA: Schema = closed(
  {
    config: CONFIG,
    valid: { type: 'array', items: closed({ containerId: CONTAINER, ifname }, ['containerId', 'ifname']) },
  },
  ['config', 'valid'],
);

/** @throws PodwireError INVALID naming the field */
export const parseCniAdd = checker<CniAddRequest>(CNI_ADD_SCHEMA);
export const parseCniDel = checker<CniDelRequest>(CNI_DEL_SCHEMA);
export const parseCniCheck = checker<CniCheckRequest>(CNI_CHECK_SCHEMA);
export const parseCniGc = checker<CniGcRequest>(CNI_GC_SCHEMA);
