/**
 * The two folders that a container runtime has of CNI: executables, and network configurations. The plugin is the
 * one that `npm run build` has made; those that it is chained with are Debian's.
 */
import { chmodSync, existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('../../../bin/podwire-cni', import.meta.url));
/** Where Debian's containernetworking-plugins are. */
const REFERENCE_PLUGINS = '/usr/lib/cni';

/** Why there can be no such folders, or undefined. */
export function cniMissing(): string | undefined {
  return existsSync(join(REFERENCE_PLUGINS, 'portmap')) ? undefined : 'containernetworking-plugins';
}

/** A network configuration: what runtimes call it, and podwire's Network. */
export interface CniNetwork {
  readonly name: string;
  readonly network?: string;
  /** Ports are published by the portmap plugin, not by podwire. */
  readonly portmap?: boolean;
}

/** @param socket the daemon's */
export function conflist({ name, network = 'default', portmap = false }: CniNetwork, socket: string) {
  return {
    // The newest version that podman 4.3 and containerd 1.6 speak.
    cniVersion: '1.0.0',
    name,
    plugins: [
      {
        type: 'podwire-cni',
        socket,
        network,
        capabilities: { ips: true, mac: true, bandwidth: true, aliases: true, portMappings: !portmap },
      },
      ...(portmap ? [{ type: 'portmap', capabilities: { portMappings: true } }] : []),
    ],
  };
}

export class CniFolders {
  readonly plugins: string;
  readonly configurations: string;

  /** @param networks the first one is the runtime's default network */
  constructor(directory: string, socket: string, networks: readonly CniNetwork[]) {
    this.plugins = join(directory, 'cni/bin');
    this.configurations = join(directory, 'cni/net.d');
    mkdirSync(this.plugins, { recursive: true });
    mkdirSync(this.configurations);
    for (const name of readdirSync(REFERENCE_PLUGINS)) {
      symlinkSync(join(REFERENCE_PLUGINS, name), join(this.plugins, name));
    }
    // A runtime's PATH need not have the Node.js that runs the tests.
    const plugin = join(this.plugins, 'podwire-cni');
    writeFileSync(plugin, `#!/bin/sh\nexec '${process.execPath}' '${PROGRAM}' "$@"\n`);
    chmodSync(plugin, 0o755);
    networks.forEach((network, index) => {
      const file = join(this.configurations, `${10 + index}-${network.name}.conflist`);
      writeFileSync(file, JSON.stringify(conflist(network, socket)));
    });
  }
}
