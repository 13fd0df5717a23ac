import pino from 'pino';
import { expect, it } from 'vitest';
import { PodwireError } from '../../../src/control/errors.js';
import { NetworkUplinks, type UplinkedNetwork } from '../../../src/control/network-uplinks.js';
import type { PlannedUplink } from '../../../src/control/plan.js';

/** An interface that goes and comes when it is told to. */
class Link {
  readonly name = 'eth0';
  planned: PlannedUplink | undefined;
  isThere = true;
  readonly closed: number[] = [];
  private next = 1;

  async open(): Promise<void> {
    if (!this.isThere) throw new PodwireError('INTERFACE_NOT_FOUND', 'no eth0');
    this.planned = { port: this.next++, name: this.name, mac: '02:00:00:00:00:01', mtu: 1500 };
  }

  isGone(): boolean {
    return this.planned !== undefined && !this.isThere;
  }

  withdraw(): () => Promise<void> {
    const { planned } = this;
    this.planned = undefined;
    return async () => {
      if (planned) this.closed.push(planned.port);
    };
  }
}

function world(): { link: Link; uplinks: NetworkUplinks; published: (number | undefined)[] } {
  const link = new Link();
  const published: (number | undefined)[] = [];
  const network: UplinkedNetwork = { name: 'lan', uplink: link };
  const uplinks = new NetworkUplinks({
    networks: () => [network, { name: 'default' }],
    log: pino({ level: 'silent' }),
    changed: async () => {
      published.push(link.planned?.port);
      expect(link.closed, 'closed before it was out of what is in force').not.toContain(link.planned?.port);
    },
  });
  return { link, uplinks, published };
}

it('closes an uplink whose interface is gone when it is out of what is in force, and opens it when it is back', async () => {
  const { link, uplinks, published } = world();
  expect([await uplinks.openAll(), await uplinks.openAll()]).toEqual([true, false]);
  link.isThere = false;
  await uplinks.down(1, 'ENODEV');
  expect([published, link.closed, uplinks.has(1)]).toEqual([[undefined], [1], false]);
  await uplinks.renew();
  link.isThere = true;
  await uplinks.renew();
  expect([published, link.closed, uplinks.has(2)]).toEqual([[undefined, 2], [1], true]);
});

it('finds out by itself that an interface is gone, where nobody has heard of it', async () => {
  const { link, uplinks, published } = world();
  await uplinks.openAll();
  expect(uplinks.needRenewal()).toBe(false);
  link.isThere = false;
  expect(uplinks.needRenewal()).toBe(true);
  await uplinks.renew();
  expect([published, link.closed]).toEqual([[undefined], [1]]);
});

it('has nothing to do with other ports', async () => {
  const { uplinks, published } = world();
  await uplinks.openAll();
  expect(uplinks.has(7)).toBe(false);
  await uplinks.down(7, 'ENODEV');
  expect(published).toEqual([]);
});
