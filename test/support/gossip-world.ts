/**
 * Three engines that share what they learn, and a model of where each address lives, for random steps.
 *
 * The model knows the port that an address was heard on last. While engines have different snapshots, or a ring was
 * full, two engines may each hear an address and not yet know of the other: then any of the ports that it was heard on
 * will do, as long as all engines that know it come to the same one. Once time has passed, what they have is held against the model.
 */
import { LEARNED_AGE } from '../../src/dataplane/constants.js';
import { REPEAT } from '../../src/dataplane/learned-sharing.js';
import type { Snapshot } from '../../src/dataplane/snapshot.js';
import { compileTables } from '../../src/dataplane/tables.js';
import { SharedEngines, strangerFrame } from './shared-engines.js';
import { networks } from './snapshots.js';

export const WORKERS = 3;
export const PORTS = 6;
export const DOMAINS = 2;
export const STRANGERS = 6;
/** More than a ring holds. */
const BURST = 1100;

/** Seconds until everything that a full ring refused has been told. */
const SETTLING = 8;
/** How late an engine may hear of something (ms). */
const LATE = 3000;

const NOWHERE = -1;
const BASE = networks({ ports: [3, 3], guard: false, learning: true });
const HI = 0x02aa;

export type GossipStep =
  | { readonly do: 'hear'; readonly port: number; readonly stranger: number }
  | { readonly do: 'burst'; readonly port: number }
  | { readonly do: 'listen'; readonly engine: number }
  | { readonly do: 'wait'; readonly seconds: number }
  | { readonly do: 'replace'; readonly port: number }
  | {
      readonly do: 'move';
      readonly port: number;
      readonly domain: number;
      /** The engine that takes the snapshot first. */
      readonly first: number;
      /** Who is heard where between one engine's swap and the next. */
      readonly meanwhile: readonly { readonly port: number; readonly stranger: number }[];
    };

interface Home {
  /** Where it may be. */
  readonly ports: Set<number>;
  seen: number;
}

export class GossipWorld {
  private readonly engines: SharedEngines;
  private readonly homes = new Map<string, Home>();
  /** By port: its domain in the newest snapshot. */
  private domainOf: number[] = [];
  /** By engine: the domains in the snapshot that it has. */
  private inForce: (readonly number[])[] = [];
  private generation = 1;
  /** Engines may be of two minds. */
  private isLoose = false;

  constructor() {
    const ownerOf = (port: number) => port % WORKERS;
    this.engines = new SharedEngines({ workers: WORKERS, snapshot: BASE, ownerOf });
    this.reset();
  }

  /** Begins anew, with the same engines, whose ports have all been closed meanwhile. */
  reset(): void {
    this.engines.swap({ ...BASE, generation: ++this.generation, ports: [], neighbours: [] });
    this.engines.swap({ ...BASE, generation: ++this.generation });
    this.domainOf = BASE.ports.map(({ attachment }) =>
      'domain' in attachment ? attachment.domain : NOWHERE,
    );
    this.inForce = this.engines.engines.map(() => [...this.domainOf]);
    this.homes.clear();
    this.isLoose = false;
  }

  run(step: GossipStep): void {
    switch (step.do) {
      case 'hear':
        this.hear(step.port, [step.stranger]);
        break;
      case 'burst':
        this.hear(
          step.port,
          Array.from({ length: BURST }, (_, i) => STRANGERS + i),
        );
        break;
      case 'listen':
        this.engines.sweep(step.engine);
        break;
      case 'wait':
        this.engines.pass(step.seconds);
        break;
      case 'replace':
        this.replace(step.port);
        break;
      case 'move':
        this.move(step);
        break;
    }
  }

