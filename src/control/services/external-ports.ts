/**
 * Ports of the external frontends' address: one for each address, protocol and port of services outside of their
 * prefixes. The same number where nobody has it, else one that is free.
 */
const MOST = 65_535;

interface Group {
  readonly taken: Set<number>;
  /** Looked at last, so that as many addresses with one port as there are ports are not a search each. */
  last: number;
}

export class ExternalPorts {
  private readonly byKey = new Map<string, { group: Group; port: number }>();
  private readonly groups = new Map<string, Group>();

  /**
   * @param name of the group within which numbers are different: family and protocol. @param key which has one number, however
   * often it is taken. @returns undefined where there is none left
   */
  take(name: string, key: string, wish: number): number | undefined {
    const known = this.byKey.get(key);
    if (known) return known.port;
    const group = this.groups.get(name) ?? { taken: new Set(), last: MOST };
    this.groups.set(name, group);
    if (group.taken.size >= MOST) return undefined;
    const port = group.taken.has(wish) ? nextFree(group) : wish;
    group.taken.add(port);
    this.byKey.set(key, { group, port });
    return port;
  }

  release(key: string): void {
    const known = this.byKey.get(key);
    known?.group.taken.delete(known.port);
    this.byKey.delete(key);
  }
}

/** There is one. */
function nextFree(group: Group): number {
  do group.last = group.last === MOST ? 1 : group.last + 1;
  while (group.taken.has(group.last));
  return group.last;
}
