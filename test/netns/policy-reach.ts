/** Asks who of the cast (policy-cast.ts) reaches whom, all of them at once, and listens for what comes to whom it must not. */
import { expect } from 'vitest';
import { type ProbeAnswer, Prober, type ProbeTarget } from '../support/netns-prober.js';
import { until } from './daemon-support.js';
import {
  asked,
  COLUMNS,
  filled,
  isAsked,
  NAMESPACES,
  open,
  PODS,
  PORTS,
  ROWS,
  SERVICES,
} from './policy-cast.js';
import { LETTERS, type Letter, type Matrix } from './policy-matrix.js';
import { PolicyWorld } from './policy-support.js';
import { FAMILIES, type Family, ServiceWorld } from './services-support.js';

/** How often somebody is asked who does not answer and should: this machine may be busy, and a datagram may be lost. */
const TRIES = 8;

/** Of lines that say what is wrong. */
const SHOWN = 20;

interface Probe {
  readonly row: string;
  readonly column: string;
  readonly letter: Letter;
  readonly family: Family;
  readonly target: ProbeTarget;
}

export class Reach extends PolicyWorld {
  private readonly probers = new Map<string, Prober>();
  private readonly serviceAddresses = new Map<string, { 4: string; 6: string }>();
  /** Who is at an address. */
  private readonly names = new Map<string, string>();

  static async begin(): Promise<Reach> {
    const world = new Reach(await ServiceWorld.start(), PODS);
    return world.begun(() => world.fillCast());
  }

  override address(who: string, family: Family): string {
    const service = this.serviceAddresses.get(who);
    return service ? service[family] : super.address(who === 'ext' ? 'outside' : who, family);
  }

  /**
   * Who reaches whom, as text. Whoever is expected to answer and does not is asked again. Whoever is not is asked once, and hears
   * nothing: no request that is not expected comes to a pod.
   */
  async reached(expected: Matrix): Promise<string> {
    await Promise.all([...this.probers].map(([who, prober]) => prober.heard(this.addresses(who))));
    const seen = { 4: filled(() => new Set()), 6: filled(() => new Set()) };
    const errors: string[] = [];
    let probes = this.probes(expected);
    for (let attempt = 0; attempt < TRIES && probes.length > 0; attempt++) {
      const answers = await this.ask(probes);
      for (const [{ row, column, letter, family }, answer] of answers) {
        if (answer === true) (seen[family].get(row, column) as Set<Letter>).add(letter);
        else if (answer) errors.push(`${row} ${column} ${letter} ${family} ${answer}`);
      }
      const missed = answers.filter(([{ target }, answer]) => answer !== true && target.isExpected);
      probes = missed.map(([probe]) => probe);
    }
    const same = `${seen[4]}` === `${seen[6]}`;
    const matrix = same ? `${seen[4]}` : `IPv4\n${seen[4]}\nIPv6\n${seen[6]}`;
    const more = [...errors, ...(await this.leaks(expected))];
    const rest = more.length > SHOWN ? [`${more.length} such`] : [];
    return [matrix, ...more.slice(0, SHOWN), ...rest].join('\n');
  }

  override async cleanup(): Promise<void> {
    for (const prober of this.probers.values()) await prober.end();
    await super.cleanup();
  }

  private async ask(probes: readonly Probe[]): Promise<[Probe, ProbeAnswer][]> {
    const all = [...this.probers].map(async ([who, prober]) => {
      const own = probes.filter(({ row }) => row === who);
      const targets = own.map(({ target }) => target);
      const answers = await prober.ask(targets);
      return answers.map((answer, index): [Probe, ProbeAnswer] => [own[index], answer]);
    });
    return (await Promise.all(all)).flat();
  }

  private probes(expected: Matrix): Probe[] {
    const pairs = ROWS.flatMap((row) => COLUMNS.map((column) => [row, column]));
    return pairs
      .filter(([row, column]) => isAsked(row, column))
      .flatMap(([row, column]) =>
        asked(column).flatMap((letter) => {
          const isExpected = expected.get(row, column)?.has(letter) ?? false;
          return FAMILIES.map((family) => ({
            ...{ row, column, letter, family },
            target: this.target(column, letter, family, isExpected),
          }));
        }),
      );
  }

  private target(column: string, letter: Letter, family: Family, isExpected: boolean): ProbeTarget {
    const { kind, port, servicePort } = PORTS[letter];
    const address = this.address(column, family);
    return { kind, address, port: column in SERVICES ? servicePort : port, isExpected };
  }

  /** Requests that came to a pod from somebody who must not reach it. */
  private async leaks(expected: Matrix): Promise<string[]> {
    const found: string[] = [];
    for (const column of Object.keys(PODS)) {
      for (const line of await this.probers.get(column)!.heard(this.addresses(column))) {
        const [source, kind, port] = line.split(' ');
        const row = this.names.get(source);
        const letter = LETTERS.find((name) => PORTS[name].kind === kind && PORTS[name].port === Number(port));
        if (!row || !letter || row === column || expected.get(row, column)?.has(letter)) continue;
        found.push(`came to ${column} from ${row}: ${line}`);
      }
    }
    return found;
  }

  private async fillCast(): Promise<void> {
    await this.fill(...NAMESPACES);
    for (const name of Object.keys(SERVICES)) await this.serve(name);
    this.routes();
    const starting = ROWS.map(async (who) => {
      this.probers.set(who, await Prober.start(this.services.at(who === 'ext' ? 'outside' : who)));
    });
    await Promise.all(starting);
    this.learnNames();
    // Until each node knows the other's pods.
    let found = '';
    await until(async () => {
      found = await this.reached(open());
      return found === `${open()}`;
    });
    expect(found).toBe(`${open()}`);
  }

  private async serve(name: string): Promise<void> {
    const { name: service, selector } = SERVICES[name];
    const ports = [
      { name: 'web', port: 80, targetPort: 8080 },
      { name: 'rpc', port: 50, targetPort: 5000 },
      { name: 'echo', port: 50, targetPort: 5000, protocol: 'UDP' },
    ];
    await this.services.service(service, { selector, ports });
    this.serviceAddresses.set(name, await this.services.addresses(service));
  }

  /** The host outside has ways to the pods, as a router of the underlay would. */
  private routes(): void {
    const outside = this.services.cluster.hosts.find(({ name }) => name === 'outside')!.bench;
    for (const [index, node] of this.nodes.entries()) {
      outside.ip('host', 'route', 'add', `10.244.${index}.0/24`, 'via', node.address);
      outside.ip('host', 'route', 'add', `fd00:10:244:${index}::/64`, 'via', `fd77::${node.number}`);
    }
  }

  private learnNames(): void {
    for (const name of [...Object.keys(PODS), 'ext']) {
      for (const address of this.addresses(name)) this.names.set(address, name);
    }
    for (const { name, bench } of this.nodes) {
      for (const { addr_info } of bench.links('host')) {
        for (const { local } of addr_info) this.names.set(local, name);
      }
    }
  }
}
