/** The host's own addresses as others may call it by them: those of a service's node port. */
import { holds } from './cidr.js';
import type { HostAddress } from './host/addresses.js';
import { NODE_IFNAME } from './host/node-interface.js';

/** RFC 1122 section 3.2.1.3, RFC 4291 sections 2.5.3 and 2.5.6: mean another host, or another interface, to each. */
const NEVER_ROUTED = ['127.0.0.0/8', '::1/128', 'fe80::/10'];

export class NodeAddresses {
  private addresses: readonly string[] = [];

  get list(): readonly string[] {
    return this.addresses;
  }

  /** @param found of all interfaces; podwire0's are the plan's. @returns whether that makes a difference */
  set(found: readonly HostAddress[]): boolean {
    const usable = found.filter(
      ({ ifname, address }) => ifname !== NODE_IFNAME && !NEVER_ROUTED.some((cidr) => holds(cidr, address)),
    );
    const addresses = [...new Set(usable.map(({ address }) => address))].sort();
    const isSame = addresses.join() === this.addresses.join();
    this.addresses = addresses;
    return !isSame;
  }
}
