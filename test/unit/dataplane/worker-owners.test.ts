/** Which of several workers reads a port. */
import { describe, expect, it } from 'vitest';
import { PortOwners } from '../../../src/dataplane/worker/port-owners.js';

describe('owners of ports', () => {
  it('are different for ports that come one after the other', () => {
    const owners = new PortOwners(3);
    expect([0, 1, 2, 3, 4].map((port) => owners.choose(port))).toEqual([0, 1, 2, 0, 1]);
    expect([0, 1, 2, 3, 4].map((port) => owners.of(port))).toEqual([0, 1, 2, 0, 1]);
  });

  it('are those with the fewest ports, whatever has gone', () => {
    const owners = new PortOwners(2);
    owners.give(0, 0);
    expect(owners.choose(1)).toBe(1);
    expect(owners.choose(2)).toBe(0);
    owners.release(1);
    owners.release(1);
    expect(owners.choose(3)).toBe(1);
    expect(owners.choose(4)).toBe(1);
    expect(owners.choose(5)).toBe(0);
  });

  it('change with a number that is given again', () => {
    const owners = new PortOwners(2);
    owners.choose(0);
    owners.give(0, 1);
    expect(owners.of(0)).toBe(1);
    expect([owners.choose(1), owners.choose(2)]).toEqual([0, 0]);
  });
});
