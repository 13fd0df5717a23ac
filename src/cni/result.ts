/**
 * Results (CNI specification 1.1, section 5, ADD Success): the interface that podwire has made, behind those of the
 * plugins before it in the chain. Until 0.4.0 each address says its IP version; an MTU of interfaces, more fields of
 * routes and the like came with 1.1.0 and are left out before.
 */
import { isIP } from 'node:net';
import type { CniAddAnswer } from '../control/api/cni-types.js';
import type { Dns } from './config.js';
import { CniError, invalidConfig } from './errors.js';
import { type Json, readCount, readObject, readObjects, readString } from './shape.js';
import { type CniVersion, isAtLeast, isSupported } from './versions.js';

/** A result as it came or as it is printed; entries keep what other plugins have put into them. */
export interface Result {
  readonly interfaces: readonly Json[];
  readonly ips: readonly Json[];
  readonly routes: readonly Json[];
  readonly dns: Dns;
}

/** What is in entries of 1.1.0 only. */
const NEW_OF_INTERFACES = ['mtu', 'socketPath', 'pciID'];
const LOOPBACK = 'lo';
const NEW_OF_ROUTES = ['mtu', 'advmss', 'priority', 'table', 'scope'];

/** Undefined where there is none. @throws CniError 1 where its version is not spoken here, 7 where it is no result. */
export function readPrevious({ prevResult }: Json): Result | undefined {
  if (prevResult === undefined || prevResult === null) return undefined;
  const result = readObject(prevResult, 'prevResult');
  const { cniVersion = '' } = result;
  const isOld = 'ip4' in result || 'ip6' in result;
  if (isOld || (cniVersion !== '' && !isSupported(cniVersion)))
    throw foreign(isOld ? '0.2.0 or older' : cniVersion);
  const interfaces = readObjects(result.interfaces, 'prevResult.interfaces');
  const ips = readObjects(result.ips, 'prevResult.ips');
  for (const [index, ip] of ips.entries()) checkIp(ip, `prevResult.ips[${index}]`, interfaces.length);
  const routes = readObjects(result.routes, 'prevResult.routes');
  return { interfaces, ips, routes, dns: readObject(result.dns, 'prevResult.dns') as Dns };
}

/** What ADD answers. @param sandbox CNI_NETNS as it came */
export function resultOf(answer: CniAddAnswer, sandbox: string, dns: Dns, previous?: Result): Result {
  const { ifname: name, mac, mtu } = answer;
  const interfaces = previous?.interfaces ?? [];
  const ips = answer.ips.map(({ address, gateway }) => ({
    interface: interfaces.length,
    address,
    ...(gateway !== undefined && { gateway }),
  }));
  return {
    interfaces: [...interfaces, { name, mac, mtu, sandbox }],
    ips: [...(previous?.ips ?? []), ...ips],
    routes: [...(previous?.routes ?? []), ...answer.routes],
    dns: [dns, previous?.dns, answer.dns].find((one) => one && hasEntries(one)) ?? {},
  };
}

/** As it is printed. */
export function worded(result: Result, version: CniVersion): Json {
  const isNew = isAtLeast(version, '1.1.0');
  const older = (entries: readonly Json[], keys: readonly string[]) =>
    isNew ? entries : entries.map((entry) => without(entry, keys));
  return {
    cniVersion: version,
    interfaces: older(result.interfaces, NEW_OF_INTERFACES),
    ips: result.ips.map((ip) => wordedIp(ip, version)),
    routes: older(result.routes, NEW_OF_ROUTES),
    dns: Object.fromEntries(Object.entries(result.dns).filter(([, value]) => isFilled(value))),
  };
}

/**
 * The addresses and the MAC address that the last result says of an interface in a container. In a network of mode none it
 * is the loopback, by whichever name ADD was called.
 * @throws CniError 102
 */
export function expectedOf(result: Result, ifname: string): { ips: string[]; mac?: string } {
  const { interfaces, ips } = result;
  const index = indexInContainer(result, ifname) ?? indexInContainer(result, LOOPBACK);
  if (index === undefined) {
    throw new CniError(
      'CHECK_FAILED',
      `prevResult has no interface ${ifname} in a container; ADD answered one`,
    );
  }
  const { mac } = interfaces[index];
  return {
    ips: ips.filter((ip) => ip.interface === index).map(({ address }) => String(address)),
    ...(typeof mac === 'string' && mac !== '' && { mac: mac.toLowerCase() }),
  };
}

function indexInContainer({ interfaces }: Result, ifname: string): number | undefined {
  const isInside = (sandbox: unknown) => sandbox !== undefined && sandbox !== '';
  const index = interfaces.findIndex(({ name, sandbox }) => name === ifname && isInside(sandbox));
  return index < 0 ? undefined : index;
}

function checkIp(ip: Json, key: string, interfaces: number): void {
  const address = readString(ip.address, `${key}.address`) ?? '';
  if (isIP(address.split('/')[0]) === 0)
    throw invalidConfig(`${key}.address`, `'${address}' is not an address`);
  // Some plugins say -1 for none
  if (ip.interface === undefined || ip.interface === null || ip.interface === -1) return;
  if (readCount(ip.interface, `${key}.interface`) < interfaces) return;
  throw invalidConfig(`${key}.interface`, `there are ${interfaces} interfaces`);
}

function wordedIp({ version: _, ...ip }: Json, version: CniVersion): Json {
  if (isAtLeast(version, '1.0.0')) return ip;
  const family = isIP(String(ip.address).split('/')[0]);
  return { version: String(family), ...ip };
}

function without(entry: Json, keys: readonly string[]): Json {
  return Object.fromEntries(Object.entries(entry).filter(([key]) => !keys.includes(key)));
}

function hasEntries(dns: Dns): boolean {
  return Object.values(dns).some(isFilled);
}

function isFilled(value: unknown): boolean {
  return (typeof value === 'string' || Array.isArray(value)) && value.length > 0;
}

function foreign(version: unknown): CniError {
  return new CniError(
    'INCOMPATIBLE_VERSION',
    `prevResult: a result of CNI ${String(version)} has another form; runtimes convert it to the configuration's version`,
  );
}
