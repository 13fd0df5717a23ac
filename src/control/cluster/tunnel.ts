/**
 * This node's end of the tunnel: UDP sockets at the underlay address, given to the data plane as a port. It is
 * opened once; which peers there are is the snapshot's business.
 */
import { closeTunnelSockets, openTunnelSockets, type TunnelSockets } from '../../linux/udp-socket.js';
import { type PlannedTunnel, TUNNEL_NAME } from '../plan.js';
import type { Ports } from '../ports.js';

/** The data plane's part in it; src/dataplane/worker/handle.ts. */
export interface TunnelTarget {
  addTunnel(tunnel: { id: number; name: string; sockets: TunnelSockets }): Promise<void>;
}

export interface TunnelSettings {
  /** The underlay address. */
  readonly address: string;
  readonly port: number;
  readonly vni: number;
  /** MAC address of the VTEP. */
  readonly mac: string;
  readonly mtu: number;
}

/** @throws LinuxError TUNNEL_FAILED, PodwireError PORTS_EXHAUSTED */
export async function openTunnel(
  target: TunnelTarget,
  ports: Ports,
  { address, port, vni, mac, mtu }: TunnelSettings,
): Promise<PlannedTunnel> {
  const sockets = openTunnelSockets({ address, port });
  const id = ports.reserve();
  try {
    await target.addTunnel({ id, name: TUNNEL_NAME, sockets });
    return { port: id, mac, vni, mtu };
  } catch (error) {
    closeTunnelSockets(sockets);
    throw error;
  }
}
