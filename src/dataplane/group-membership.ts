/** Which packets are about membership in multicast groups: IGMP (RFC 3376) and MLD (RFC 2710, RFC 3810), of one link only. */
import * as icmpv6 from '../wire/icmpv6.js';
import { PROTOCOL } from '../wire/ipv4.js';
import { KIND, type PacketPool } from './pool.js';

const IGMP = 2;

export function isMembership(pool: PacketPool, slot: number): boolean {
  const l4 = pool.l4[slot];
  if (l4 === 0) return false;
  const protocol = pool.protocol[slot];
  if (pool.kind[slot] === KIND.IPV4) return protocol === IGMP;
  if (pool.kind[slot] !== KIND.IPV6 || protocol !== PROTOCOL.ICMPV6) return false;
  const type = icmpv6.type(pool.view, l4);
  return type === icmpv6.TYPE.MLD_QUERY || icmpv6.isListenerReport(type);
}
