/**
 * The underlay of the demo's nodes: `underlay` in each node's namespace, 192.168.77.0/24, MTU 1500. Two nodes have
 * a veth pair between them, more a bridge in a namespace of its own.
 */
import { ipBatch } from './namespaces.js';

export const UNDERLAY_MTU = 1500;
export const UNDERLAY_IFNAME = 'underlay';
/** VXLAN over IPv4: outer IP 20, UDP 8, VXLAN 8, inner Ethernet 14 (RFC 7348 section 5). */
export const TUNNEL_OVERHEAD = 50;

/** Of the bridge, for what is beside the nodes. */
export const SWITCH_ADDRESS = '192.168.77.254';

/** No node's. */
export const UNKNOWN_ADDRESS = '192.168.77.99';

/** @param index of the node, from 0. */
export function underlayAddress(index: number): string {
  return `192.168.77.${index + 1}`;
}

/**
 * @param nodes their namespaces. @param bridge the namespace for one; undefined: two nodes and a wire.
 * @returns what was made, in words.
 */
export async function makeUnderlay(nodes: readonly string[], bridge: string | undefined): Promise<string> {
  await (bridge === undefined
    ? ipBatch([veth(nodes[0]!, UNDERLAY_IFNAME, nodes[1]!)])
    : makeStar(nodes, bridge));
  for (const [index, netns] of nodes.entries()) {
    await ipBatch(
      [
        `address add ${underlayAddress(index)}/24 dev ${UNDERLAY_IFNAME}`,
        `link set dev ${UNDERLAY_IFNAME} up`,
      ],
      netns,
    );
  }
  const range = `${underlayAddress(0)} … ${underlayAddress(nodes.length - 1)}`;
  return `${range}, MTU ${UNDERLAY_MTU}, ${bridge === undefined ? 'a veth pair' : 'veths and a bridge'}`;
}

async function makeStar(nodes: readonly string[], bridge: string): Promise<void> {
  await ipBatch(nodes.map((netns, index) => veth(bridge, `port${index}`, netns)));
  await ipBatch(
    [
      `link add name br0 mtu ${UNDERLAY_MTU} type bridge`,
      `address add ${SWITCH_ADDRESS}/24 dev br0`,
      ...nodes.map((_, index) => `link set dev port${index} master br0 up`),
      'link set dev br0 up',
    ],
    bridge,
  );
}

function veth(near: string, name: string, far: string): string {
  const mtu = `mtu ${UNDERLAY_MTU}`;
  return `link add name ${name} netns ${near} ${mtu} type veth peer name ${UNDERLAY_IFNAME} netns ${far} ${mtu}`;
}

/** Makes the underlay narrower or wider at both ends. */
export async function setUnderlayMtu(nodes: readonly string[], mtu: number): Promise<void> {
  for (const netns of nodes) await ipBatch([`link set dev ${UNDERLAY_IFNAME} mtu ${mtu}`], netns);
}
