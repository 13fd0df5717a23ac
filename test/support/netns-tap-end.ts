/**
 * The end of a TAP that its opener has, with virtio's header before each frame: what a virtual machine monitor does
 * with it, or the other side of a packet socket. With a VLAN it tags what it sends, and takes the tag off what it gets,
 * which must have it. It does not allocate to turn one round.
 */
import { PACKET } from '../../src/dataplane/pool.js';
import { Errno } from '../../src/linux/errno.js';
import { check, libc } from '../../src/linux/libc.js';
import * as virtio from '../../src/wire/virtio-net.js';
import type { HarnessFrame } from '../conformance/device-harness.js';

const HEADER = virtio.LENGTH;
const ADDRESSES = 12;
const TAG = 4;
const ROOM = HEADER + TAG + 65_549;

export class TapEnd {
  private readonly buffer = new Uint8Array(new ArrayBuffer(ROOM));
  private readonly view = new DataView(this.buffer.buffer);
  private readonly shift: number;

  /** @param fd does not block, and stays the caller's. */
  constructor(
    private readonly fd: number,
    private readonly vlan?: number,
  ) {
    this.shift = vlan === undefined ? 0 : TAG;
  }

  send({ bytes, facts }: HarnessFrame): void {
    const { buffer, view, vlan, shift } = this;
    buffer.fill(0, 0, HEADER);
    if (facts !== undefined) {
      const flags = (facts.flags & PACKET.PARTIAL_CHECKSUM) !== 0 ? virtio.FLAG.NEEDS_CSUM : 0;
      const { gsoType, gsoSize, checksumStart, checksumOffset } = facts;
      const headers = gsoType === virtio.GSO.NONE ? 0 : checksumStart + 20 + shift;
      virtio.write(view, 0, flags, gsoType, headers, gsoSize, checksumStart + shift, checksumOffset);
    }
    buffer.set(bytes.subarray(0, ADDRESSES), HEADER);
    buffer.set(bytes.subarray(ADDRESSES), HEADER + ADDRESSES + shift);
    if (vlan !== undefined) view.setUint32(HEADER + ADDRESSES, 0x8100_0000 + vlan);
    check(libc().write(this.fd, buffer, HEADER + bytes.length + shift), 'write');
  }

  /** All that has arrived. */
  receive(): HarnessFrame[] {
    const frames: HarnessFrame[] = [];
    for (let length = this.take(); length > 0; length = this.take()) {
      const { buffer, view, vlan, shift } = this;
      if (vlan !== undefined && view.getUint32(HEADER + ADDRESSES) !== 0x8100_0000 + vlan) {
        throw new Error(
          `not a frame of VLAN ${vlan}: ${Buffer.from(buffer.slice(HEADER, length)).toString('hex')}`,
        );
      }
      const bytes = new Uint8Array(length - HEADER - shift);
      bytes.set(buffer.subarray(HEADER, HEADER + ADDRESSES));
      bytes.set(buffer.subarray(HEADER + ADDRESSES + shift, length), ADDRESSES);
      frames.push({ bytes, facts: this.facts() });
    }
    return frames;
  }

  /** Sends back what has arrived. */
  turn(): void {
    for (let length = this.take(); length > 0; length = this.take())
      libc().write(this.fd, this.buffer, length);
  }

  /** Bytes of the next frame with its header, or 0 where there is none. */
  private take(): number {
    const length = libc().read(this.fd, this.buffer, ROOM);
    if (length < 0 && libc().errno() === Errno.EAGAIN) return 0;
    return check(length, 'read');
  }

  private facts(): HarnessFrame['facts'] {
    const { view, shift } = this;
    const isPartial = (virtio.flags(view, 0) & virtio.FLAG.NEEDS_CSUM) !== 0;
    return {
      flags: isPartial ? PACKET.PARTIAL_CHECKSUM : 0,
      gsoType: virtio.gsoType(view, 0),
      gsoSize: virtio.gsoSize(view, 0),
      checksumStart: isPartial ? virtio.csumStart(view, 0) - shift : 0,
      checksumOffset: isPartial ? virtio.csumOffset(view, 0) : 0,
    };
  }
}
