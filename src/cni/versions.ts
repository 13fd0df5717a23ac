/**
 * The versions of the CNI specification that the plugin speaks, and what differs between them:
 *
 *   0.3.0  interfaces, ips (with their IP version), routes, dns     0.3.1  DEL may come twice
 *   0.4.0  CHECK, and the last result goes into CHECK and DEL
 *   1.0.0  ips no longer say their IP version
 *   1.1.0  STATUS, GC; interfaces have an MTU, routes more fields
 */
import { CniError } from './errors.js';

export const SUPPORTED_VERSIONS = ['0.3.0', '0.3.1', '0.4.0', '1.0.0', '1.1.0'] as const;

export type CniVersion = (typeof SUPPORTED_VERSIONS)[number];

export const NEWEST: CniVersion = '1.1.0';

/** What a configuration without `cniVersion` is, as the reference library reads it. */
const UNSAID = '0.1.0';

export function isSupported(version: unknown): version is CniVersion {
  return (SUPPORTED_VERSIONS as readonly unknown[]).includes(version);
}

/** @throws CniError 1 where it is a version that is not spoken here, 6 where it is none. */
export function decodeVersion(value: unknown): CniVersion {
  if (isSupported(value)) return value;
  if (value === undefined || value === null || value === '') {
    throw incompatible(`the configuration has no cniVersion, which means ${UNSAID}`);
  }
  if (typeof value !== 'string' || !/^\d+\.\d+\.\d+/.test(value)) {
    throw new CniError(
      'DECODING_FAILURE',
      `cniVersion: ${JSON.stringify(value)} is not a version such as ${NEWEST}`,
    );
  }
  throw incompatible(`the configuration is of CNI ${value}`);
}

/** Whether `version` is `least` or later. */
export function isAtLeast(version: CniVersion, least: CniVersion): boolean {
  return SUPPORTED_VERSIONS.indexOf(version) >= SUPPORTED_VERSIONS.indexOf(least);
}

/** @throws CniError 1 where the command came later than the configuration's version. */
export function requireVersion(command: string, version: CniVersion, least: CniVersion): void {
  if (isAtLeast(version, least)) return;
  throw new CniError(
    'INCOMPATIBLE_VERSION',
    `${command} came with CNI ${least}, and the configuration is of ${version}; raise its cniVersion`,
  );
}

function incompatible(finding: string): CniError {
  return new CniError(
    'INCOMPATIBLE_VERSION',
    `${finding}; podwire-cni speaks ${SUPPORTED_VERSIONS.join(', ')}: set cniVersion to one of them`,
  );
}
