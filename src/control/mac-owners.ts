/**
 * Who of a network has which MAC address. An address that a domain had twice would keep every later snapshot from being
 * compiled, whoever asked for it. So it is taken before there is a port and given back after the last of it, and a pod
 * whose interface is lost keeps its own. Nothing is stored: records are claimed again when the daemon starts.
 */
import { PodwireError } from './errors.js';
import { type DomainLayout, THE_NODE } from './layout.js';
import { macOf } from './mac.js';

export class MacOwners {
  private readonly owners = new Map<string, string>();

  /** @param network its name, for messages. */
  constructor(private readonly network: string) {}

  /**
   * Takes the MAC address that is wanted, or one that follows from the addresses.
   * @param others who else has which, as far as is known: pods of other nodes.
   * @throws PodwireError MAC_IN_USE
   */
  take(
    owner: string,
    { mac: wanted, ips }: { readonly mac?: string | undefined; readonly ips: readonly string[] },
    layout: readonly DomainLayout[],
    others: ReadonlyMap<string, string> = new Map(),
  ): string {
    const holderOf = (mac: string): string | undefined => this.holderOf(mac, layout) ?? others.get(mac);
    const mac = wanted ?? macOf(ips, (candidate) => holderOf(candidate) !== undefined);
    const holder = wanted === undefined ? undefined : holderOf(wanted);
    if (holder !== undefined) {
      throw new PodwireError(
        'MAC_IN_USE',
        `mac: ${mac} belongs to ${holder} of network ${this.network}`,
        'mac',
      );
    }
    this.claim(owner, mac);
    return mac;
  }

  /** Takes what a stored attachment has. */
  claim(owner: string, mac: string): void {
    if (!this.owners.has(mac)) this.owners.set(mac, owner);
  }

  release(owner: string): void {
    for (const [mac, holder] of this.owners) if (holder === owner) this.owners.delete(mac);
  }

  private holderOf(mac: string, layout: readonly DomainLayout[]): string | undefined {
    const owner = this.owners.get(mac);
    return owner === undefined ? ownStation(mac, layout) : `pod ${owner}`;
  }
}

/** The switch, which has a MAC address in each domain, be it a gateway there or not; or podwire0. */
function ownStation(mac: string, layout: readonly DomainLayout[]): string | undefined {
  for (const { gateways, reserved } of layout) {
    if (macOf(gateways) === mac) return 'the gateway';
    const node = [...reserved].flatMap(([address, holder]) => (holder === THE_NODE ? address : []));
    if (node.length > 0 && macOf(node) === mac) return THE_NODE;
  }
  return undefined;
}
