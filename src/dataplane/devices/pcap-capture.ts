/**
 * A capture file in memory: classic pcap, in either octet order, with Ethernet packets unless the caller takes others, too
 * (pcapng-capture.ts reads the newer format into the same).
 *
 * Held in one piece with an index, so that replaying it allocates nothing: a packet costs its octets and 16 of
 * index. `readCapture` refuses what it cannot give back exactly, and says which tool makes it readable. Packets
 * that were captured with a shorter snapshot length stay as short as they are in the file.
 */
import { constants } from 'node:buffer';
import { open } from 'node:fs/promises';
import { type GlobalHeader, type PcapPacket, parse } from 'pcap-parser';
import { FRAME_ROOM } from './packet-copy.js';
import { PcapError } from './pcap-error.js';
import {
  FILE_HEADER,
  LINKTYPE_ETHERNET,
  LINKTYPE_MASK,
  MAGIC,
  PACKET_HEADER,
  VERSION_MAJOR,
} from './pcap-format.js';

/** The index holds 32-bit offsets. */
const MAX_BYTES = Math.min(2 ** 32 - 1, constants.MAX_LENGTH);

export class Capture {
  readonly view: DataView;

  /** All arrays have an element for each packet, in the order of the file. */
  constructor(
    bytes: Uint8Array,
    /** Where the frame begins in `view`. */
    readonly at: Uint32Array,
    /** Octets captured. */
    readonly length: Uint32Array,
    /** Microseconds since 1970. */
    readonly time: Float64Array,
    /** How each begins: LINKTYPE_*. Without it, all are Ethernet. */
    readonly linkTypes = new Uint16Array(at.length).fill(LINKTYPE_ETHERNET),
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get count(): number {
    return this.at.length;
  }
}

/**
 * @param accepts link types that the caller can make something of.
 * @throws PcapError, with any code but PCAP_WRITE_FAILED.
 */
export async function readCapture(
  path: string,
  accepts: readonly number[] = [LINKTYPE_ETHERNET],
): Promise<Capture> {
  const size = await checkFile(path);
  const packets = new CaptureBuilder(path, size, accepts);
  await parseFile(path, packets);
  return packets.build();
}

/** Looks at the beginning of the file, for what the parser would not tell apart. Answers the file's size. */
async function checkFile(path: string): Promise<number> {
  const head = Buffer.alloc(FILE_HEADER);
  let size: number;
  try {
    const file = await open(path);
    try {
      size = (await file.stat()).size;
      await file.read(head, 0, FILE_HEADER, 0);
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw unreadable(path, cause);
  }
  checkMagic(path, head);
  if (size < FILE_HEADER) throw truncated(path, 0);
  if (size > MAX_BYTES) {
    const advice = 'cut it into parts with `editcap -c 1000000 IN OUT`';
    throw new PcapError(
      'PCAP_TOO_LARGE',
      `${path} has ${size} bytes, more than the ${MAX_BYTES} held: ${advice}`,
    );
  }
  return size;
}

function checkMagic(path: string, head: Buffer): void {
  const convert = `convert it with \`editcap -F pcap ${path} OUT.pcap\``;
  const magics = [head.readUInt32BE(0), head.readUInt32LE(0)];
  if (magics.includes(MAGIC.MICROSECONDS)) return;
  if (magics.includes(MAGIC.PCAPNG)) {
    throw new PcapError('PCAP_IS_PCAPNG', `${path} is a pcapng file, not a classic pcap: ${convert}`);
  }
  if (magics.includes(MAGIC.NANOSECONDS)) {
    throw new PcapError(
      'PCAP_NANOSECONDS',
      `${path} has times in nanoseconds, which are not read: ${convert}`,
    );
  }
  const advice = 'give a file written by `tcpdump -w` or `editcap -F pcap`';
  throw new PcapError('PCAP_NOT_A_CAPTURE', `${path} is no capture file: ${advice}`);
}

export function unreadable(path: string, cause: unknown): PcapError {
  const { message } = cause as Error;
  const advice = 'give the path of a file that this user may read';
  return new PcapError('PCAP_UNREADABLE', `${path} cannot be read (${message}): ${advice}`, { cause });
}

export function truncated(path: string, packet: number): PcapError {
  const place = packet === 0 ? 'in its header' : `within packet ${packet}`;
  const advice = `keep what is whole with \`editcap -F pcap ${path} OUT.pcap\``;
  return new PcapError('PCAP_TRUNCATED', `${path} ends ${place}: ${advice}`);
}

/** Feeds the builder; the first error of file, parser or builder ends it. */
function parseFile(path: string, packets: CaptureBuilder): Promise<void> {
  return new Promise((resolve, reject) => {
    const guarded = <T>(take: (value: T) => void) => {
      return (value: T): void => {
        try {
          take(value);
        } catch (error) {
          reject(error);
        }
      };
    };
    const parser = parse(path);
    parser.on(
      'globalHeader',
      guarded((header: GlobalHeader) => packets.start(header)),
    );
    parser.on(
      'packet',
      guarded((packet: PcapPacket) => packets.add(packet)),
    );
    parser.on('error', (cause: Error) => reject(unreadable(path, cause)));
    parser.on('end', () => resolve());
  });
}

class CaptureBuilder {
  private readonly bytes: Uint8Array;
  private readonly at: number[] = [];
  private readonly length: number[] = [];
  private readonly time: number[] = [];
  private used = 0;
  private linkType = LINKTYPE_ETHERNET;

  constructor(
    private readonly path: string,
    private readonly size: number,
    private readonly accepts: readonly number[],
  ) {
    this.bytes = new Uint8Array(size);
  }

  start({ majorVersion, minorVersion, linkLayerType }: GlobalHeader): void {
    const convert = `convert it with \`editcap -F pcap ${this.path} OUT.pcap\``;
    if (majorVersion !== VERSION_MAJOR) {
      const version = `${majorVersion}.${minorVersion}`;
      throw new PcapError('PCAP_VERSION', `${this.path} has pcap version ${version}, not 2.4: ${convert}`);
    }
    this.linkType = linkLayerType & LINKTYPE_MASK;
    if (!this.accepts.includes(this.linkType)) throw wrongLinkType(this.path, this.linkType, this.accepts);
  }

  add({ header, data }: PcapPacket): void {
    checkLength(this.path, this.at.length + 1, data.length);
    this.bytes.set(data, this.used);
    this.at.push(this.used);
    this.length.push(data.length);
    this.time.push(header.timestampSeconds * 1e6 + header.timestampMicroseconds);
    this.used += data.length;
  }

  /** @throws PcapError where the packets do not fill the file: the parser stops silently at a cut. */
  build(): Capture {
    const { bytes, at, length, time, used, linkType } = this;
    const parsed = FILE_HEADER + at.length * PACKET_HEADER + used;
    if (parsed !== this.size) throw truncated(this.path, at.length + 1);
    return new Capture(
      bytes,
      Uint32Array.from(at),
      Uint32Array.from(length),
      Float64Array.from(time),
      new Uint16Array(at.length).fill(linkType),
    );
  }
}

export function checkLength(path: string, packet: number, length: number): void {
  if (length <= FRAME_ROOM) return;
  const place = `${path}: packet ${packet} has ${length} bytes`;
  const advice = `cut it with \`editcap -F pcap -s ${FRAME_ROOM} ${path} OUT.pcap\``;
  throw new PcapError(
    'PCAP_PACKET_TOO_LONG',
    `${place}, more than a packet holds (${FRAME_ROOM}): ${advice}`,
  );
}

export function wrongLinkType(path: string, found: number, accepts: readonly number[]): PcapError {
  const isEthernet = accepts.length === 1;
  const wanted = isEthernet ? `Ethernet (${LINKTYPE_ETHERNET})` : `one of ${accepts.join(', ')}`;
  const advice = isEthernet ? 'capture on an Ethernet interface, not on `any`' : 'capture on one interface';
  return new PcapError('PCAP_LINK_TYPE', `${path} has link type ${found}, not ${wanted}: ${advice}`);
}
