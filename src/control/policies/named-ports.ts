/**
 * Which numbers the pods call by which name, and at which addresses they are: an egress rule that names a port means another
 * number for each pod that it is sent to.
 */

import type { PolicyBlock } from '../../dataplane/policy-spec.js';
import { holds } from '../cidr.js';
import type { NameDraft, NamedPort } from './drafts.js';
import type { PolicyInterface, PolicyPod } from './types.js';

interface Numbered extends NamedPort {
  /** Addresses, as often as they occur. */
  readonly at: Map<string, number>;
  pods: number;
}

export class NamedPorts {
  /** By name, then by protocol and number. */
  private readonly names = new Map<string, Map<string, Numbered>>();

  /** @param changed told of each name with which it is otherwise than before; isNew: its numbers are others. */
  constructor(private readonly changed: (name: string, isNew: boolean) => void) {}

  add({ ports, interfaces }: PolicyPod): void {
    for (const port of unique(ports)) {
      const numbered = this.take(port);
      numbered.pods++;
      for (const address of addressesOf(interfaces)) {
        numbered.at.set(address, (numbered.at.get(address) ?? 0) + 1);
      }
      this.changed(port.name, numbered.pods === 1);
    }
  }

  remove({ ports, interfaces }: PolicyPod): void {
    for (const port of unique(ports)) {
      const numbered = this.take(port);
      for (const address of addressesOf(interfaces)) {
        const left = (numbered.at.get(address) ?? 1) - 1;
        if (left > 0) numbered.at.set(address, left);
        else numbered.at.delete(address);
      }
      if (--numbered.pods === 0) this.forget(port);
      this.changed(port.name, numbered.pods === 0);
    }
  }

  /** Sorted, so that who asks twice is answered the same. */
  numbersOf({ name, protocol }: NameDraft): readonly NamedPort[] {
    return [...(this.names.get(name)?.entries() ?? [])]
      .filter(([, port]) => (protocol ?? port.protocol) === port.protocol)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, port]) => ({ name, protocol: port.protocol, port: port.port }));
  }

  /** Of pods in the block that have the port. Sorted. */
  addressesIn({ cidr, except = [] }: PolicyBlock, port: NamedPort): readonly string[] {
    const at = [...(this.names.get(port.name)?.get(keyOf(port))?.at.keys() ?? [])];
    return at
      .filter((address) => holds(cidr, address) && !except.some((part) => holds(part, address)))
      .sort();
  }

  private take(port: NamedPort): Numbered {
    const numbers = this.names.get(port.name) ?? new Map<string, Numbered>();
    this.names.set(port.name, numbers);
    const key = keyOf(port);
    const numbered = numbers.get(key) ?? { ...port, at: new Map(), pods: 0 };
    numbers.set(key, numbered);
    return numbered;
  }

  private forget(port: NamedPort): void {
    const numbers = this.names.get(port.name);
    numbers?.delete(keyOf(port));
    if (numbers?.size === 0) this.names.delete(port.name);
  }
}

function keyOf({ protocol, port }: NamedPort): string {
  return `${protocol}/${port}`;
}

function unique(ports: PolicyPod['ports']): readonly NamedPort[] {
  return [...new Map(ports.map((port) => [`${port.name} ${keyOf(port)}`, port])).values()];
}

function addressesOf(interfaces: readonly PolicyInterface[]): readonly string[] {
  return interfaces.flatMap(({ ips }) => ips);
}
