/**
 * A driver does the I/O of all devices of a worker and blocks while there is nothing to do. Two exist: io_uring,
 * and poll/read/write for kernels where io_uring is missing or forbidden.
 */
import type { Device } from '../device.js';

/** A TAP to be driven: an open descriptor, which becomes the driver's. */
export interface TapPort {
  readonly port: number;
  readonly name: string;
  readonly fd: number;
  /**
   * Of the workers that drive a TAP one reads it, the others only write: to them nothing comes, and its interface's
   * end is told by the one that reads.
   */
  readonly reads: boolean;
  readonly mtu: number;
  /** Bits of OFFLOAD that its interface was granted. */
  readonly offloads: number;
}

/** An interface of the host to be driven: an open packet socket, which becomes the driver's. */
export interface RawPort extends TapPort {
  /** The 802.1Q VLAN that its frames travel in, as the socket was opened for; without it: whatever they have. */
  readonly vlan?: number;
}

/** A tunnel to be driven: the open sockets of src/linux/udp-socket.ts, which become the driver's. */
export interface TunnelPort {
  readonly port: number;
  readonly name: string;
  /** Of the sockets' address. */
  readonly family: 4 | 6;
  /** undefined: this worker only sends, another one reads. */
  readonly receiveFd: number | undefined;
  /** At most TUNNEL_SOURCES. */
  readonly sendFds: readonly number[];
  /** false: several datagrams of a slot are sent one by one from the beginning, as where UDP_SEGMENT is missing. */
  readonly segments?: boolean;
}

export interface Driver {
  readonly kind: 'uring' | 'poll';
  /** Devices that have received something since the last `wait`: the first `readyCount`. */
  readonly ready: readonly Device[];
  readonly readyCount: number;
  openTap(tap: TapPort): Device;
  openRaw(raw: RawPort): Device;
  /** One at a time; the descriptors stay the caller's where it throws. */
  openTunnel(tunnel: TunnelPort): Device;
  /** Ends a device's I/O and closes its descriptors; `closed` is called when nothing of it is in flight. */
  closePort(port: number, closed: () => void): void;
  /**
   * Starts what was queued and blocks until a device has received something, the control side signals, or
   * `timeout` ms are over (negative: no limit). Answers whether the control side signalled.
   */
  wait(timeout: number): boolean;
  /** Packets whose I/O is in flight: reads waiting for one, writes not completed. */
  inFlight(): number;
  close(): void;
}

/** Told when a device's interface has vanished under it. */
export type DownListener = (port: number, errno: number) => void;
