/**
 * The Device seam: where packets come from and go to.
 *
 * Every implementation passes test/conformance/device.ts. Ownership moves with the call: what `receive`
 * appends is the caller's; what `send` is given is the device's, whatever becomes of it: it counts the packet
 * as sent or dropped and releases the slot, at once or when its I/O completes.
 */
import type { Batch } from './batch.js';
import type { Counters } from './counters.js';
import type { PacketPool } from './pool.js';

/** What a device can take on send that is not yet a finished packet. Bits of `Device.offloads`. */
export const OFFLOAD = {
  /** Packets whose L4 checksum is partial. */
  CHECKSUM: 1,
  /** TCP over IPv4 / IPv6 larger than the MTU, with a segment size. */
  TSO4: 2,
  TSO6: 4,
  /** UDP datagrams of one size, several in one packet. */
  USO: 8,
} as const;

export interface Device {
  readonly name: string;
  /** The port that it serves: ingress of what it receives, and where its counters go. */
  readonly port: number;
  /** Largest network packet (bytes, without the link header) that it takes. */
  readonly mtu: number;
  /** Bits of OFFLOAD. */
  readonly offloads: number;
  /**
   * What its packets are: frames, or datagrams of the tunnel (UDP payloads, `remote` and `remotePort` of the pool say
   * to and from whom; several of one length may lie in one slot, see `PacketPool.remote`). Default: frames.
   */
  readonly carries?: 'frames' | 'datagrams';
  /** Most packets that one `receive` appends. */
  readonly batchSize: number;
  /** Appends packets that have arrived, in order; offload facts set, nothing parsed. Returns how many. */
  receive(batch: Batch): number;
  /** Takes every packet of `batch`, in order, and empties it. */
  send(batch: Batch): void;
  /** Stops I/O; slots in flight come back to the pool as their I/O ends. */
  close(): void;
}

/** What a device needs of its engine. */
export interface DeviceContext {
  readonly pool: PacketPool;
  readonly counters: Counters;
}
