/** The subjects of `tunnel.*`: two podwire nodes, and the kernel's VXLAN under a bridge and under routes. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configure, INTERFACE, macOf, type Path, type Subject } from '../node/path.js';
import { PROGRAM } from '../node/subjects.js';
import { end, has, run, sleep, startUntil } from '../shell.js';
import { INNER_MTU, makeNodes, type Nodes, type TunnelPath } from './path.js';

const noEthtool = (): string | undefined => (has('ethtool') ? undefined : 'ethtool is not installed');

/** What node i has, from 1. */
const subnet = (node: number): string => `10.9.${node}.0/24`;
const API_PORT = 7443;

/** Two daemons, the second joined to the first, and a pod at each. */
export function podwireNodes(flags: readonly string[]): Subject<TunnelPath> {
  return {
    name: 'podwire',
    absent: noEthtool,
    async open(): Promise<TunnelPath> {
      const nodes = makeNodes();
      const folder = mkdtempSync(join(tmpdir(), 'podwire-bench-'));
      const token = join(folder, 'token');
      writeFileSync(token, 'benchmark', { mode: 0o600 });
      const socket = (node: number): string => join(folder, `${node}.sock`);
      const start = (node: number, more: readonly string[]) =>
        startUntil(
          'ip',
          [
            ...['netns', 'exec', nodes.names[node - 1], process.execPath, PROGRAM, 'daemon'],
            ...['--name', `n${node}`, '--data', join(folder, `n${node}`), '--socket', socket(node)],
            ...['--underlay', nodes.addresses[node - 1], '--token-file', token],
            ...['--cluster-cidr', '10.9.0.0/16', '--pod-cidr', subnet(node), ...more, ...flags],
          ],
          '"ready"',
        );
      const first = await start(1, ['--listen', `${nodes.addresses[0]}:${API_PORT}`]);
      const second = await start(2, ['--join', `http://${nodes.addresses[0]}:${API_PORT}`]);
      const attach = (node: number, namespace: string): Path['a'] & { gateway: string } => {
        const args = ['attach', 'pod', '--netns', namespace, '--ifname', INTERFACE, '--socket', socket(node)];
        const { ips, gateway } = JSON.parse(run(process.execPath, [PROGRAM, ...args])) as {
          ips: string[];
          gateway: string[];
        };
        const address = ips[0].split('/')[0];
        return { namespace, address, mac: macOf(namespace), gateway: gateway[0] };
      };
      const a = attach(1, nodes.pods[0]);
      const b = attach(2, nodes.pods[1]);
      await reachable(a, b.address);
      return {
        a,
        b,
        towardsB: { mac: neighbourMac(a.namespace, a.gateway), address: b.address },
        pin: () => {},
        setOffloads: nodes.setOffloads,
        async close() {
          await end(second);
          await end(first);
          nodes.remove();
          rmSync(folder, { recursive: true, force: true });
        },
      };
    },
  };
}

/** One layer-2 network: a bridge on each node with the pod's veth and the VXLAN device. */
export const kernelBridged: Subject<TunnelPath> = {
  name: 'kernel-vxlan-bridge',
  absent: noEthtool,
  async open(): Promise<TunnelPath> {
    const nodes = makeNodes();
    for (const [index, node] of nodes.names.entries()) {
      addVxlan(nodes, index, ['remote', nodes.addresses[1 - index]]);
      run('ip', ['-n', node, 'link', 'add', 'br0', 'type', 'bridge']);
      run('ip', ['-n', node, 'link', 'set', 'br0', 'up']);
      run('ip', ['-n', node, 'link', 'set', 'vx0', 'master', 'br0', 'up']);
      addVeth(nodes, index);
      run('ip', ['-n', node, 'link', 'set', 'pod', 'master', 'br0', 'up']);
    }
    const ends = nodes.pods.map((pod, index) => configure(pod, index + 1));
    return kernelPath(nodes, { a: ends[0], b: ends[1] });
  },
};

