/**
 * The file that connections outlive a daemon in: written beside the old one and put in its place, or not at all; read whole, or not
 * at all.
 *
 *     0   8  `podwflow`
 *     8   4  version
 *     12  4  length of the head, which is JSON and padded to a multiple of 8
 *     16  8  length of the rows (float64)
 *     24  4  CRC-32 of head and rows
 *     28  4  nothing
 *     32     head: FlowFileHead
 *            rows: words of dataplane/flows/flow-rows.ts
 *
 * All in the machine's own byte order, since it is for the same machine: `boot` says since which start of it. Another boot has
 * another clock, and none of the connections. So nothing is synced to the disk: a crash of the machine makes the file worthless.
 */
import { type FileHandle, open, readFile, rename, unlink } from 'node:fs/promises';
import { crc32 } from 'node:zlib';

export interface FlowFileHead {
  /** Of the kernel; see above. */
  readonly boot: string;
  /** Machine's monotonic clock (ms) when it was begun. */
  readonly time: number;
  /** Names of ports and zones, by the number that rows have. */
  readonly ports: Readonly<Record<string, string>>;
  readonly zones: Readonly<Record<string, string>>;
  /** Names of ports at which answers to translated connections come in. */
  readonly tracked: readonly string[];
}

export interface FlowFile {
  readonly head: FlowFileHead;
  readonly rows: Int32Array;
}

/** Why a file is of no use. */
export class FlowFileError extends Error {}

const MAGIC = 'podwflow';
const VERSION = 1;
const AT = { VERSION: 8, HEAD_LENGTH: 12, ROWS_LENGTH: 16, CHECKSUM: 24 } as const;
const FIXED = 32;
const WORD = 4;
const ALIGNMENT = 8;

/**
 * @param chunks of rows; each is written before the next is asked for
 * @returns whether it was written: not where `chunks` ends with false.
 */
export async function writeFlowFile(
  path: string,
  head: FlowFileHead,
  chunks: AsyncGenerator<Int32Array, boolean>,
): Promise<boolean> {
  const unfinished = `${path}.new`;
  const file = await open(unfinished, 'w', 0o600);
  let isDone = false;
  try {
    isDone = await writeAll(file, head, chunks);
  } finally {
    await file.close();
    if (!isDone) await unlink(unfinished);
  }
  if (isDone) await rename(unfinished, path);
  return isDone;
}

async function writeAll(
  file: FileHandle,
  head: FlowFileHead,
  chunks: AsyncGenerator<Int32Array, boolean>,
): Promise<boolean> {
  const text = padded(JSON.stringify(head));
  let checksum = crc32(text);
  let at = FIXED + text.length;
  await file.write(text, 0, text.length, FIXED);
  for (let next = await chunks.next(); ; next = await chunks.next()) {
    if (next.done) {
      const fixed = fixedPart(text.length, at - FIXED - text.length, checksum);
      if (next.value) await file.write(fixed, 0, FIXED, 0);
      return next.value;
    }
    const bytes = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
    checksum = crc32(bytes, checksum);
    await writeBytes(file, bytes, at);
    at += bytes.length;
  }
}

/** One write may take less than all. */
async function writeBytes(file: FileHandle, bytes: Buffer, at: number): Promise<void> {
  for (let from = 0; from < bytes.length; ) {
    from += (await file.write(bytes, from, bytes.length - from, at + from)).bytesWritten;
  }
}

function fixedPart(headLength: number, rowsLength: number, checksum: number): Buffer {
  const fixed = Buffer.alloc(FIXED);
  fixed.write(MAGIC, 'latin1');
  fixed.writeUInt32LE(VERSION, AT.VERSION);
  fixed.writeUInt32LE(headLength, AT.HEAD_LENGTH);
  fixed.writeDoubleLE(rowsLength, AT.ROWS_LENGTH);
  fixed.writeUInt32LE(checksum, AT.CHECKSUM);
  return fixed;
}

function padded(text: string): Buffer {
  const length = Buffer.byteLength(text);
  return Buffer.from(text + ' '.repeat((ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT));
}

/** @returns undefined where there is none. @throws FlowFileError */
export async function readFlowFile(path: string): Promise<FlowFile | undefined> {
  let file: Buffer;
  try {
    file = await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new FlowFileError((error as Error).message);
  }
  return parse(file);
}

function parse(file: Buffer): FlowFile {
  if (file.length < FIXED || file.toString('latin1', 0, MAGIC.length) !== MAGIC)
    throw new FlowFileError('it is no file of connections');
  const version = file.readUInt32LE(AT.VERSION);
  if (version !== VERSION) throw new FlowFileError(`it is of version ${version}, and this is ${VERSION}`);
  const headLength = file.readUInt32LE(AT.HEAD_LENGTH);
  const rowsLength = file.readDoubleLE(AT.ROWS_LENGTH);
  if (FIXED + headLength + rowsLength !== file.length || rowsLength % WORD !== 0)
    throw new FlowFileError('its length is wrong');
  if (crc32(file.subarray(FIXED)) !== file.readUInt32LE(AT.CHECKSUM))
    throw new FlowFileError('its checksum is wrong');
  return { head: headOf(file.toString('utf8', FIXED, FIXED + headLength)), rows: wordsOf(file, headLength) };
}

function headOf(text: string): FlowFileHead {
  try {
    return JSON.parse(text) as FlowFileHead;
  } catch {
    throw new FlowFileError('its head is no JSON');
  }
}

function wordsOf(file: Buffer, headLength: number): Int32Array {
  const at = file.byteOffset + FIXED + headLength;
  const length = file.length - FIXED - headLength;
  if (at % WORD === 0) return new Int32Array(file.buffer, at, length / WORD);
  return new Int32Array(file.buffer.slice(at, at + length));
}
