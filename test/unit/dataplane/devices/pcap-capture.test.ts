import { afterAll, describe, expect, it } from 'vitest';
import { type Capture, readCapture } from '../../../../src/dataplane/devices/pcap-capture.js';
import { PcapError } from '../../../../src/dataplane/devices/pcap-error.js';
import {
  BIG,
  COOKED,
  Folder,
  LITTLE,
  missing,
  NANOSECONDS,
  ONE,
  output,
  PCAPNG,
  THREE,
} from './pcap-files.js';

const folder = new Folder();
afterAll(() => folder.remove());

function frames({ view, at, length }: Capture): string[] {
  const start = view.byteOffset;
  return [...at].map((offset, i) =>
    Buffer.from(view.buffer.slice(start + offset, start + offset + length[i])).toString('hex'),
  );
}

async function failure(path: string): Promise<PcapError> {
  try {
    await readCapture(path);
  } catch (error) {
    if (error instanceof PcapError) return error;
    throw error;
  }
  throw new Error('no error');
}

describe('readCapture', () => {
  it.each([
    ['little-endian', LITTLE],
    ['big-endian', BIG],
  ])('reads a %s file', async (name, octets) => {
    const capture = await readCapture(folder.write(`${name}.pcap`, octets));
    expect(frames(capture)).toEqual([ONE, THREE]);
    expect([...capture.time]).toEqual([1_700_000_000_000_001, 1_700_000_001_999_999]);
    expect(capture.count).toBe(2);
  });

  it('reads a file without packets', async () => {
    expect((await readCapture(folder.write('none.pcap', LITTLE.slice(0, 48)))).count).toBe(0);
  });

  it('reads packets of any number and size', async () => {
    // 65,602 octets, the room of a slot, are 0x00010042.
    const largest = `0000000000000000${'42000100'.repeat(2)}${'ee'.repeat(65_602)}`;
    const path = folder.write('large.pcap', LITTLE + largest.repeat(20) + LITTLE.slice(48));
    const capture = await readCapture(path);
    expect(capture.count).toBe(24);
    expect(frames(capture).slice(2, 22)).toEqual(new Array(20).fill('ee'.repeat(65_602)));
    expect(frames(capture).slice(22)).toEqual([ONE, THREE]);
  });

  it.each<[string, string, string, string]>([
    ['a pcapng file', 'PCAP_IS_PCAPNG', PCAPNG, 'editcap -F pcap'],
    ['times in nanoseconds', 'PCAP_NANOSECONDS', NANOSECONDS, 'editcap -F pcap'],
    ['another link type', 'PCAP_LINK_TYPE', COOKED, 'link type 113'],
    ['another version', 'PCAP_VERSION', `d4c3b2a10300${LITTLE.slice(12)}`, '3.4'],
    ['an old version', 'PCAP_VERSION', `d4c3b2a101000400${LITTLE.slice(16)}`, '1.4'],
    ['an empty file', 'PCAP_NOT_A_CAPTURE', '', 'tcpdump -w'],
    ['a text', 'PCAP_NOT_A_CAPTURE', Buffer.from('# a text of some length').toString('hex'), 'tcpdump -w'],
    ['a cut file header', 'PCAP_TRUNCATED', LITTLE.slice(0, 46), 'in its header'],
    ['a cut packet header', 'PCAP_TRUNCATED', LITTLE.slice(0, 48 + 30), 'within packet 1'],
    ['a cut packet', 'PCAP_TRUNCATED', LITTLE.slice(0, -2), 'within packet 2'],
    ['a length beyond the file', 'PCAP_TRUNCATED', LITTLE.replace('11000000', 'ffffffff'), 'within packet 1'],
    [
      'a packet larger than a slot',
      'PCAP_PACKET_TOO_LONG',
      `${LITTLE.slice(0, 48)}0000000000000000${'43000100'.repeat(2)}${'00'.repeat(65_603)}`,
      'packet 1 has 65603 bytes',
    ],
  ])('refuses %s', async (name, code, octets, text) => {
    const path = folder.write(`${name.replaceAll(' ', '-')}.pcap`, octets);
    const error = await failure(path);
    expect(error.code).toBe(code);
    expect(error.message).toContain(path);
    expect(error.message).toContain(text);
  });

  it.each([
    ['nowhere.pcap', 'ENOENT'],
    ['.', 'EISDIR'],
  ])('says why %s cannot be read', async (name, errno) => {
    const error = await failure(folder.file(name));
    expect(error.code).toBe('PCAP_UNREADABLE');
    expect(error.message).toContain(errno);
    expect((error.cause as NodeJS.ErrnoException).code).toBe(errno);
  });

  const editcap = missing('editcap');
  it.skipIf(editcap !== '').each([
    ['pcapng', PCAPNG, [ONE]],
    ['nanoseconds', NANOSECONDS, [ONE]],
  ])(`reads %s once they are converted as the error says${editcap}`, async (name, octets, expected) => {
    const path = folder.write(`${name}-in`, octets);
    const converted = folder.file(`${name}.pcap`);
    output('editcap', '-F', 'pcap', path, converted);
    const capture = await readCapture(converted);
    expect(frames(capture)).toEqual(expected);
    expect(capture.time[0]).toBe(1_700_000_000_000_001);
  });
});
