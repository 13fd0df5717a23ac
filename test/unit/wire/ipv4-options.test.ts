import { describe, expect, it } from 'vitest';
import * as options from '../../../src/wire/ipv4-options.js';

function bytes(text: string): Uint8Array {
  return Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));
}

/** A header of 20 octets with these options behind it. */
function header(text: string): DataView {
  const tail = bytes(text);
  const data = new Uint8Array(20 + tail.length);
  data[0] = 0x40 | ((20 + tail.length) / 4);
  data.set(tail, 20);
  return new DataView(data.buffer);
}

// record,alert = IPOption_RR(routers=['0.0.0.0']),IPOption_Router_Alert()
// scapy: IP(src='10.0.0.2',dst='10.0.1.2',options=[record,IPOption_NOP(),alert,
//        IPOption_Security()])
const HEADER = bytes(
  `4b00002c0001000040004e3d0a0000020a000102070704000000000194040000820b00000000000078787800`,
);
// scapy: IP(src='10.0.0.2',dst='10.0.1.2',options=[alert,IPOption_Security()])
const COPIED = bytes(`490000240001000040005b4d0a0000020a00010294040000820b00000000000078787800`);

describe('IPv4 options', () => {
  it('copies those with the copied bit, padded to a multiple of four octets', () => {
    const view = new DataView(new ArrayBuffer(128));
    const data = new Uint8Array(view.buffer);
    data.fill(0xff, 64);
    data.set(HEADER);
    expect(HEADER.length).toBe(44);
    expect(options.copiedHeaderLength(view, 0, 44)).toBe(COPIED.length);
    options.writeCopied(view, 0, 44, 64);
    expect(data[64]).toBe(COPIED[0]);
    expect(data.slice(84, 64 + COPIED.length)).toEqual(COPIED.slice(20));
    expect(data[64 + COPIED.length]).toBe(0xff);
  });

  it.each([
    ['none', '', true],
    ['NOPs', '01010101', true],
    ['END and anything behind it', '0083ffff', true],
    ['one that fills the header', '94040000', true],
    ['a length beyond the header', '94050000', false],
    ['a length of 0', '94000000', false],
    ['a length of 1', '94010000', false],
    ['a type without a length', '01010194', false],
  ])('says whether they can be walked: %s', (_, text, sound) => {
    const view = header(text);
    expect(options.areSound(view, 0, view.byteLength)).toBe(sound);
  });

  it.each([
    ['loose', '83070400000000 00', true],
    ['strict, behind others', '01 94040000 89070400000000', true],
    ['in the data of another', '4404 8389', false],
    ['behind END', '00830304', false],
  ])('finds a source route: %s', (_, text, found) => {
    const view = header(text);
    expect(options.hasSourceRoute(view, 0, view.byteLength)).toBe(found);
  });
});
