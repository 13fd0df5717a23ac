/**
 * What changes in podwire's table while its rules stay: node ports and addresses of services, in sets and maps of nftables, as
 * they are wanted, and what of that the kernel has not been told yet. One that changes costs one, however many there are.
 */

/** Of the node's own addresses: `tcp . 30080`. Of others, with where they lead: `192.0.2.1 . tcp . 80`. */
export const ELEMENT_SETS = ['node_ports4', 'node_ports6', 'addresses4', 'addresses6'] as const;
export type ElementSetName = (typeof ELEMENT_SETS)[number];

/** A line has so many: nft reads any length, and people should be able to read an error. */
const A_LINE = 500;

export class ElementSet {
  /** By key, what a map has there; '' in a set. */
  private readonly wanted = new Map<string, string>();
  /** What the kernel has, of those that differ. */
  private readonly before = new Map<string, string | undefined>();

  constructor(readonly name: ElementSetName) {}

  get size(): number {
    return this.wanted.size;
  }

  add(key: string, value = ''): void {
    if (this.wanted.get(key) === value) return;
    this.note(key);
    this.wanted.set(key, value);
  }

  remove(key: string): void {
    if (!this.wanted.has(key)) return;
    this.note(key);
    this.wanted.delete(key);
  }

  /** All of them, for a table that is made anew. The kernel is told with it. */
  takeAll(): string[] {
    this.before.clear();
    return [...this.wanted].map(([key, value]) => elementText(key, value));
  }

  /** Commands that make the kernel's set this one. The kernel is told with them. */
  takeChanges(): string[] {
    const gone: string[] = [];
    const come: string[] = [];
    for (const [key, old] of this.before) {
      const now = this.wanted.get(key);
      if (now === old) continue;
      if (old !== undefined) gone.push(elementText(key, old));
      if (now !== undefined) come.push(elementText(key, now));
    }
    this.before.clear();
    return [...this.commands('delete', gone), ...this.commands('add', come)];
  }

  /** Whether the kernel's are these; also where changes are on their way, so that nobody can tell. */
  accepts(listed: readonly string[]): boolean {
    if (this.before.size > 0) return true;
    if (listed.length !== this.wanted.size) return false;
    const present = new Set(listed);
    for (const [key, value] of this.wanted) if (!present.has(elementText(key, value))) return false;
    return true;
  }

  private note(key: string): void {
    if (!this.before.has(key)) this.before.set(key, this.wanted.get(key));
  }

  private commands(verb: 'add' | 'delete', elements: readonly string[]): string[] {
    const lines = Math.ceil(elements.length / A_LINE);
    return Array.from({ length: lines }, (_, line) => {
      const some = elements.slice(line * A_LINE, (line + 1) * A_LINE);
      return `${verb} element inet podwire ${this.name} { ${some.join(', ')} }`;
    });
  }
}

function elementText(key: string, value: string): string {
  return value === '' ? key : `${key} : ${value}`;
}

export type Elements = Readonly<Record<ElementSetName, ElementSet>>;

export function noElements(): Elements {
  const sets = ELEMENT_SETS.map((name) => [name, new ElementSet(name)] as const);
  return Object.fromEntries(sets) as Elements;
}
