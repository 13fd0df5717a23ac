/**
 * PcapWriter: a classic pcap file, little-endian, times in microseconds, link type Ethernet.
 *
 * Packets are collected and written by the mebibyte, at `flush` and at `close`, which also makes the file
 * durable. After a failed write the writer takes no more packets, and `close` throws why.
 */
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import { copyBytes } from './packet-copy.js';
import { PcapError } from './pcap-error.js';
import {
  FILE_HEADER,
  LINKTYPE_ETHERNET,
  MAGIC,
  PACKET_HEADER,
  SNAPLEN,
  VERSION_MAJOR,
  VERSION_MINOR,
} from './pcap-format.js';

const BUFFER_BYTES = 1 << 20;

export class PcapWriter {
  private readonly view = new DataView(new ArrayBuffer(BUFFER_BYTES));
  private used = 0;
  private failure: PcapError | undefined;
  private fd: number;

  /**
   * Creates the file, or empties it. The header is written with the first packets.
   * @throws PcapError PCAP_WRITE_FAILED where the file cannot be opened.
   */
  constructor(readonly path: string) {
    try {
      this.fd = openSync(path, 'w');
    } catch (cause) {
      throw writeFailed(path, cause);
    }
    this.writeHeader();
  }

  /** Why packets are refused, once a write has failed. */
  get error(): PcapError | undefined {
    return this.failure;
  }

  /**
   * Adds the frame of `length` octets (at most SNAPLEN) at `at` of a memory, captured at `time` (microseconds
   * since 1970). Answers false when the file takes no more.
   */
  append(memory: DataView, at: number, length: number, time: number): boolean {
    if (this.used + PACKET_HEADER + length > BUFFER_BYTES) this.writeOut();
    if (this.failure !== undefined || this.fd < 0) return false;
    const { view, used } = this;
    const seconds = Math.floor(time / 1e6);
    view.setUint32(used, seconds, true);
    view.setUint32(used + 4, time - seconds * 1e6, true);
    view.setUint32(used + 8, length, true);
    view.setUint32(used + 12, length, true);
    copyBytes(memory, at, view, used + PACKET_HEADER, length);
    this.used = used + PACKET_HEADER + length;
    return true;
  }

  /**
   * Hands what was collected to the kernel.
   * @throws PcapError PCAP_WRITE_FAILED
   */
  flush(): void {
    this.writeOut();
    if (this.failure !== undefined) throw this.failure;
  }

  /**
   * Writes the rest, waits until it is on the disk, and closes the file. A second call does nothing.
   * @throws PcapError PCAP_WRITE_FAILED, of this or any write before; the file is closed all the same.
   */
  close(): void {
    if (this.fd < 0) return;
    this.writeOut();
    this.attempt(() => syncFile(this.fd));
    this.attempt(() => closeSync(this.fd));
    this.fd = -1;
    if (this.failure !== undefined) throw this.failure;
  }

  private writeHeader(): void {
    const { view } = this;
    view.setUint32(0, MAGIC.MICROSECONDS, true);
    view.setUint16(4, VERSION_MAJOR, true);
    view.setUint16(6, VERSION_MINOR, true);
    view.setUint32(16, SNAPLEN, true);
    view.setUint32(20, LINKTYPE_ETHERNET, true);
    this.used = FILE_HEADER;
  }

  private writeOut(): void {
    if (this.failure === undefined && this.fd >= 0) {
      this.attempt(() => {
        for (let done = 0; done < this.used; ) done += writeSync(this.fd, this.view, done, this.used - done);
      });
    }
    this.used = 0;
  }

  /** Keeps the first failure. */
  private attempt(action: () => void): void {
    try {
      action();
    } catch (cause) {
      this.failure ??= writeFailed(this.path, cause);
    }
  }
}

/** A pipe or a terminal has no disk to wait for: fsync(2) answers EINVAL. */
function syncFile(fd: number): void {
  try {
    fsyncSync(fd);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EINVAL') throw error;
  }
}

function writeFailed(path: string, cause: unknown): PcapError {
  const { message } = cause as Error;
  const advice = 'free space there, or choose a path that this user may write to';
  return new PcapError('PCAP_WRITE_FAILED', `${path} cannot be written (${message}): ${advice}`, { cause });
}
