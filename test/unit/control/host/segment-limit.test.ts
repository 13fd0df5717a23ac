import { describe, expect, it } from 'vitest';
import { tunnelGsoSize } from '../../../../src/control/host/segment-limit.js';

/** What the kernel fills into one packet of this interface, in whole segments. */
function octetsOnTheWire(mtu: number, headers: number): number {
  const segment = mtu - headers;
  const segments = Math.floor((tunnelGsoSize(mtu) - 321) / segment);
  return segments * (mtu + 14 + 8);
}

describe('tunnelGsoSize', () => {
  it('lets a packet become one message of the tunnel and fills it', () => {
    expect(tunnelGsoSize(1450)).toBe(44 * 1398 + 321);
    for (const mtu of [1280, 1350, 1430, 1450, 8950]) {
      // IPv4 and IPv6, each with and without TCP timestamps.
      for (const headers of [40, 52, 60, 72]) {
        expect(octetsOnTheWire(mtu, headers)).toBeLessThanOrEqual(65_000);
        expect(octetsOnTheWire(mtu, headers)).toBeGreaterThan(65_000 - 2 * (mtu + 22));
      }
    }
  });

  it('never asks for more than a kernel takes, or less than a packet', () => {
    for (const mtu of [576, 9000, 40_000, 65_521]) {
      expect(tunnelGsoSize(mtu)).toBeLessThanOrEqual(65_536);
      expect(tunnelGsoSize(mtu)).toBeGreaterThan(mtu);
    }
  });
});
