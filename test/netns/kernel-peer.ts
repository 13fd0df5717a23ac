/**
 * A node without a daemon: the kernel's own VXLAN device, programmed as flannel does it (flannel's
 * pkg/backend/vxlan): a route with `onlink`, a permanent neighbour and an FDB entry for each other node. Its pod is
 * at the end of a veth pair.
 */
import { execFileSync } from 'node:child_process';

export interface KernelNode {
  /** Namespaces of the node and of its pod; both exist. */
  readonly node: string;
  readonly pod: string;
  /** The node's underlay interface. */
  readonly underlay: string;
  readonly address: string;
  readonly vtepMac: string;
  readonly vni: number;
  readonly port: number;
  /** `10.244.9.0/24` and `fd00:10:244:9::/64`: the first address is the node's, the third the pod's. */
  readonly subnet4: string;
  readonly subnet6: string;
}

export interface KernelPeer {
  readonly address: string;
  readonly vtepMac: string;
  readonly subnet4: string;
  readonly subnet6: string;
}

const DEVICE = 'flannel.1';

/** Prefix of the n-th address of a subnet. */
function nth(subnet: string, n: number): string {
  const base = subnet.split('/')[0];
  return base.endsWith('::') ? `${base}${n}` : base.replace(/0$/, String(n));
}

function ip(namespace: string, ...words: string[]): void {
  execFileSync('ip', ['-n', namespace, ...words], { stdio: ['ignore', 'ignore', 'pipe'] });
}

export function makeKernelNode(node: KernelNode): { pod4: string; pod6: string } {
  const { node: name, pod, underlay, address, vtepMac, vni, port, subnet4, subnet6 } = node;
  execFileSync('ip', [
    ...['netns', 'exec', name, 'sysctl', '-qw'],
    ...['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1'],
  ]);
  const vxlan = ['type', 'vxlan', 'id', String(vni), 'dstport', String(port), 'local', address, 'nolearning'];
  ip(name, 'link', 'add', DEVICE, 'address', vtepMac, ...vxlan, 'dev', underlay);
  ip(name, 'link', 'set', DEVICE, 'up');
  ip(name, 'addr', 'add', `${nth(subnet4, 0)}/32`, 'dev', DEVICE);
  ip(name, 'addr', 'add', `${nth(subnet6, 0)}/128`, 'dev', DEVICE, 'nodad');
  ip(name, 'link', 'add', 'cni0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pod);
  const mtu = ['mtu', String(1500 - (address.includes(':') ? 70 : 50))];
  ip(name, 'link', 'set', 'cni0', ...mtu, 'up');
  ip(pod, 'link', 'set', 'eth0', ...mtu, 'up');
  for (const subnet of [subnet4, subnet6]) {
    const [length, more] = subnet.includes(':') ? ['64', ['nodad']] : ['24', []];
    ip(name, 'addr', 'add', `${nth(subnet, 1)}/${length}`, 'dev', 'cni0', ...more);
    ip(pod, 'addr', 'add', `${nth(subnet, 3)}/${length}`, 'dev', 'eth0', ...more);
    ip(pod, 'route', 'add', 'default', 'via', nth(subnet, 1));
  }
  return { pod4: nth(subnet4, 3), pod6: nth(subnet6, 3) };
}

/** Tells the kernel of another node, as flanneld does. */
export function addKernelPeer(name: string, peer: KernelPeer): void {
  const { address, vtepMac, subnet4, subnet6 } = peer;
  for (const subnet of [subnet4, subnet6]) {
    const via = nth(subnet, 0);
    ip(name, 'neigh', 'replace', via, 'lladdr', vtepMac, 'dev', DEVICE, 'nud', 'permanent');
    ip(name, 'route', 'replace', subnet, 'via', via, 'dev', DEVICE, 'onlink');
  }
  execFileSync('bridge', [
    '-n',
    name,
    'fdb',
    'replace',
    vtepMac,
    'dev',
    DEVICE,
    'dst',
    address,
    'self',
    'permanent',
  ]);
}
