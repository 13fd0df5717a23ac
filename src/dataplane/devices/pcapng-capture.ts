/**
 * A capture file of either format in memory: classic pcap by pcap-capture.ts, pcapng (IETF draft-ietf-opsawg-pcapng) here,
 * as Wireshark, dumpcap and tshark write it.
 *
 *    block:     type u32 · total length u32 · body, padded to 4 · total length u32
 *    section:   byte-order magic u32 · major u16 · minor u16 · section length i64 · options
 *    interface: link type u16 · reserved u16 · snaplen u32 · options
 *    packet:    interface u32 · time high u32 · time low u32 · captured length u32 · original length u32 · octets · options
 *    simple:    original length u32 · octets
 *
 * A file may have several sections in different octet orders, each with interfaces of its own. Blocks of other types are
 * passed over, as the format wants it. The file is read whole and packets stay where they are in it.
 */
import { open, readFile } from 'node:fs/promises';
import { Capture, checkLength, readCapture, truncated, unreadable, wrongLinkType } from './pcap-capture.js';
import { PcapError } from './pcap-error.js';
import { MAGIC } from './pcap-format.js';

const BLOCK = { SECTION: MAGIC.PCAPNG, INTERFACE: 1, SIMPLE: 3, PACKET: 6 } as const;
const BYTE_ORDER = 0x1a2b3c4d;
const BLOCK_HEADER = 8;
const BLOCK_OVERHEAD = 12;
const OPTION = { END: 0, IF_TSRESOL: 9, IF_TSOFFSET: 14 } as const;

/** Where the octets of a packet are in its block, and the least that a block of its type has. */
const PACKET_DATA = BLOCK_HEADER + 20;
const SIMPLE_DATA = BLOCK_HEADER + 4;
const INTERFACE_OPTIONS = BLOCK_HEADER + 8;
const SECTION_LEAST = 28;

interface Interface {
  readonly linkType: number;
  readonly snaplen: number;
  /** Units of its times in a microsecond; below 1 where they are longer. */
  readonly perMicrosecond: number;
  /** Seconds to add. */
  readonly offset: number;
}

/**
 * @param accepts link types that the caller can make something of.
 * @throws PcapError, with any code but PCAP_WRITE_FAILED.
 */
export async function readAnyCapture(path: string, accepts: readonly number[]): Promise<Capture> {
  if (!(await isPcapng(path))) return readCapture(path, accepts);
  return new PcapngReader(path, await readWhole(path), accepts).read();
}

