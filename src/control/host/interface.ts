/**
 * Gives a TAP its addresses and routes, from inside its network namespace. Written so that doing it again
 * changes nothing: it also repairs an interface that is taken up after a restart.
 */

import { formatIp, linkLocalOf, parseMac } from '../../wire/address.js';
import { type Family, familyOf } from '../cidr.js';
import { type ForeignDefaults, foreignDefaults } from './default-routes.js';
import { inside } from './inside.js';
import { runBatch } from './iproute2.js';
import { MOST_GSO } from './segment-limit.js';
import { ipv6Disabled, kernelHasIpv6, prepareIpv6 } from './sysctl.js';

export interface InterfaceSettings {
  readonly ifname: string;
  readonly mac: string;
  readonly mtu: number;
  /** Largest packet that its kernel leaves uncut, bytes: segment-limit.ts. Default: the kernel's own. */
  readonly gsoMaxSize?: number;
  /** With prefix length: `10.244.0.3/24`. */
  readonly addresses: readonly string[];
  /** Default routes lead to them. */
  readonly gateways: readonly string[];
}

export interface Configured {
  /** Families whose default route belongs to another interface of the namespace and was left alone. */
  readonly foreignDefaults: readonly Family[];
}

/**
 * @param namespace descriptor of the network namespace; undefined: the daemon's own.
 * @throws PodwireError IPROUTE2_FAILED, IPROUTE2_MISSING
 */
export async function configureInterface(
  namespace: number | undefined,
  settings: InterfaceSettings,
): Promise<Configured> {
  const { ipv6, foreign } = inside(namespace, () => prepare(settings));
  await runBatch(interfaceCommands(settings, ipv6, foreign), namespace);
  const families = settings.gateways.map(familyOf);
  return { foreignDefaults: families.filter((family) => foreign[family]) };
}

function prepare({ ifname, addresses }: InterfaceSettings): { ipv6: boolean; foreign: ForeignDefaults } {
  const wanted = addresses.some((address) => familyOf(address) === 6);
  const ipv6 = kernelHasIpv6() && (wanted || !ipv6Disabled(ifname));
  if (ipv6) prepareIpv6(ifname);
  return { ipv6, foreign: foreignDefaults(ifname) };
}

/** @param ipv6 whether the interface gets a link-local address of IPv6, as every interface with IPv6 must. */
export function interfaceCommands(
  { ifname, mac, mtu, gsoMaxSize = MOST_GSO, addresses, gateways }: InterfaceSettings,
  ipv6: boolean,
  foreign: ForeignDefaults,
): string[] {
  const linkLocal = `${formatIp({ family: 6, words: linkLocalOf(parseMac(mac)) })}/64`;
  return [
    'link set dev lo up',
    `link set dev ${ifname} address ${mac} mtu ${mtu} gso_max_size ${gsoMaxSize}`,
    ...(ipv6 ? [`link set dev ${ifname} addrgenmode none`] : []),
    ...addresses.map((address) => addressCommand(ifname, address)),
    ...(ipv6 ? [`${addressCommand(ifname, linkLocal)} scope link`] : []),
    `link set dev ${ifname} up`,
    ...gateways
      .filter((gateway) => !foreign[familyOf(gateway)])
      .map((gateway) => `route replace default via ${gateway} dev ${ifname}`),
  ];
}

function addressCommand(ifname: string, address: string): string {
  return `address replace ${address} dev ${ifname}${familyOf(address) === 6 ? ' nodad' : ''}`;
}
