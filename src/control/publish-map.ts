/**
 * Who has which port of the node: published ports, services, programs of the host. Two have the same one where protocol and
 * number are the same and some address is both's.
 */
import type { Protocol } from './services/types.js';

/** A port at an address; 0.0.0.0 is all of IPv4, :: all of IPv6, none all of both. */
export interface PortPlace {
  readonly protocol: Protocol;
  readonly port: number;
  readonly address?: string;
}

export interface PortHolder {
  /** For people: `pod default/web`. */
  readonly whose: string;
  readonly address?: string;
  /** Its address goes before all others: who has the port of all addresses is not in its way. */
  readonly isExact?: boolean;
}

export class PortMap {
  private readonly holders = new Map<string, PortHolder[]>();

  add({ protocol, port }: PortPlace, holder: PortHolder): void {
    const key = portKey(protocol, port);
    const known = this.holders.get(key);
    if (known) known.push(holder);
    else this.holders.set(key, [holder]);
  }

  /** Who has it already, or a part of it. */
  find({ protocol, port, address }: PortPlace): PortHolder | undefined {
    return this.holders
      .get(portKey(protocol, port))
      ?.find((holder) => (holder.isExact ? holder.address === address : overlaps(holder.address, address)));
  }
}

export function portKey(protocol: Protocol, port: number): string {
  return `${protocol} ${port}`;
}

const ALL_IPV4 = '0.0.0.0';
const ALL_IPV6 = '::';

export function isEvery(address: string | undefined): boolean {
  return address === undefined || address === ALL_IPV4 || address === ALL_IPV6;
}

function overlaps(one: string | undefined, other: string | undefined): boolean {
  if (one === undefined || other === undefined || one === other) return true;
  if (one.includes(':') !== other.includes(':')) return false;
  return isEvery(one) || isEvery(other);
}
