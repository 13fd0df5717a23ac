import { fstatSync, openSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { PlannedPort } from '../../../src/control/plan.js';
import { Ports } from '../../../src/control/ports.js';
import type { Tap } from '../../../src/linux/tun.js';

/** A data plane that closes ports when it is told to. */
class Target {
  added: number[] = [];
  refuse = false;
  private readonly closing: (() => void)[] = [];

  async addPort({ id }: { id: number }): Promise<void> {
    if (this.refuse) throw new Error('refused');
    this.added.push(id);
  }

  addRaw(port: { id: number }): Promise<void> {
    return this.addPort(port);
  }

  removePort(): Promise<void> {
    return new Promise((resolve) => this.closing.push(resolve));
  }

  finishClosing(): void {
    for (const resolve of this.closing.splice(0)) resolve();
  }
}

function plan(name: string): Omit<PlannedPort, 'id'> {
  return { name, network: 'default', domain: 0, mac: '02:00:00:00:00:01', ips: [], mtu: 1500 };
}

function tap(fd = 1000): Tap {
  return { fd, name: 'eth0', index: 2, headerBytes: 12, offloads: 0 };
}

it('gives a number out again only when the port that had it is closed', async () => {
  const target = new Target();
  const ports = new Ports(target);
  const [a] = [await ports.add(plan('a'), tap()), await ports.add(plan('b'), tap())];
  const removed = ports.remove(a);
  expect((await ports.add(plan('c'), tap())).planned.id).toBe(2);
  target.finishClosing();
  await removed;
  expect((await ports.add(plan('d'), tap())).planned.id).toBe(0);
  expect(target.added).toEqual([0, 1, 2, 0]);
});

it('publishes what is enlisted', async () => {
  const ports = new Ports(new Target());
  const a = await ports.add(plan('a'), tap());
  expect(ports.planned()).toEqual([]);
  ports.enlist(a);
  expect(ports.planned()).toEqual([a.planned]);
  expect([ports.get('a'), ports.withId(0), ports.withId(1)]).toEqual([a, a, undefined]);
  ports.delist(a);
  expect(ports.planned()).toEqual([]);
});

it('closes the TAP and frees the number where the data plane refuses', async () => {
  const target = new Target();
  const ports = new Ports(target);
  target.refuse = true;
  const fd = openSync('/dev/null', 'r');
  await expect(ports.add(plan('a'), tap(fd))).rejects.toThrow('refused');
  expect(() => fstatSync(fd)).toThrow('EBADF');
  target.refuse = false;
  expect((await ports.add(plan('a'), tap())).planned.id).toBe(0);
});
