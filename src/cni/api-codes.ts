/**
 * The daemon's error codes (docs/errors.md) as codes of CNI. What passes by itself is TRY_AGAIN_LATER: a daemon that
 * starts or stops, a store that is away, addresses that return when containers end. What the operator has written is
 * INVALID_CONFIG. Codes that are not listed are FAILED.
 */
import type { ErrorCode } from '../control/errors.js';
import { type CniCodeName, CniError } from './errors.js';

const CODES: Readonly<Partial<Record<ErrorCode, CniCodeName>>> = {
  INVALID: 'INVALID_CONFIG',
  UNSUPPORTED: 'UNSUPPORTED_FIELD',
  NOT_FOUND: 'INVALID_CONFIG',
  CIDR_OVERLAP: 'INVALID_CONFIG',
  // The namespace: nothing was made in it, so there is nothing to clean up
  NETNS_NOT_FOUND: 'UNKNOWN_CONTAINER',
  NETNS_INVALID: 'INVALID_ENVIRONMENT',
  NETNS_FORBIDDEN: 'INVALID_ENVIRONMENT',
  INTERFACE_NAME_INVALID: 'INVALID_ENVIRONMENT',
  // What is there already
  CONFLICT: 'CONFLICT',
  ALREADY_ATTACHED: 'CONFLICT',
  ADDRESS_IN_USE: 'CONFLICT',
  MAC_IN_USE: 'CONFLICT',
  PORT_IN_USE: 'CONFLICT',
  INTERFACE_EXISTS: 'CONFLICT',
  INTERFACE_BUSY: 'CONFLICT',
  INTERFACE_NOT_TAP: 'CONFLICT',
  NETWORK_FULL: 'CONFLICT',
  // What passes
  ADDRESS_EXHAUSTED: 'TRY_AGAIN_LATER',
  PORTS_EXHAUSTED: 'TRY_AGAIN_LATER',
  STOPPING: 'TRY_AGAIN_LATER',
  STORE_UNREACHABLE: 'TRY_AGAIN_LATER',
  LEASE_EXPIRED: 'TRY_AGAIN_LATER',
  // CHECK
  CNI_CHECK_FAILED: 'CHECK_FAILED',
  // Not a daemon that knows CNI
  UNAUTHORIZED: 'NO_DAEMON',
  METHOD_NOT_ALLOWED: 'NO_DAEMON',
};

/** The environment variables behind fields of the API's requests. */
const VARIABLES: Readonly<Record<string, string>> = {
  containerId: 'CNI_CONTAINERID',
  ifname: 'CNI_IFNAME',
  netns: 'CNI_NETNS',
};

const BY_CODE: Readonly<Record<string, string>> = {
  NETNS_NOT_FOUND: 'CNI_NETNS',
  NETNS_INVALID: 'CNI_NETNS',
  NETNS_FORBIDDEN: 'CNI_NETNS',
  INTERFACE_NAME_INVALID: 'CNI_IFNAME',
};

/** What the daemon refused, in the words of CNI. */
export function asCniError(code: string, message: string, field?: string): CniError {
  const variable = VARIABLES[field ?? ''] ?? BY_CODE[code];
  const name = CODES[code as ErrorCode] ?? 'FAILED';
  if (variable === undefined) return new CniError(name, message, code);
  const isWrongValue = name === 'INVALID_CONFIG';
  return new CniError(isWrongValue ? 'INVALID_ENVIRONMENT' : name, `${variable}: ${message}`, code);
}
