/**
 * Interfaces of the host as the control plane uses them: a raw attachment to one, described for the data plane
 * (`Dataplane.addRaw`). Closing the descriptor ends it; nothing of it is persistent.
 *
 * The host itself is not reached through it, as with macvlan: src/linux/packet-socket.ts says why. An interface that
 * only podwire should use (the TAP of a virtual machine) must be kept from the host's own protocols: `ip link set X arp
 * off`, and net.ipv6.conf.X.disable_ipv6.
 */
import { OFFLOAD } from '../../dataplane/device.js';
import { closeFile } from '../../linux/libc.js';
import { boundInterface, openPacketSocket, type PacketSocketInfo } from '../../linux/packet-socket.js';
import { formatMac } from '../../wire/address.js';
import { PodwireError } from '../errors.js';
import { inside } from './inside.js';

export interface RawWish {
  readonly ifname: string;
  /** 1 to 4094: only frames of this VLAN, which then have no tag. Without it: all frames as they are. */
  readonly vlan?: number;
  /** For the poll driver; io_uring needs blocking ones. */
  readonly nonBlocking: boolean;
  /** Take an interface that is down: frames flow when it comes up. Default: INTERFACE_DOWN. */
  readonly mayBeDown?: boolean;
}

export interface RawLink {
  readonly fd: number;
  /** Largest network packet that the interface takes, bytes; a tag comes on top of it. */
  readonly mtu: number;
  /** Bits of OFFLOAD. */
  readonly offloads: number;
  /** MAC address of the interface. */
  readonly mac: string;
}

/**
 * @param namespace descriptor; undefined: the daemon's own.
 * @throws PodwireError INVALID (vlan), INTERFACE_DOWN; LinuxError INTERFACE_NOT_FOUND, INTERFACE_NOT_ETHERNET,
 * PACKET_SOCKET_FORBIDDEN
 */
export function openRaw(namespace: number | undefined, wish: RawWish): RawLink {
  const { ifname, vlan, nonBlocking, mayBeDown = false } = wish;
  checkVlan(vlan);
  const socket = inside(namespace, () => openPacketSocket({ ifname, vlan, nonBlocking }));
  if (!socket.isUp && !mayBeDown) {
    closeFile(socket.fd);
    throw new PodwireError(
      'INTERFACE_DOWN',
      `interface ${ifname} is down: \`ip link set ${ifname} up\`, then try again`,
    );
  }
  return describe(socket);
}

/** Of no use once a data plane has taken it over. */
export function closeRaw({ fd }: RawLink): void {
  closeFile(fd);
}

/** Whether its interface was deleted, or has gone to another namespace. Only while it is open. */
export function isRawGone({ fd }: Pick<RawLink, 'fd'>): boolean {
  return boundInterface(fd) < 0;
}

/** A VLAN of 0 is a priority, 4095 is reserved (IEEE 802.1Q-2018 table 9-2). */
function checkVlan(vlan: number | undefined): void {
  if (vlan === undefined || (Number.isInteger(vlan) && vlan >= 1 && vlan <= 4094)) return;
  throw new PodwireError('INVALID', `vlan: ${vlan} is not 1 to 4094`, 'vlan');
}

/** The kernel finishes what the interface cannot: it cuts segments and completes checksums after we have sent. */
function describe({ fd, mtu, address, takesUso }: PacketSocketInfo): RawLink {
  const bytes = Buffer.from(address);
  return {
    fd,
    mtu,
    offloads: OFFLOAD.CHECKSUM | OFFLOAD.TSO4 | OFFLOAD.TSO6 | (takesUso ? OFFLOAD.USO : 0),
    mac: formatMac(bytes.readUInt16BE(0), bytes.readUInt32BE(2)),
  };
}