  /** What is not as it must be, once time has passed; empty if nothing. */
  violation(): string {
    this.engines.pass(SETTLING);
    this.isLoose = false;
    for (const [key, home] of this.homes) {
      const found = this.found(key);
      const age = this.engines.now - home.seen;
      if (age >= LEARNED_AGE + LATE) {
        if (found.some((port) => port !== NOWHERE)) return `${key}: at ${found}, and silent for ${age} ms`;
        this.homes.delete(key);
      } else if (age < LEARNED_AGE - REPEAT - LATE) {
        // Where one of several ports it may be behind was taken away, an engine may have heard of that one alone.
        const places = new Set(found);
        for (const place of places) {
          if (!home.ports.has(place)) return `${key}: at ${found}, not at any of ${[...home.ports]}`;
        }
        if (new Set(places).add(NOWHERE).size > 2) return `${key}: engines disagree, ${found}`;
        home.ports.clear();
        for (const place of places) home.ports.add(place);
      }
    }
    return this.invented() ?? '';
  }

  private found(key: string): number[] {
    const [domain, stranger] = key.split(' ').map(Number);
    const { engines, now } = this.engines;
    return engines.map(({ context }) => context.learned.lookupMac(domain, 0, HI, stranger, now));
  }

  /** An entry that nothing has taught. */
  private invented(): string | undefined {
    let first: string | undefined;
    this.engines.engines.forEach(({ context, pool }, index) => {
      context.learned.fdb.forEach(this.engines.now, (domain, _vlan, _hi, lo, port) => {
        const home = this.homes.get(`${domain} ${lo}`);
        if (home?.ports.has(port) !== true) first ??= `engine ${index} invented ${domain} ${lo} at ${port}`;
      });
      if (pool.free !== pool.capacity) first ??= `engine ${index} has lost slots`;
    });
    return first;
  }

  private hear(port: number, strangers: readonly number[]): void {
    const owner = port % WORKERS;
    const refused = this.refused();
    for (const stranger of strangers) this.engines.inject(port, strangerFrame(stranger));
    this.engines.cycle(owner);
    this.engines.takeAll();
    if (this.refused() > refused) this.isLoose = true;
    const domain = this.inForce[owner][port];
    if (domain === NOWHERE) return;
    for (const stranger of strangers) this.settle(`${domain} ${stranger}`, port);
  }

  private refused(): number {
    const { engines } = this.engines;
    return engines.reduce((sum, { counters }) => sum + counters.cycleCounter('unsharedAddresses'), 0);
  }

  private settle(key: string, port: number): void {
    const { now } = this.engines;
    const home = this.homes.get(key);
    // As old as it may have become at some engine meanwhile, it is not known where it is.
    const ports = home && this.isLoose ? home.ports : new Set<number>();
    ports.add(port);
    this.homes.set(key, { ports, seen: now });
  }

  /** Nobody lives in this domain behind the port any more. */
  private leave(domain: number, port: number): void {
    for (const [key, { ports }] of this.homes) {
      if (!key.startsWith(`${domain} `) || !ports.delete(port)) continue;
      if (ports.size === 0) this.homes.delete(key);
      else ports.add(NOWHERE);
    }
  }

  private replace(port: number): void {
    const domain = this.domainOf[port];
    this.swapAll(port, NOWHERE);
    this.engines.detach(port);
    this.engines.attach(port);
    this.swapAll(port, domain);
  }

  private swapAll(port: number, domain: number): void {
    this.move({ port, domain, first: 0, meanwhile: [] });
  }

  private move({ port, domain, first, meanwhile }: Omit<GossipStep & { do: 'move' }, 'do'>): void {
    const before = this.domainOf[port];
    this.domainOf[port] = domain;
    const tables = compileTables(this.snapshot(++this.generation));
    const wasLoose = this.isLoose;
    this.isLoose = wasLoose || meanwhile.length > 0;
    for (let i = 0; i < WORKERS; i++) {
      const index = (first + i) % WORKERS;
      this.engines.swapOne(index, tables);
      this.inForce[index] = [...this.domainOf];
      if (index === port % WORKERS && before !== domain) this.leave(before, port);
      if (i < meanwhile.length) this.hear(meanwhile[i].port, [meanwhile[i].stranger]);
    }
  }

  private snapshot(generation: number): Snapshot {
    const ports = BASE.ports
      .filter(({ id }) => this.domainOf[id] !== NOWHERE)
      .map((port) => ({ ...port, attachment: { kind: 'domain' as const, domain: this.domainOf[port.id] } }));
    return { ...BASE, generation, ports, neighbours: [] };
  }
}
