/**
 * What the demo's nodes share: the underlay, the token with which they trust one another, and the store, which is
 * node a's unless an etcd was asked for.
 */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EtcdProcess } from './etcd-process.js';
import { makeUnderlay, SWITCH_ADDRESS, underlayAddress } from './underlay.js';

const API_PORT = 7443;
const ETCD_PORT = 2379;

export interface ClusterOptions {
  readonly nodes: number;
  readonly store: 'embedded' | 'etcd';
  readonly prefix: string;
  readonly directory: string;
}

export class ClusterPlan {
  readonly #tokenFile: string;
  readonly #etcd: EtcdProcess | undefined;

  constructor(private readonly options: ClusterOptions) {
    const { directory, store } = options;
    this.#tokenFile = join(directory, 'token');
    writeFileSync(this.#tokenFile, `${randomBytes(24).toString('hex')}\n`, { mode: 0o600 });
    if (store === 'etcd') {
      this.#etcd = new EtcdProcess({
        netns: this.#switchNamespace,
        directory,
        address: SWITCH_ADDRESS,
        port: ETCD_PORT,
      });
    }
  }

  get #switchNamespace(): string {
    return `${this.options.prefix}-underlay`;
  }

  /** Two nodes have a wire between them; more, or an etcd beside them, a switch. */
  get #hasSwitch(): boolean {
    return this.options.nodes > 2 || this.options.store === 'etcd';
  }

  /** Beside those of nodes and pods. */
  get namespaces(): string[] {
    return this.#hasSwitch ? [this.#switchNamespace] : [];
  }

  /** What is special about a node by its number: where it is, and what its daemon is told. */
  node(index: number): { underlay: string; flags: string[] } {
    const underlay = underlayAddress(index);
    const { store } = this.options;
    const joins = store === 'embedded' && index > 0;
    return {
      underlay,
      flags: [
        ...['--underlay', underlay, '--listen', `${underlay}:${API_PORT}`, '--token-file', this.#tokenFile],
        ...(joins ? ['--join', `http://${underlayAddress(0)}:${API_PORT}`] : []),
        ...(store === 'etcd' ? ['--store', `etcd=http://${SWITCH_ADDRESS}:${ETCD_PORT}`] : []),
      ],
    };
  }

  /** Wires the nodes' namespaces, and starts the etcd where there is one. Says what was made. */
  async makeUnderlay(nodes: readonly string[]): Promise<string> {
    const made = await makeUnderlay(nodes, this.#hasSwitch ? this.#switchNamespace : undefined);
    if (this.#etcd === undefined) return made;
    await this.#etcd.start();
    return `${made}, etcd at ${SWITCH_ADDRESS}`;
  }

  async stop(): Promise<void> {
    await this.#etcd?.stop();
  }

  release(): void {
    this.#etcd?.release();
  }
}
