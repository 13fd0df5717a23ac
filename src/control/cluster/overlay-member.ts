/**
 * One address of an overlay network and who has it: the record `cluster/members/NETWORK/ADDRESS`.
 */
import { formatMac, parseMac } from '../../wire/address.js';
import { canonicalIp } from '../cidr.js';
import { checker, closed } from '../model/schema.js';
import type { Json } from '../store/store.js';

export const OVERLAY_MEMBERS = 'cluster/members/';

export interface OverlayMember {
  readonly network: string;
  readonly address: string;
  readonly mac: string;
  /** `default/web` */
  readonly pod: string;
  readonly node: string;
  /** More names of the pod in the network. */
  readonly aliases?: readonly string[];
  /** Of the node's daemon: a machine installed anew under the old name is another. */
  readonly uid: string;
}

/** What a pod is attached with. */
export interface OverlayClaim {
  readonly network: string;
  readonly ips: readonly string[];
  readonly mac: string;
  readonly aliases?: readonly string[];
}

const TEXT = { type: 'string', minLength: 1, maxLength: 512 };

const ALIASES = { type: 'array', maxItems: 32, items: TEXT };

const check = checker<OverlayMember>(
  closed({ network: TEXT, address: TEXT, mac: TEXT, pod: TEXT, node: TEXT, uid: TEXT, aliases: ALIASES }, [
    'network',
    'address',
    'mac',
    'pod',
    'node',
    'uid',
  ]),
  'the record',
);

export function memberKey(network: string, address: string): string {
  return `${OVERLAY_MEMBERS}${network}/${address}`;
}

/** undefined for a record that cannot be read, or that lies under another's key. */
export function readMember(key: string, value: Json): OverlayMember | undefined {
  try {
    const member = check(value);
    const { hi, lo } = parseMac(member.mac);
    const isCanonical = formatMac(hi, lo) === member.mac && canonicalIp(member.address) === member.address;
    return isCanonical && memberKey(member.network, member.address) === key ? member : undefined;
  } catch {
    return undefined;
  }
}
