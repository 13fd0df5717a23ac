/**
 * A packet socket that carries offload facts: the other side of a TAP, with virtio's header before each frame.
 *
 * It neither sees its own packets nor allocates to turn one round.
 */
import { PACKET } from '../../src/dataplane/pool.js';
import { Errno } from '../../src/linux/errno.js';
import { check, closeFile, libc } from '../../src/linux/libc.js';
import { AddressFamily, linkAddress, SocketType } from '../../src/linux/socket-abi.js';
import * as virtio from '../../src/wire/virtio-net.js';
import type { HarnessFrame } from '../conformance/device-harness.js';

/** From linux/if_packet.h and linux/socket.h; the header is without num_buffers. */
const SOL_PACKET = 263;
const PACKET_VNET_HDR = 15;
const PACKET_QDISC_BYPASS = 20;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SO_SNDBUFFORCE = 32;
const MSG_DONTWAIT = 0x40;
const HEADER = 10;

const BUFFER_BYTES = 8 << 20;
const ROOM = HEADER + 65_549;

export class PacketSocket {
  private readonly fd: number;
  private readonly buffer = new Uint8Array(new ArrayBuffer(ROOM));
  private readonly view = new DataView(this.buffer.buffer);

  /** To be made in the interface's namespace. */
  constructor(ifname: string) {
    const { socket, setsockopt, bind, ifNameToIndex } = libc();
    const one = Int32Array.of(1);
    const room = Int32Array.of(BUFFER_BYTES);
    this.fd = check(
      socket(AddressFamily.AF_PACKET, SocketType.SOCK_RAW | SocketType.SOCK_CLOEXEC, 0),
      'socket',
    );
    check(setsockopt(this.fd, SOL_PACKET, PACKET_VNET_HDR, one, 4), 'setsockopt PACKET_VNET_HDR');
    // A queueing discipline may leave packets to ksoftirqd, which on a busy machine takes its time.
    check(setsockopt(this.fd, SOL_PACKET, PACKET_QDISC_BYPASS, one, 4), 'setsockopt PACKET_QDISC_BYPASS');
    check(setsockopt(this.fd, SOL_SOCKET, SO_RCVBUFFORCE, room, 4), 'setsockopt SO_RCVBUFFORCE');
    check(setsockopt(this.fd, SOL_SOCKET, SO_SNDBUFFORCE, room, 4), 'setsockopt SO_SNDBUFFORCE');
    const address = linkAddress(ifNameToIndex(ifname));
    check(bind(this.fd, address, address.length), 'bind', ifname);
  }

  send({ bytes, facts }: HarnessFrame): void {
    this.buffer.fill(0, 0, HEADER);
    this.buffer.set(bytes, HEADER);
    if (facts !== undefined) {
      const flags = (facts.flags & PACKET.PARTIAL_CHECKSUM) !== 0 ? virtio.FLAG.NEEDS_CSUM : 0;
      const { gsoType, gsoSize, checksumStart, checksumOffset } = facts;
      const headers = gsoType === virtio.GSO.NONE ? 0 : checksumStart + 20;
      // Twelve octets are written, of which the last two are the frame's first: it is laid down again.
      virtio.write(this.view, 0, flags, gsoType, headers, gsoSize, checksumStart, checksumOffset);
      this.buffer.set(bytes, HEADER);
    }
    check(libc().sendto(this.fd, this.buffer, HEADER + bytes.length, 0, null, 0), 'sendto');
  }

  /** All that has arrived. */
  receive(): HarnessFrame[] {
    const frames: HarnessFrame[] = [];
    for (let length = this.take(); length > 0; length = this.take()) {
      frames.push({ bytes: this.buffer.slice(HEADER, length), facts: this.facts() });
    }
    return frames;
  }

  /** Sends back what has arrived. */
  turn(): void {
    for (let length = this.take(); length > 0; length = this.take()) {
      this.buffer.fill(0, 0, HEADER);
      libc().sendto(this.fd, this.buffer, length, 0, null, 0);
    }
  }

  close(): void {
    closeFile(this.fd);
  }

  /** Bytes of the next frame with its header, or 0 where there is none. */
  private take(): number {
    const length = libc().recvfrom(this.fd, this.buffer, ROOM, MSG_DONTWAIT, null, null);
    if (length < 0 && libc().errno() === Errno.EAGAIN) return 0;
    return check(length, 'recvfrom');
  }

  private facts(): HarnessFrame['facts'] {
    const { view } = this;
    const isPartial = (virtio.flags(view, 0) & virtio.FLAG.NEEDS_CSUM) !== 0;
    return {
      flags: isPartial ? PACKET.PARTIAL_CHECKSUM : 0,
      gsoType: virtio.gsoType(view, 0),
      gsoSize: virtio.gsoSize(view, 0),
      checksumStart: isPartial ? virtio.csumStart(view, 0) : 0,
      checksumOffset: isPartial ? virtio.csumOffset(view, 0) : 0,
    };
  }
}
