/** A daemon, containers that are namespaces, and the plugin between them. */
import { DaemonBench, sleep, until } from '../daemon-support.js';
import {
  type CniResult,
  type Container,
  callPlugin,
  type Json,
  type PluginAnswer,
  type PluginCall,
} from './runner.js';

interface PodView {
  metadata: { name: string; namespace: string; labels?: Record<string, string> };
  status: { podIPs?: { ip: string }[] };
}

export class CniBench extends DaemonBench {
  /** A namespace, as a runtime makes it before any plugin is started. */
  container(short: string, more: Partial<Container> = {}): Container {
    this.namespace(short);
    return { id: `${short}-id`, netns: this.path(short), ...more };
  }

  config(more: Json = {}): Json {
    return { cniVersion: '1.1.0', name: 'pods', type: 'podwire-cni', socket: this.socket, ...more };
  }

  plugin(
    command: string,
    container?: Container,
    more: Json = {},
    call: Partial<PluginCall> = {},
  ): Promise<PluginAnswer> {
    return callPlugin('podwire-cni', { command, container, config: this.config(more), ...call });
  }

  /** @throws with the plugin's error where it fails */
  async add(container: Container, more: Json = {}): Promise<CniResult> {
    const { status, answer, errors } = await this.plugin('ADD', container, more);
    if (status !== 0) throw new Error(`ADD ${container.id}: ${JSON.stringify(answer)} ${errors}`);
    return answer as CniResult;
  }

  /** `CODE DETAILS` of what must be an error, of which the message goes to people. */
  async refused(command: string, container?: Container, more: Json = {}): Promise<string> {
    const { status, answer } = await this.plugin(command, container, more);
    if (status !== 1 || typeof answer?.msg !== 'string')
      throw new Error(`${command}: no error: ${JSON.stringify(answer)}`);
    return `${answer.code} ${answer.details}`;
  }

  /** Releases everything of a configuration. */
  collect(name = 'pods'): Promise<PluginAnswer> {
    return this.plugin('GC', undefined, { name, 'cni.dev/valid-attachments': [] });
  }

  async pods(): Promise<PodView[]> {
    return (await this.call<{ items: PodView[] }>('GET', '/v1/pods')).body.items;
  }

  /** Waits until the daemon has done what plugins that are no more have asked of it: its list stays the same for a second. */
  async settled(): Promise<void> {
    const list = async () => JSON.stringify((await this.pods()).map(({ metadata }) => metadata.name));
    for (let before = '', now = await list(); before !== now; now = await list()) {
      before = now;
      await sleep(1000);
    }
  }

  /** Waits until no pod has an address. */
  isEmpty(): Promise<boolean> {
    return until(async () => (await this.pods()).every(({ status }) => status.podIPs === undefined), 30_000);
  }
}

export function addressOf({ ips }: CniResult, family: 4 | 6 = 4): string {
  const found = ips.find(({ address }) => address.includes(':') === (family === 6));
  return found!.address.split('/')[0];
}
