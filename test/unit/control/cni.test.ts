/** In which order the commands for a container are done; what they do is under test with a daemon. */
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { CniAddRequest } from '../../../src/control/api/cni-types.js';
import { Cni } from '../../../src/control/cni.js';
import { KeyedLock } from '../../../src/control/keyed-lock.js';

/** Attaches take until they are told to end, and each leaves nothing. */
function world(): { cni: Cni; done: string[]; attaching: (() => void)[] } {
  const done: string[] = [];
  const attaching: (() => void)[] = [];
  const unused = (): never => {
    throw new Error('not asked for here');
  };
  const cni = new Cni({
    pods: {
      attach: async (_namespace, _name, _request, container) => {
        await new Promise<void>((resolve) => attaching.push(resolve));
        done.push(`added ${container?.id}`);
        throw new Error('there is nothing to describe');
      },
      dnsOf: unused,
      ofContainer: unused,
      releaseContainers: async () => {
        done.push('released');
        return [];
      },
    },
    networks: { get: unused },
    attacher: { gatewaysOf: unused, isPortless: unused, isUp: unused, prefixedIps: unused },
    lock: new KeyedLock(),
    checkHeld: unused,
    checkWritable: unused,
  });
  return { cni, done, attaching };
}

function request(containerId: string): CniAddRequest {
  return { containerId, config: 'net', ifname: 'eth0', netns: '/run/netns/none' };
}

it('releases with DEL what an ADD is just making, once it is made', async () => {
  const { cni, done, attaching } = world();
  const added = cni.add(request('a')).catch(() => {});
  await turn();
  const released = cni.del(request('a'));
  await turn();
  expect(done).toEqual([]);
  attaching[0]();
  await Promise.all([added, released]);
  expect(done).toEqual(['added a', 'released']);
});

it('has no container wait for another', async () => {
  const { cni, done, attaching } = world();
  const added = cni.add(request('a')).catch(() => {});
  await turn();
  await cni.del(request('b'));
  expect(done).toEqual(['released']);
  attaching[0]();
  await added;
});
