/**
 * podwire0: the TAP through which the node itself is a neighbour of its pods. It lives in the daemon's namespace,
 * outlives the daemon, and is taken up again by the next one.
 *
 * Routes that podwire makes carry a protocol number of their own, so that those that are no longer wanted are
 * recognised, after a restart too, and others' are left alone.
 */

import { LinuxError } from '../../linux/errno.js';
import { PodwireError } from '../errors.js';
import { configureInterface, type InterfaceSettings } from './interface.js';
import { queryJson, runBatch } from './iproute2.js';
import { closeTap, restoreTap, type Tap } from './tap.js';

export const NODE_IFNAME = 'podwire0';

/** rtm_protocol, of the numbers that linux/rtnetlink.h leaves to user space. */
const ROUTE_PROTOCOL = 112;

export interface NodeRoute {
  readonly cidr: string;
  /** The switch's address, of the same family. */
  readonly gateway: string;
}

/** @throws PodwireError, LinuxError INTERFACE_BUSY where another daemon has it */
export async function openNodeInterface(
  settings: Omit<InterfaceSettings, 'ifname' | 'gateways'>,
  nonBlocking: boolean,
): Promise<Tap> {
  const tap = takeNodeTap(nonBlocking);
  try {
    await removeStrangers(settings.addresses);
    await configureInterface(undefined, { ...settings, ifname: NODE_IFNAME, gateways: [] });
    return tap;
  } catch (error) {
    closeTap(tap);
    throw error;
  }
}

/** Addresses that an earlier daemon gave it and that are not the node's any more. */
async function removeStrangers(wanted: readonly string[]): Promise<void> {
  type Link = { readonly addr_info?: readonly { local?: string; prefixlen?: number; scope?: string }[] };
  const links = await queryJson<Link[]>(['address', 'show', 'dev', NODE_IFNAME]);
  const present = links.flatMap(({ addr_info = [] }) =>
    addr_info.flatMap(({ local, prefixlen, scope }) => (scope === 'global' ? [`${local}/${prefixlen}`] : [])),
  );
  const strangers = present.filter((address) => !wanted.includes(address));
  await runBatch(strangers.map((address) => `address del ${address} dev ${NODE_IFNAME}`));
}

/** @throws PodwireError INTERFACE_BUSY, LinuxError */
export function takeNodeTap(nonBlocking: boolean): Tap {
  try {
    return restoreTap(undefined, { ifname: NODE_IFNAME, nonBlocking });
  } catch (error) {
    if (!(error instanceof LinuxError)) throw error;
    if (error.code === 'INTERFACE_BUSY') {
      throw new PodwireError(
        'INTERFACE_BUSY',
        `${NODE_IFNAME} is held by another process: a podwire daemon already runs in this network namespace`,
        undefined,
        error,
      );
    }
    throw error;
  }
}

/** Makes the node's routes through podwire0 these and no others. */
export async function setNodeRoutes(routes: readonly NodeRoute[]): Promise<void> {
  const present = (await Promise.all([presentRoutes('-4'), presentRoutes('-6')])).flat();
  const wanted = routes.map(({ cidr }) => cidr);
  await runBatch([
    ...present.filter((cidr) => !wanted.includes(cidr)).map((cidr) => `route del ${routeText(cidr)}`),
    ...routes
      .filter(({ cidr }) => !present.includes(cidr))
      .map(
        ({ cidr, gateway }) => `route add ${cidr} via ${gateway} dev ${NODE_IFNAME} proto ${ROUTE_PROTOCOL}`,
      ),
  ]);
}

async function presentRoutes(family: '-4' | '-6'): Promise<string[]> {
  const filter = ['dev', NODE_IFNAME, 'proto', String(ROUTE_PROTOCOL)];
  const routes = await queryJson<{ dst: string }[]>([family, 'route', 'show', ...filter]);
  return routes.map(({ dst }) => dst);
}

function routeText(cidr: string): string {
  return `${cidr} dev ${NODE_IFNAME} proto ${ROUTE_PROTOCOL}`;
}
