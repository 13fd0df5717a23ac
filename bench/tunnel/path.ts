/**
 * What `tunnel.*` scenarios measure: a path between pods of two nodes on this machine.
 *
 *     netns a ◄── node 1 ──┬── u1 ◄── veth, MTU 1500: the underlay ──► u2 ──┬── node 2 ──► netns b
 *              subject     └ 192.168.77.1                    192.168.77.2 ┘     subject
 */
import { makeNamespace, type Path, uniqueName } from '../node/path.js';
import type { Undo } from '../node/undo.js';
import { run } from '../shell.js';

export interface TunnelPath extends Path {
  /** Whether the underlay's devices cut and join segments for their users, as good network cards do. */
  setOffloads(on: boolean): void;
}

export interface Nodes {
  /** Namespaces of the nodes, in order. */
  readonly names: readonly [string, string];
  /** Their underlay addresses. */
  readonly addresses: readonly [string, string];
  /** Namespaces of the pods. */
  readonly pods: readonly [string, string];
  setOffloads(on: boolean): void;
}

/** MTU of what is inside, over IPv4 (RFC 7348). */
export const INNER_MTU = 1450;

const SEGMENTATION = [
  'tso',
  'gso',
  'tx-udp_tnl-segmentation',
  'tx-udp_tnl-csum-segmentation',
  'tx-udp-segmentation',
];

export function makeNodes(undo: Undo): Nodes {
  const prefix = uniqueName();
  const [a, b, n1, n2] = ['a', 'b', 'n1', 'n2'].map((part) => makeNamespace(`${prefix}-${part}`, undo));
  const names = [n1, n2] as const;
  const addresses = ['192.168.77.1', '192.168.77.2'] as const;
  run('ip', ['-n', n1, 'link', 'add', 'u1', 'type', 'veth', 'peer', 'name', 'u2', 'netns', n2]);
  for (const [index, name] of names.entries()) {
    run('ip', ['-n', name, 'addr', 'add', `${addresses[index]}/24`, 'dev', `u${index + 1}`]);
    run('ip', ['-n', name, 'link', 'set', `u${index + 1}`, 'up', 'mtu', '1500']);
  }
  const setOffloads = (on: boolean): void => {
    const settings = SEGMENTATION.flatMap((feature) => [feature, on ? 'on' : 'off']);
    for (const [index, name] of names.entries()) {
      run('ip', ['netns', 'exec', name, 'ethtool', '-K', `u${index + 1}`, ...settings, 'gro', 'on']);
    }
  };
  return { names, addresses, pods: [a, b], setOffloads };
}
