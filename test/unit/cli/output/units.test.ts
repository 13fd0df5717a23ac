import { describe, expect, it } from 'vitest';
import {
  counted,
  formatAge,
  formatBitRate,
  formatBytes,
  formatMicros,
} from '../../../../src/cli/output/units.js';

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [1, '1 B'],
    [1023, '1023 B'],
    [1024, '1.00 KiB'],
    [1536, '1.50 KiB'],
    [10_240, '10.0 KiB'],
    [102_400, '100 KiB'],
    [1_048_575, '1.00 MiB'],
    [67_108_864, '64.0 MiB'],
    [5 * 2 ** 40, '5.00 TiB'],
    [2 ** 53, '8.00 PiB'],
  ])('%d is %s', (octets, text) => {
    expect(formatBytes(octets)).toBe(text);
  });
});

describe('formatAge', () => {
  it.each([
    [-5, '0s'],
    [999, '0s'],
    [119_000, '119s'],
    [120_000, '2m'],
    [310_000, '5m10s'],
    [3_600_000, '60m'],
    [3 * 3_600_000, '3h'],
    [3 * 3_600_000 + 12 * 60_000, '3h12m'],
    [47 * 3_600_000, '47h'],
    [50 * 3_600_000, '2d2h'],
    [20 * 24 * 3_600_000, '20d'],
  ])('%d ms are %s', (ms, text) => {
    expect(formatAge(ms)).toBe(text);
  });
});

it.each([
  [0.4, '0 µs'],
  [45.6, '46 µs'],
  [999.4, '999 µs'],
  [999.6, '1.00 ms'],
  [12_345, '12.3 ms'],
  [999_499, '999 ms'],
  [999_999, '1.00 s'],
  [2_100_000, '2.10 s'],
])('formatMicros: %d µs are %s', (micros, text) => {
  expect(formatMicros(micros)).toBe(text);
});

it.each([
  [500, '0.50 kbit/s'],
  [12_345_678, '12.3 Mbit/s'],
  [999_900_000, '1.00 Gbit/s'],
  [8_582_000_000, '8.58 Gbit/s'],
])('formatBitRate: %d bit/s are %s', (rate, text) => {
  expect(formatBitRate(rate)).toBe(text);
});

it('counts with the right form of the word', () => {
  expect([counted(1, 'pod'), counted(0, 'pod'), counted(2, 'address', 'addresses')]).toEqual([
    '1 pod',
    '0 pods',
    '2 addresses',
  ]);
});
