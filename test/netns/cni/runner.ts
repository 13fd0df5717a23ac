/**
 * What a container runtime does with CNI plugins (CNI specification 1.1, section 3): it starts each plugin of a chain in
 * turn, in its own network namespace, hands each the result of the one before, and undoes in reverse order.
 *
 *   ADD    a ─► b ─► c         DEL    c ─► b ─► a
 *   each plugin: environment and standard input ─► one process ─► a result or an error object
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Where Debian puts the reference plugins. */
export const REFERENCE_PLUGINS = '/usr/lib/cni';
const OWN_PLUGINS = fileURLToPath(new URL('../../../bin', import.meta.url));

export type Json = Record<string, unknown>;

export interface CniResult extends Json {
  cniVersion: string;
  interfaces: { name: string; mac: string; mtu?: number; sandbox?: string }[];
  ips: { version?: string; address: string; gateway?: string; interface?: number }[];
  routes: { dst: string; gw?: string }[];
  dns: Json;
}

/** What a runtime knows of a container. */
export interface Container {
  readonly id: string;
  readonly netns: string;
  readonly ifname?: string;
  /** CNI_ARGS. */
  readonly args?: string;
  /** Capability arguments: each plugin gets those that it declares. */
  readonly capabilities?: Json;
}

export interface PluginAnswer {
  readonly status: number | null;
  readonly answer: Json | undefined;
  readonly errors: string;
  readonly milliseconds: number;
}

export interface PluginCall {
  readonly command: string;
  readonly config: unknown;
  readonly container?: Container;
  /** The network namespace in which the runtime is; default: this process's. */
  readonly from?: string;
  /** Called with the process, for tests that kill it. */
  readonly started?: (child: ChildProcess) => unknown;
}

/** Runs one plugin. What it prints has to be JSON, or nothing. */
export async function callPlugin(type: string, call: PluginCall): Promise<PluginAnswer> {
  const { command, config, container, from, started } = call;
  const program = programOf(type);
  const [file, ...args] = from === undefined ? [program] : ['nsenter', `--net=${from}`, program];
  const begun = performance.now();
  const child = spawn(file, args, { env: environment(command, container), stdio: ['pipe', 'pipe', 'pipe'] });
  started?.(child);
  const texts = ['', ''];
  for (const [index, stream] of [child.stdout, child.stderr].entries()) {
    stream.setEncoding('utf8').on('data', (part: string) => {
      texts[index] += part;
    });
  }
  // A plugin may end without having read
  child.stdin.on('error', () => undefined);
  child.stdin.end(typeof config === 'string' ? config : JSON.stringify(config));
  const [status] = (await once(child, 'close')) as [number | null];
  const milliseconds = performance.now() - begun;
  const [output, errors] = texts;
  return { status, answer: output === '' ? undefined : (JSON.parse(output) as Json), errors, milliseconds };
}

/** A plugin of a chain failed: its own error object. */
export class PluginFailed extends Error {
  constructor(
    readonly plugin: string,
    readonly answer: Json | undefined,
    errors: string,
  ) {
    super(`${plugin}: ${answer === undefined ? errors : JSON.stringify(answer)}`);
  }
}

export interface ConfList {
  readonly cniVersion: string;
  readonly name: string;
  readonly plugins: readonly (Json & { type: string; capabilities?: Record<string, boolean> })[];
}

/** A network configuration, and the results that its runtime remembers. */
export class Chain {
  private readonly results = new Map<string, CniResult>();

  /** @param from path of the namespace in which the runtime is */
  constructor(
    readonly list: ConfList,
    private readonly from?: string,
  ) {}

  /** @throws PluginFailed; what was added before is left there, as runtimes leave it to their DEL */
  async add(container: Container): Promise<CniResult> {
    let previous: Json | undefined;
    for (const plugin of this.list.plugins) previous = await this.one('ADD', plugin, container, previous);
    this.results.set(keyOf(container), previous as CniResult);
    return previous as CniResult;
  }

  async check(container: Container): Promise<void> {
    for (const plugin of this.list.plugins)
      await this.one('CHECK', plugin, container, this.results.get(keyOf(container)));
  }

  async del(container: Container): Promise<void> {
    const previous = this.results.get(keyOf(container));
    for (const plugin of this.list.plugins.toReversed()) await this.one('DEL', plugin, container, previous);
    this.results.delete(keyOf(container));
  }

  /** By default what this chain has added and not deleted stays. Plugins that do not know GC are passed over. */
  async gc(valid = this.attachments(), types = this.list.plugins.map(({ type }) => type)): Promise<void> {
    const lists = { 'cni.dev/valid-attachments': valid, 'cni.dev/attachments': valid };
    for (const plugin of this.list.plugins.filter(({ type }) => types.includes(type))) {
      await this.one('GC', { ...plugin, ...lists });
    }
  }

  attachments(): { containerID: string; ifname: string }[] {
    return [...this.results.keys()].map((key) => {
      const [containerID, ifname] = key.split(' ');
      return { containerID, ifname };
    });
  }

  private async one(
    command: string,
    { capabilities = {}, ...plugin }: ConfList['plugins'][number],
    container?: Container,
    previous?: Json,
  ): Promise<Json | undefined> {
    const { cniVersion, name } = this.list;
    const asked = Object.entries(container?.capabilities ?? {}).filter(([key]) => capabilities[key]);
    const config = {
      ...plugin,
      ...{ cniVersion, name },
      ...(asked.length > 0 && { runtimeConfig: Object.fromEntries(asked) }),
      ...(previous && { prevResult: previous }),
    };
    const { status, answer, errors } = await callPlugin(plugin.type, {
      command,
      config,
      container,
      from: this.from,
    });
    if (status !== 0) throw new PluginFailed(plugin.type, answer, errors);
    return answer;
  }
}

function keyOf({ id, ifname = 'eth0' }: Container): string {
  return `${id} ${ifname}`;
}

function programOf(type: string): string {
  const own = join(OWN_PLUGINS, type);
  return existsSync(own) ? own : join(REFERENCE_PLUGINS, type);
}

function environment(command: string, container?: Container): NodeJS.ProcessEnv {
  const { PATH } = process.env;
  return {
    ...{ PATH, CNI_COMMAND: command, CNI_PATH: `${OWN_PLUGINS}:${REFERENCE_PLUGINS}` },
    ...(container && {
      CNI_CONTAINERID: container.id,
      CNI_NETNS: container.netns,
      CNI_IFNAME: container.ifname ?? 'eth0',
      ...(container.args !== undefined && { CNI_ARGS: container.args }),
    }),
  };
}