async function isPcapng(path: string): Promise<boolean> {
  const head = Buffer.alloc(4);
  try {
    const file = await open(path);
    try {
      await file.read(head, 0, head.length, 0);
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw unreadable(path, cause);
  }
  return head.readUInt32BE(0) === MAGIC.PCAPNG;
}

async function readWhole(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

class PcapngReader {
  private readonly view: DataView;
  private isLittle = true;
  private interfaces: Interface[] = [];
  private readonly at: number[] = [];
  private readonly length: number[] = [];
  private readonly time: number[] = [];
  private readonly linkTypes: number[] = [];

  constructor(
    private readonly path: string,
    private readonly bytes: Buffer,
    private readonly accepts: readonly number[],
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  read(): Capture {
    for (let at = 0; at < this.bytes.length; ) at += this.block(at);
    const { at, length, time, linkTypes } = this;
    return new Capture(
      this.bytes,
      Uint32Array.from(at),
      Uint32Array.from(length),
      Float64Array.from(time),
      Uint16Array.from(linkTypes),
    );
  }

  /** Answers its length. */
  private block(at: number): number {
    if (at + BLOCK_OVERHEAD > this.bytes.length) throw this.truncated();
    const type = this.word(at);
    if (type === BLOCK.SECTION) this.section(at);
    const length = this.word(at + 4);
    if (length < BLOCK_OVERHEAD || length % 4 !== 0) throw this.broken();
    if (at + length > this.bytes.length) throw this.truncated();
    if (type === BLOCK.INTERFACE) this.interface(at, length);
    else if (type === BLOCK.PACKET) this.packet(at, length);
    else if (type === BLOCK.SIMPLE) this.simple(at, length);
    return length;
  }

  /** The block's own length is in the octet order that it says. */
  private section(at: number): void {
    if (at + SECTION_LEAST > this.bytes.length) throw this.truncated();
    this.isLittle = this.view.getUint32(at + BLOCK_HEADER, true) === BYTE_ORDER;
    if (this.word(at + BLOCK_HEADER) !== BYTE_ORDER) throw this.broken();
    this.interfaces = [];
  }

  private interface(at: number, length: number): void {
    if (length < INTERFACE_OPTIONS + 4) throw this.broken();
    const linkType = this.half(at + BLOCK_HEADER);
    let [perMicrosecond, offset] = [1, 0];
    const end = at + length - 4;
    for (let option = at + INTERFACE_OPTIONS; option + 4 <= end; ) {
      const [code, size] = [this.half(option), this.half(option + 2)];
      if (code === OPTION.END || option + 4 + size > end) break;
      if (code === OPTION.IF_TSRESOL && size === 1) perMicrosecond = resolution(this.bytes[option + 4]!);
      if (code === OPTION.IF_TSOFFSET && size === 8)
        offset = Number(this.view.getBigInt64(option + 4, this.isLittle));
      option += 4 + padded(size);
    }
    this.interfaces.push({ linkType, snaplen: this.word(at + BLOCK_HEADER + 4), perMicrosecond, offset });
  }

  private packet(at: number, length: number): void {
    if (length < PACKET_DATA + 4) throw this.broken();
    const from = this.interfaces[this.word(at + BLOCK_HEADER)];
    const captured = this.word(at + BLOCK_HEADER + 12);
    if (from === undefined || PACKET_DATA + captured + 4 > length) throw this.broken();
    const units = this.word(at + BLOCK_HEADER + 4) * 2 ** 32 + this.word(at + BLOCK_HEADER + 8);
    this.add(at + PACKET_DATA, captured, units / from.perMicrosecond + from.offset * 1e6, from);
  }

  /** Of the first interface, without a time: that of the packet before. */
  private simple(at: number, length: number): void {
    const [from] = this.interfaces;
    if (from === undefined || length < SIMPLE_DATA + 4) throw this.broken();
    const original = this.word(at + BLOCK_HEADER);
    const captured = from.snaplen === 0 ? original : Math.min(original, from.snaplen);
    if (SIMPLE_DATA + captured + 4 > length) throw this.broken();
    this.add(at + SIMPLE_DATA, captured, this.time.at(-1) ?? 0, from);
  }

  private add(at: number, length: number, time: number, { linkType }: Interface): void {
    if (!this.accepts.includes(linkType)) throw wrongLinkType(this.path, linkType, this.accepts);
    checkLength(this.path, this.at.length + 1, length);
    this.at.push(at);
    this.length.push(length);
    this.time.push(time);
    this.linkTypes.push(linkType);
  }

  private word(at: number): number {
    return this.view.getUint32(at, this.isLittle);
  }

  private half(at: number): number {
    return this.view.getUint16(at, this.isLittle);
  }

  private truncated(): PcapError {
    return truncated(this.path, this.at.length + 1);
  }

  private broken(): PcapError {
    const advice = `see what of it can be read with \`editcap ${this.path} OUT.pcapng\``;
    const place = `after packet ${this.at.length}`;
    return new PcapError('PCAP_NOT_A_CAPTURE', `${this.path} is no pcapng file ${place}: ${advice}`);
  }
}

/** if_tsresol: a negative power of ten, or with the highest bit of two, of a second. */
function resolution(octet: number): number {
  const exponent = octet & 0x7f;
  return (octet & 0x80 ? 2 ** exponent : 10 ** exponent) / 1e6;
}

function padded(size: number): number {
  return (size + 3) & ~3;
}
