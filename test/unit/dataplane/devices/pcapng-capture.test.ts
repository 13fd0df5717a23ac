import { readFileSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import type { Capture } from '../../../../src/dataplane/devices/pcap-capture.js';
import { PcapError } from '../../../../src/dataplane/devices/pcap-error.js';
import {
  LINKTYPE_ETHERNET,
  LINKTYPE_LINUX_SLL,
  LINKTYPE_RAW,
} from '../../../../src/dataplane/devices/pcap-format.js';
import { readAnyCapture } from '../../../../src/dataplane/devices/pcapng-capture.js';
import { COOKED, Folder, LITTLE, missing, NANOSECONDS, ONE, output, PCAPNG, THREE } from './pcap-files.js';

const folder = new Folder();
afterAll(() => folder.remove());

const ALL = [LINKTYPE_ETHERNET, LINKTYPE_RAW, LINKTYPE_LINUX_SLL];

function frames({ view, at, length }: Capture): string[] {
  return [...at].map((offset, i) =>
    Buffer.from(view.buffer, view.byteOffset + offset, length[i]).toString('hex'),
  );
}

async function failure(path: string, accepts = ALL): Promise<PcapError> {
  try {
    await readAnyCapture(path, accepts);
  } catch (error) {
    if (error instanceof PcapError) return error;
    throw error;
  }
  throw new Error('no error');
}

/** The section header and interface of PCAPNG, and its packet. */
const HEAD = PCAPNG.slice(0, 2 * (0x1c + 0x14));
const PACKET = PCAPNG.slice(HEAD.length);

describe('readAnyCapture', () => {
  it('reads pcapng as scapy writes it, where its packets are in the file', async () => {
    const capture = await readAnyCapture(folder.write('one.pcapng', PCAPNG), ALL);
    expect(frames(capture)).toEqual([ONE]);
    expect([...capture.linkTypes]).toEqual([LINKTYPE_ETHERNET]);
    expect(capture.time[0]).toBeCloseTo(1_700_000_000_000_001, -1);
  });

  it('reads classic pcap all the same', async () => {
    const capture = await readAnyCapture(folder.write('two.pcap', LITTLE), ALL);
    expect(frames(capture)).toEqual([ONE, THREE]);
    const cooked = await readAnyCapture(folder.write('cooked.pcap', COOKED), ALL);
    expect(cooked.count).toBe(0);
  });

  it('gives each packet the link type of its interface, and sections interfaces of their own', async () => {
    const raw = `0100000014000000650000000000040014000000`;
    const ofSecond = PACKET.replace(/^060000003400000000000000/, '060000003400000001000000');
    const path = folder.write('mixed.pcapng', HEAD + raw + PACKET + ofSecond + HEAD + PACKET);
    const capture = await readAnyCapture(path, ALL);
    expect([...capture.linkTypes]).toEqual([LINKTYPE_ETHERNET, LINKTYPE_RAW, LINKTYPE_ETHERNET]);
    expect(frames(capture)).toEqual([ONE, ONE, ONE]);
  });

  it('passes over blocks that it does not know', async () => {
    const comment = '0500000010000000aabbccdd10000000';
    const capture = await readAnyCapture(folder.write('blocks.pcapng', HEAD + comment + PACKET), ALL);
    expect(frames(capture)).toEqual([ONE]);
  });

  it('reads the other octet order, nanoseconds, and simple packets', async () => {
    // if_tsresol 9, then one packet at 1 s and 500 ns, and a simple one.
    const head = '0a0d0d0a0000001c1a2b3c4d00010000ffffffffffffffff0000001c';
    const iface = '0000000100000020' + '0001000000040000' + '0009000109000000' + '00000000' + '00000020';
    const time = (1_000_000_500).toString(16).padStart(8, '0');
    const packet = `0000000600000034${'00000000'.repeat(2)}${time}0000001100000011${ONE}00000000000034`;
    const simple = `000000030000002400000011${ONE}00000000000024`;
    const capture = await readAnyCapture(folder.write('big.pcapng', head + iface + packet + simple), ALL);
    expect(frames(capture)).toEqual([ONE, ONE]);
    expect([...capture.time]).toEqual([1_000_000.5, 1_000_000.5]);
  });

  it.each<[string, string, string, string]>([
    ['a block cut off', 'PCAP_TRUNCATED', PCAPNG.slice(0, -8), 'within packet 1'],
    ['a header cut off', 'PCAP_TRUNCATED', PCAPNG.slice(0, 40), 'within packet 1'],
    [
      'a length of nothing',
      'PCAP_NOT_A_CAPTURE',
      `${HEAD}0600000000000000${'00'.repeat(16)}`,
      'after packet 0',
    ],
    [
      'an interface that is not there',
      'PCAP_NOT_A_CAPTURE',
      HEAD + PACKET.replace('3400000000000000', '3400000007000000'),
      'after packet 0',
    ],
    [
      'more octets than the block has',
      'PCAP_NOT_A_CAPTURE',
      HEAD + PACKET.replace('11000000', 'ff000000'),
      'after packet 0',
    ],
    [
      'a byte order that is none',
      'PCAP_NOT_A_CAPTURE',
      PCAPNG.replace('4d3c2b1a', '4d3c2b1b'),
      'after packet 0',
    ],
    ['nanoseconds of the classic format', 'PCAP_NANOSECONDS', NANOSECONDS, 'editcap'],
  ])('refuses %s', async (name, code, octets, text) => {
    const path = folder.write(`${name.replaceAll(' ', '-')}.pcapng`, octets);
    const error = await failure(path);
    expect(error.message).toContain(path);
    expect([error.code, error.message]).toEqual([code, expect.stringContaining(text)]);
  });

  it('refuses link types that the caller cannot use, and says which it can', async () => {
    const error = await failure(
      folder.write('raw.pcapng', PCAPNG.replace('1400000001000000', '1400000065000000')),
      [1, 113],
    );
    expect(error.code).toBe('PCAP_LINK_TYPE');
    expect(error.message).toContain('link type 101, not one of 1, 113');
  });

  it('says why a file cannot be read', async () => {
    expect((await failure(folder.file('nowhere'))).code).toBe('PCAP_UNREADABLE');
  });

  const editcap = missing('editcap');
  it.skipIf(editcap !== '')(
    `reads what editcap makes of a capture, in both directions${editcap}`,
    async () => {
      const [classic, made] = [folder.write('in.pcap', LITTLE), folder.file('made.pcapng')];
      output('editcap', '-F', 'pcapng', classic, made);
      expect(readFileSync(made).readUInt32BE(0)).toBe(0x0a0d0d0a);
      const capture = await readAnyCapture(made, ALL);
      expect(frames(capture)).toEqual([ONE, THREE]);
      expect(capture.time[1]).toBeCloseTo(1_700_000_001_999_999, -1);
    },
  );
});
