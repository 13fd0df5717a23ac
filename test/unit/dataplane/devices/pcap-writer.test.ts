import { existsSync, readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { PcapError } from '../../../../src/dataplane/devices/pcap-error.js';
import { PcapWriter } from '../../../../src/dataplane/devices/pcap-writer.js';
import { Folder, LITTLE, missing, ONE, output, THREE } from './pcap-files.js';

const folder = new Folder();
afterAll(() => folder.remove());

const FULL = '/dev/full';
const full = existsSync(FULL) ? '' : ` [skipped: needs ${FULL}]`;

function view(frame: string): DataView {
  return new DataView(Uint8Array.from(Buffer.from(frame, 'hex')).buffer);
}

function writeTwo(name: string): string {
  const writer = new PcapWriter(folder.file(name));
  expect(writer.append(view(`ffff${ONE}ff`), 2, ONE.length / 2, 1_700_000_000_000_001)).toBe(true);
  expect(writer.append(view(THREE), 0, THREE.length / 2, 1_700_000_001_999_999)).toBe(true);
  writer.close();
  return writer.path;
}

function failureOf(action: () => void): PcapError {
  try {
    action();
  } catch (error) {
    if (error instanceof PcapError) return error;
    throw error;
  }
  throw new Error('no error');
}

describe('PcapWriter', () => {
  it('writes what scapy writes, but for the snapshot length', () => {
    const octets = readFileSync(writeTwo('two.pcap')).toString('hex');
    expect(octets).toBe(LITTLE.replace('ffff0000', '00000400'));
  });

  it('writes a file without packets', () => {
    const writer = new PcapWriter(folder.file('none.pcap'));
    writer.close();
    writer.close();
    expect(readFileSync(writer.path).length).toBe(24);
  });

  it('replaces a file that is there', () => {
    folder.write('old.pcap', 'ee'.repeat(500));
    expect(readFileSync(writeTwo('old.pcap')).length).toBe(LITTLE.length / 2);
  });

  it('shows at once what is flushed', () => {
    const writer = new PcapWriter(folder.file('flush.pcap'));
    writer.append(view(ONE), 0, 17, 0);
    expect(readFileSync(writer.path).length).toBe(0);
    writer.flush();
    expect(readFileSync(writer.path).length).toBe(24 + 16 + 17);
    writer.close();
  });

  it('writes more than its buffer, in order', () => {
    const writer = new PcapWriter(folder.file('large.pcap'));
    const frame = new DataView(new ArrayBuffer(65_549));
    for (let i = 0; i < 40; i++) {
      frame.setUint32(0, i);
      frame.setUint8(65_548, i);
      writer.append(frame, 0, 65_549, i);
    }
    writer.close();
    const octets = readFileSync(writer.path);
    const record = 16 + 65_549;
    expect(octets.length).toBe(24 + 40 * record);
    for (let i = 0; i < 40; i++) {
      expect(octets.readUInt32BE(24 + i * record + 16)).toBe(i);
      expect(octets[24 + (i + 1) * record - 1]).toBe(i);
    }
  });

  it('takes nothing once it is closed', () => {
    const writer = new PcapWriter(folder.file('closed.pcap'));
    writer.close();
    expect(writer.append(view(ONE), 0, 17, 0)).toBe(false);
    expect(writer.error).toBeUndefined();
    expect(readFileSync(writer.path).length).toBe(24);
  });

  it('says why it cannot create the file', () => {
    const path = folder.file('no/such/folder.pcap');
    const error = failureOf(() => new PcapWriter(path));
    expect(error.code).toBe('PCAP_WRITE_FAILED');
    expect(error.message).toContain(path);
    expect((error.cause as NodeJS.ErrnoException).code).toBe('ENOENT');
  });

  it.skipIf(full !== '')(`takes nothing after a failed write, and says so when it is closed${full}`, () => {
    const writer = new PcapWriter(FULL);
    const frame = new DataView(new ArrayBuffer(60_000));
    let taken = 0;
    while (writer.append(frame, 0, 60_000, 0)) taken++;
    expect(taken).toBe(17);
    expect(writer.error?.code).toBe('PCAP_WRITE_FAILED');
    expect(failureOf(() => writer.flush())).toBe(writer.error);
    const error = failureOf(() => writer.close());
    expect(error).toBe(writer.error);
    expect((error.cause as NodeJS.ErrnoException).code).toBe('ENOSPC');
    writer.close();
  });

  it.skipIf(full !== '')(`fails in close where nothing was written before${full}`, () => {
    const writer = new PcapWriter(FULL);
    expect(failureOf(() => writer.close()).code).toBe('PCAP_WRITE_FAILED');
  });

  it('writes to what has no disk to wait for', () => {
    const writer = new PcapWriter('/dev/null');
    writer.append(view(ONE), 0, 17, 0);
    writer.close();
    expect(writer.error).toBeUndefined();
  });

  const tcpdump = missing('tcpdump');
  it.skipIf(tcpdump !== '')(`is read by tcpdump${tcpdump}`, () => {
    const lines = output('tcpdump', '-tt', '-e', '-n', '-xx', '-r', writeTwo('tcpdump.pcap')).split('\n');
    const octets = lines.filter((line) => line.startsWith('\t')).map((line) => line.replace(/^.*?:|\s/g, ''));
    const heads = lines.filter((line) => /^\d/.test(line));
    expect(heads[0]).toMatch(
      /^1700000000\.000001 02:00:00:00:00:01 > 02:00:00:00:00:02, .*0x88b5.*length 17/,
    );
    expect(heads[1]).toMatch(/^1700000001\.999999 .*length 19/);
    expect(octets.join('')).toBe(ONE + THREE);
  });

  const capinfos = missing('capinfos');
  it.skipIf(capinfos !== '')(`is whole to capinfos${capinfos}`, () => {
    const path = writeTwo('capinfos.pcap');
    const [row] = output('capinfos', '-T', '-r', '-t', '-E', '-l', '-c', '-d', '-a', '-e', '-S', path)
      .trim()
      .split('\n');
    expect(row.split('\t').slice(1)).toEqual([
      'pcap',
      'ether',
      '262144',
      'n/a',
      'n/a',
      '2',
      '36',
      '1700000000.000001',
      '1700000001.999999',
    ]);
  });
});
