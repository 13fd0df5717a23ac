/**
 * podwire0: the TAP through which the node itself is a neighbour of its pods. It lives in the daemon's namespace,
 * outlives the daemon, and is taken up again by the next one.
 *
 * Routes that podwire makes carry a protocol number of their own, so that those that are no longer wanted are
 * recognised, after a restart too, and others' are left alone.
 */

import { LinuxError } from '../../linux/errno.js';
import { closeFile } from '../../linux/libc.js';
import { currentNamespace } from '../../linux/netns.js';
import { familyOf } from '../cidr.js';
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
  const namespace = currentNamespace();
  try {
    const tap = takeNodeTap(namespace, nonBlocking);
    try {
      await configureInterface(namespace, { ...settings, ifname: NODE_IFNAME, gateways: [] });
      return tap;
    } catch (error) {
      closeTap(tap);
      throw error;
    }
  } finally {
    closeFile(namespace);
  }
}

function takeNodeTap(namespace: number, nonBlocking: boolean): Tap {
  try {
    return restoreTap(namespace, { ifname: NODE_IFNAME, nonBlocking });
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

interface LinkAddresses {
  readonly ifname: string;
  readonly mtu: number;
  readonly addr_info: readonly { readonly local?: string }[];
}

/** Bytes that a tunnel packet is longer than what it carries: VXLAN over IPv4 and over IPv6 (RFC 7348). */
const TUNNEL_OVERHEAD = { 4: 50, 6: 70 } as const;

/**
 * The MTU that leaves room for the tunnel on the interface with the underlay address.
 * @throws PodwireError INVALID where no interface has the address
 */
export async function tunnelMtu(underlay: string): Promise<number> {
  const links = await queryJson<LinkAddresses[]>(['address', 'show']);
  const link = links.find(({ addr_info }) => addr_info.some(({ local }) => local === underlay));
  if (!link) {
    throw new PodwireError('INVALID', `--underlay: no interface of this node has ${underlay}`, '--underlay');
  }
  return link.mtu - TUNNEL_OVERHEAD[familyOf(underlay)];
}
