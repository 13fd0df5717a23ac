/** The subjects of `tunnel.*`: two podwire nodes, and the kernel's VXLAN under a bridge and under routes. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configure, INTERFACE, macOf, type Path, proven, reachable, type Subject } from '../node/path.js';
import { attach, PROGRAM } from '../node/subjects.js';
import { closeable, makeFolder } from '../node/undo.js';
import { end, has, run, startUntil } from '../shell.js';
import { INNER_MTU, makeNodes, type Nodes, type TunnelPath } from './path.js';

/** podwire first; the others are its baselines. */
export function tunnelSubjects(daemonFlags: readonly string[]): Subject<TunnelPath>[] {
  return [podwireNodes(daemonFlags), kernelBridged, kernelRouted];
}

const noEthtool = (): string | undefined => (has('ethtool') ? undefined : 'ethtool is not installed');

/** What node i has, from 1. */
const subnet = (node: number): string => `10.9.${node}.0/24`;
const API_PORT = 7443;

/** Two daemons, the second joined to the first, and a pod at each. */
export function podwireNodes(flags: readonly string[]): Subject<TunnelPath> {
  return {
    name: 'podwire',
    absent: noEthtool,
    open: () =>
      closeable(async (undo) => {
        const nodes = makeNodes(undo);
        const folder = makeFolder(undo);
        writeFileSync(join(folder, 'token'), 'benchmark', { mode: 0o600 });
        const socket = (node: number): string => join(folder, `${node}.sock`);
        const start = async (node: number, more: readonly string[]): Promise<void> => {
          const args = [...daemonArguments(nodes, node, folder), '--socket', socket(node), ...more, ...flags];
          const daemon = await startUntil('ip', args, '"ready"');
          undo.add(() => end(daemon));
        };
        await start(1, ['--listen', `${nodes.addresses[0]}:${API_PORT}`]);
        await start(2, ['--join', `http://${nodes.addresses[0]}:${API_PORT}`]);
        const a = attach('pod', nodes.pods[0], socket(1));
        const b = attach('pod', nodes.pods[1], socket(2));
        return routedPath(nodes, a, b);
      }),
  };
}

function daemonArguments({ names, addresses }: Nodes, node: number, folder: string): string[] {
  return [
    ...['netns', 'exec', names[node - 1], process.execPath, PROGRAM, 'daemon'],
    ...['--name', `n${node}`, '--data', join(folder, `n${node}`)],
    ...['--underlay', addresses[node - 1], '--token-file', join(folder, 'token')],
    ...['--cluster-cidr', '10.9.0.0/16', '--pod-cidr', subnet(node)],
  ];
}

/** One layer-2 network: a bridge on each node with the pod's veth and the VXLAN device. */
export const kernelBridged: Subject<TunnelPath> = {
  name: 'kernel-vxlan-bridge',
  absent: noEthtool,
  open: () =>
    closeable(async (undo) => {
      const nodes = makeNodes(undo);
      for (const [index, node] of nodes.names.entries()) {
        addVxlan(nodes, index, ['remote', nodes.addresses[1 - index]]);
        run('ip', ['-n', node, 'link', 'add', 'br0', 'type', 'bridge']);
        run('ip', ['-n', node, 'link', 'set', 'br0', 'up']);
        run('ip', ['-n', node, 'link', 'set', 'vx0', 'master', 'br0', 'up']);
        addVeth(nodes, index);
        run('ip', ['-n', node, 'link', 'set', 'pod', 'master', 'br0', 'up']);
      }
      const [a, b] = nodes.pods.map((pod, index) => configure(pod, index + 1));
      return { ...(await proven({ a, b, pin: () => {} })), setOffloads: nodes.setOffloads };
    }),
};

/** As flannel programs it: a subnet for each node, a route, a neighbour and an FDB entry for each other node. */
export const kernelRouted: Subject<TunnelPath> = {
  name: 'kernel-vxlan-routed',
  absent: noEthtool,
  open: () =>
    closeable(async (undo) => {
      const nodes = makeNodes(undo);
      for (const index of nodes.names.keys()) routeTowardsOther(nodes, index);
      const [a, b] = nodes.names.map((_, index) => routedPod(nodes, index));
      return routedPath(nodes, a, b);
    }),
};

function routeTowardsOther(nodes: Nodes, index: number): void {
  const node = nodes.names[index];
  const other = 1 - index;
  const vtepMac = (of: number): string => `02:00:00:00:09:0${of + 1}`;
  const next = `10.9.${other + 1}.0`;
  run('ip', ['netns', 'exec', node, 'sysctl', '-qw', 'net.ipv4.ip_forward=1']);
  addVxlan(nodes, index, ['nolearning']);
  run('ip', ['-n', node, 'link', 'set', 'vx0', 'address', vtepMac(index), 'up']);
  run('ip', ['-n', node, 'addr', 'add', `10.9.${index + 1}.0/32`, 'dev', 'vx0']);
  run('ip', ['-n', node, 'route', 'add', subnet(other + 1), 'via', next, 'dev', 'vx0', 'onlink']);
  run('ip', ['-n', node, 'neigh', 'add', next, 'lladdr', vtepMac(other), 'dev', 'vx0', 'nud', 'permanent']);
  run('bridge', ['-n', node, 'fdb', 'add', vtepMac(other), 'dev', 'vx0', 'dst', nodes.addresses[other]]);
}

function routedPod(nodes: Nodes, index: number): RoutedEnd {
  const [node, pod] = [nodes.names[index], nodes.pods[index]];
  const [address, gateway] = [`10.9.${index + 1}.3`, `10.9.${index + 1}.1`];
  addVeth(nodes, index);
  run('ip', ['-n', node, 'addr', 'add', `${gateway}/24`, 'dev', 'pod']);
  run('ip', ['-n', node, 'link', 'set', 'pod', 'up']);
  run('ip', ['-n', pod, 'addr', 'add', `${address}/24`, 'dev', INTERFACE]);
  run('ip', ['-n', pod, 'link', 'set', INTERFACE, 'up']);
  run('ip', ['-n', pod, 'route', 'add', 'default', 'via', gateway]);
  return { namespace: pod, address, mac: macOf(pod), gateway };
}

type RoutedEnd = Path['a'] & { readonly gateway: string };

/** A path whose frames go to a's gateway. */
async function routedPath(nodes: Nodes, a: RoutedEnd, b: RoutedEnd): Promise<Omit<TunnelPath, 'close'>> {
  await reachable(a, b.address);
  const towardsB = { mac: neighbourMac(a.namespace, a.gateway), address: b.address };
  return { a, b, towardsB, pin: () => {}, setOffloads: nodes.setOffloads };
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

function neighbourMac(namespace: string, address: string): string {
  const found = JSON.parse(run('ip', ['-n', namespace, '-j', 'neigh', 'show', address])) as {
    lladdr?: string;
  }[];
  const mac = found[0]?.lladdr;
  if (mac === undefined) throw new Error(`${namespace} has no neighbour ${address}`);
  return mac;
}
