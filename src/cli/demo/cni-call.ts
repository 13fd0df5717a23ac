/** Starts the CNI plugin as a container runtime does: environment and standard input in, a result or an error object out. */
import { execFile } from 'node:child_process';
import { pluginProgram } from '../install-cni/plugin-files.js';

export interface PluginCall {
  readonly command: string;
  readonly containerId: string;
  /** Path. */
  readonly netns: string;
  readonly config: object;
}

/** What the demo reads of a result; the whole goes back to the plugin. */
export interface PluginResult {
  readonly ips: readonly { readonly address: string }[];
}

const TIMEOUT_MS = 10_000;

/** Undefined where the plugin prints nothing. Rejects with the message of its error object. */
export function callPlugin(call: PluginCall): Promise<PluginResult | undefined> {
  const { command, containerId, netns, config } = call;
  const env = {
    ...{ PATH: process.env.PATH, CNI_PATH: '/opt/cni/bin', CNI_IFNAME: 'eth0' },
    ...{ CNI_COMMAND: command, CNI_CONTAINERID: containerId, CNI_NETNS: netns },
    CNI_ARGS: `K8S_POD_NAME=${containerId}`,
  };
  return new Promise((resolve, reject) => {
    const options = { env, timeout: TIMEOUT_MS };
    const child = execFile(process.execPath, [pluginProgram()], options, (error, stdout, stderr) => {
      if (error === null) resolve(stdout === '' ? undefined : (JSON.parse(stdout) as PluginResult));
      else reject(new Error(`${command}: ${messageIn(stdout) ?? (stderr.trim() || error.message)}`));
    });
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(JSON.stringify({ type: 'podwire-cni', ...config }));
  });
}

function messageIn(text: string): string | undefined {
  try {
    return String((JSON.parse(text) as { msg?: unknown }).msg);
  } catch {
    return undefined;
  }
}
