import { describe, expect, it } from 'vitest';
import { addressText, addressWords } from '../../../../src/dataplane/devices/remote.js';
import { TooBigNotices } from '../../../../src/dataplane/devices/too-big-notices.js';

function notices() {
  const clock = { now: 5000 };
  const told: string[] = [];
  const table = new TooBigNotices(
    (words, at) => told.push(addressText(words, at)),
    () => clock.now,
  );
  /** As the pool has it: not at the beginning of the array. */
  const note = (address: string): void => {
    const words = new Int32Array(12);
    words.set(addressWords(address), 8);
    table.note(words, 8);
  };
  return { clock, told, note };
}

describe('TooBigNotices', () => {
  it('tells of an address at once, and again after a second', () => {
    const { clock, told, note } = notices();
    note('10.0.0.1');
    note('10.0.0.1');
    note('fd00::1');
    clock.now += 999;
    note('10.0.0.1');
    expect(told).toEqual(['10.0.0.1', 'fd00::1']);
    clock.now += 1;
    note('10.0.0.1');
    note('10.0.0.1');
    expect(told).toEqual(['10.0.0.1', 'fd00::1', '10.0.0.1']);
  });

  it('tells of the address of four zero words, which an empty entry looks like', () => {
    const { told, note } = notices();
    note('::');
    note('::');
    expect(told).toEqual(['::']);
  });

  it('tells addresses apart by each of their words', () => {
    const { told, note } = notices();
    const addresses = ['1::', '0:0:1::', '::1:0:0', '::1', '0.0.0.1'];
    for (const address of [...addresses, ...addresses]) note(address);
    expect(told).toEqual(addresses.map((address) => (address === '::1:0:0' ? '::1:0:0' : address)));
  });

  it('tells of no more than 256 within a second, and of the rest later', () => {
    const { clock, told, note } = notices();
    const all = Array.from({ length: 400 }, (_, i) => `10.0.${i >> 8}.${i & 255}`);
    for (const address of all) note(address);
    expect(told).toEqual(all.slice(0, 256));
    for (const address of all.slice(0, 256)) note(address);
    expect(told).toHaveLength(256);
    clock.now += 1000;
    for (const address of all.slice(256)) note(address);
    expect(told).toEqual(all);
  });
});
