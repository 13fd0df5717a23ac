/**
 * The hashes by which a backend is chosen. Not keyed: every node, and every thread, must find the same for one connection, so that
 * it keeps its backend where another node takes it over (a load balancer's, when a node goes). Who chooses source ports can so choose
 * a backend, which they can by trying as well.
 *
 * Neither zone nor the node is in them. Cost: some 5 ns for IPv4.
 */
import { type FlowKey, isIpv6, protocolOf } from '../flows/flow-key.js';
import { mix32 } from '../tables/hash.js';

/** Of the tuple as the client sends it: addresses, ports and protocol. An int32. */
export function choiceHash(key: FlowKey): number {
  const last = mix32(key.ports ^ Math.imul(protocolOf(key.subject), 0xc2b2_ae3d));
  return addressHash(
    key.destination,
    isIpv6(key.subject),
    addressHash(key.source, isIpv6(key.subject), last),
  );
}

/** Of the client's address alone, for services with affinity: whatever of theirs it asks, from whatever port. */
export function clientHash(key: FlowKey): number {
  return addressHash(key.source, isIpv6(key.subject), 0);
}

/** Each word goes through a bijection with what was before, so two that differ in one word never have one hash. */
function addressHash(words: Int32Array, isWide: boolean, seed: number): number {
  let hash = seed;
  for (let i = isWide ? 0 : 3; i < 4; i++) hash = mix32((Math.imul(hash, 0x9e37_79b1) + words[i]) | 0);
  return hash;
}
