/**
 * Which numbers the pods call by which name, and at which addresses they are: an egress rule that names a port means another
 * number for each pod that it is sent to.
 *
 * A block of addresses beside such a port means the pods in it that have the port. Who these are is kept for each such pair that
 * a ruleset names, as pods come and go: a pod costs a look at each of the pairs with its port, some 100 ns. An overlay may have
 * the address of somebody else: each is a space of addresses of its own, the networks that are routed share one.
 */

import type { PolicyBlock } from '../../dataplane/policy-spec.js';
import { type Cidr, contains, type Ip, parseCidr, parseIp } from '../../wire/address.js';
import type { NameDraft, NamedPort } from './drafts.js';
import type { PolicyPod } from './types.js';

interface Numbered extends NamedPort {
  readonly at: Map<string, At>;
  readonly blocks: Set<NamedBlock>;
  pods: number;
}

/** An address of pods. */
interface At {
  readonly space: string;
  readonly address: string;
  readonly ip: Ip;
  pods: number;
}

/** Pods in a block that have a port. */
export interface NamedBlock {
  readonly key: string;
  readonly port: NamedPort;
  readonly space: string;
  readonly cidr: Cidr;
  readonly except: readonly Cidr[];
  readonly addresses: Set<string>;
  uses: number;
}

export interface NamedPortsListener {
  /** The name stands for other numbers than before. */
  renumbered(name: string): void;
  replaced(block: NamedBlock): void;
}

export class NamedPorts {
  /** By name, then by protocol and number. */
  private readonly names = new Map<string, Map<string, Numbered>>();
  private readonly blocks = new Map<string, NamedBlock>();

  /** @param spaceOf what networks in which an address means the same have in common. Of a pod the same until it is removed. */
  constructor(
    private readonly listener: NamedPortsListener,
    private readonly spaceOf: (network: string) => string,
  ) {}

  add({ ports, interfaces }: PolicyPod): void {
    for (const port of unique(ports)) {
      const numbered = this.take(port);
      for (const { network, ips } of interfaces) {
        for (const address of ips) this.come(numbered, this.spaceOf(network), address);
      }
      if (++numbered.pods === 1) this.listener.renumbered(port.name);
    }
  }

  remove({ ports, interfaces }: PolicyPod): void {
    for (const port of unique(ports)) {
      const numbered = this.take(port);
      for (const { network, ips } of interfaces) {
        for (const address of ips) this.go(numbered, this.spaceOf(network), address);
      }
      if (--numbered.pods === 0) this.listener.renumbered(port.name);
      this.tidy(numbered);
    }
  }

  /** Sorted, so that who asks twice is answered the same. */
  numbersOf({ name, protocol }: NameDraft): readonly NamedPort[] {
    return [...(this.names.get(name)?.entries() ?? [])]
      .filter(([, port]) => port.pods > 0 && (protocol ?? port.protocol) === port.protocol)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, port]) => ({ name, protocol: port.protocol, port: port.port }));
  }

  /** To be released. */
  acquire({ cidr, except = [] }: PolicyBlock, port: NamedPort, space: string): NamedBlock {
    const key = `${port.name} ${keyOf(port)} ${space} ${cidr} ${[...except].sort()}`;
    const known = this.blocks.get(key);
    const block = known ?? {
      key,
      port,
      space,
      cidr: parseCidr(cidr),
      except: except.map(parseCidr),
      addresses: new Set<string>(),
      uses: 0,
    };
    block.uses++;
    if (known) return known;
    this.blocks.set(key, block);
    const numbered = this.take(port);
    numbered.blocks.add(block);
    for (const at of numbered.at.values()) if (isIn(block, at)) block.addresses.add(at.address);
    return block;
  }

  release(block: NamedBlock): void {
    if (--block.uses > 0) return;
    this.blocks.delete(block.key);
    const numbered = this.take(block.port);
    numbered.blocks.delete(block);
    this.tidy(numbered);
  }

  private come({ at, blocks }: Numbered, space: string, address: string): void {
    const known = at.get(atKey(space, address));
    if (known) {
      known.pods++;
      return;
    }
    const come = { space, address, ip: parseIp(address), pods: 1 };
    at.set(atKey(space, address), come);
    for (const block of blocks) {
      if (!isIn(block, come)) continue;
      block.addresses.add(address);
      this.listener.replaced(block);
    }
  }

  private go({ at, blocks }: Numbered, space: string, address: string): void {
    const known = at.get(atKey(space, address));
    if (!known || --known.pods > 0) return;
    at.delete(atKey(space, address));
    for (const block of blocks) {
      if (block.space === space && block.addresses.delete(address)) this.listener.replaced(block);
    }
  }

  private take(port: NamedPort): Numbered {
    const numbers = this.names.get(port.name) ?? new Map<string, Numbered>();
    this.names.set(port.name, numbers);
    const key = keyOf(port);
    const { name, protocol } = port;
    const numbered = numbers.get(key) ?? {
      name,
      protocol,
      port: port.port,
      at: new Map(),
      blocks: new Set(),
      pods: 0,
    };
    numbers.set(key, numbered);
    return numbered;
  }

  private tidy(numbered: Numbered): void {
    if (numbered.pods > 0 || numbered.blocks.size > 0) return;
    const numbers = this.names.get(numbered.name);
    numbers?.delete(keyOf(numbered));
    if (numbers?.size === 0) this.names.delete(numbered.name);
  }
}

function isIn({ space, cidr, except }: NamedBlock, at: At): boolean {
  return at.space === space && contains(cidr, at.ip) && !except.some((part) => contains(part, at.ip));
}

function atKey(space: string, address: string): string {
  return `${space} ${address}`;
}

function keyOf({ protocol, port }: NamedPort): string {
  return `${protocol}/${port}`;
}

function unique(ports: PolicyPod['ports']): readonly NamedPort[] {
  return [...new Map(ports.map((port) => [`${port.name} ${keyOf(port)}`, port])).values()];
}