/** As flannel programs it: a subnet for each node, a route, a neighbour and an FDB entry for each other node. */
export const kernelRouted: Subject<TunnelPath> = {
  name: 'kernel-vxlan-routed',
  absent: noEthtool,
  async open(): Promise<TunnelPath> {
    const nodes = makeNodes();
    const vtepMac = (index: number): string => `02:00:00:00:09:0${index + 1}`;
    const ends = nodes.names.map((node, index) => {
      const other = 1 - index;
      const [address, gateway] = [`10.9.${index + 1}.3`, `10.9.${index + 1}.1`];
      run('ip', ['netns', 'exec', node, 'sysctl', '-qw', 'net.ipv4.ip_forward=1']);
      addVxlan(nodes, index, ['nolearning']);
      run('ip', ['-n', node, 'link', 'set', 'vx0', 'address', vtepMac(index), 'up']);
      run('ip', ['-n', node, 'addr', 'add', `10.9.${index + 1}.0/32`, 'dev', 'vx0']);
      const towards = ['via', `10.9.${other + 1}.0`, 'dev', 'vx0', 'onlink'];
      run('ip', ['-n', node, 'route', 'add', subnet(other + 1), ...towards]);
      const neighbour = [`10.9.${other + 1}.0`, 'lladdr', vtepMac(other), 'dev', 'vx0', 'nud', 'permanent'];
      run('ip', ['-n', node, 'neigh', 'add', ...neighbour]);
      run('bridge', ['-n', node, 'fdb', 'add', vtepMac(other), 'dev', 'vx0', 'dst', nodes.addresses[other]]);
      addVeth(nodes, index);
      run('ip', ['-n', node, 'addr', 'add', `${gateway}/24`, 'dev', 'pod']);
      run('ip', ['-n', node, 'link', 'set', 'pod', 'up']);
      const pod = nodes.pods[index];
      run('ip', ['-n', pod, 'addr', 'add', `${address}/24`, 'dev', INTERFACE]);
      run('ip', ['-n', pod, 'link', 'set', INTERFACE, 'up']);
      run('ip', ['-n', pod, 'route', 'add', 'default', 'via', gateway]);
      return { namespace: pod, address, mac: macOf(pod), gateway };
    });
    const [a, b] = ends;
    await reachable(a, b.address);
    const towardsB = { mac: neighbourMac(a.namespace, a.gateway), address: b.address };
    return kernelPath(nodes, { a, b, towardsB });
  },
};

function kernelPath(nodes: Nodes, ends: Pick<Path, 'a' | 'b' | 'towardsB'>): TunnelPath {
  return { ...ends, pin: () => {}, setOffloads: nodes.setOffloads, close: async () => nodes.remove() };
}

function addVxlan({ names, addresses }: Nodes, index: number, more: readonly string[]): void {
  const device = ['vx0', 'type', 'vxlan', 'id', '1', 'dstport', '4789', 'local', addresses[index]];
  run('ip', ['-n', names[index], 'link', 'add', ...device, 'dev', `u${index + 1}`, ...more]);
}

function addVeth({ names, pods }: Nodes, index: number): void {
  const veth = ['pod', 'type', 'veth', 'peer', 'name', INTERFACE, 'netns', pods[index]];
  run('ip', ['-n', names[index], 'link', 'add', ...veth]);
  run('ip', ['-n', pods[index], 'link', 'set', INTERFACE, 'mtu', String(INNER_MTU)]);
}

const MOST_TRIES = 100;

/** Waits until the other end answers. */
async function reachable({ namespace }: { namespace: string }, address: string): Promise<void> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    try {
      run('ip', ['netns', 'exec', namespace, 'ping', '-c', '1', '-W', '1', address]);
      return;
    } catch {
      await sleep(100);
    }
  }
  throw new Error(`${address} cannot be reached from ${namespace}`);
}

function neighbourMac(namespace: string, address: string): string {
  const found = JSON.parse(run('ip', ['-n', namespace, '-j', 'neigh', 'show', address])) as {
    lladdr?: string;
  }[];
  const mac = found[0]?.lladdr;
  if (mac === undefined) throw new Error(`${namespace} has no neighbour ${address}`);
  return mac;
}
