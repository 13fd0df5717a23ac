/**
 * Errors that people and scripts see: each has a stable code, an HTTP status and a meaning.
 *
 * The API answers them as `{ "error": { "code", "message", "field"? } }`, the command line prints
 * `error: CODE: message`. A code is never renamed; docs/errors.md is this table. Conditions that the kernel
 * layer finds (LinuxError) keep their codes on the way out.
 */
import { LinuxError, SystemError } from '../linux/errno.js';

const TABLE = {
  // What was asked for
  INVALID: [400, 'a field is missing, unknown or holds a value that cannot be; the message names it'],
  UNSUPPORTED: [400, 'a real thing that this version of podwire does not do; the message names it'],
  BODY_INVALID: [400, 'the body of the request is not JSON'],
  BODY_TOO_LARGE: [413, 'the body of the request is larger than 1 MiB'],
  METHOD_NOT_ALLOWED: [405, 'the path exists, but not with this method'],
  NOT_FOUND: [404, 'there is no such resource, or no such path'],
  REPLAY_STATE: [400, 'the state is one that a capture cannot be replayed in'],
  CNI_CHECK_FAILED: [409, 'the interface is not as it was attached: CNI CHECK says what differs'],
  // What stands against it
  CONFLICT: [409, 'the resource has changed since the given resourceVersion: read it again'],
  ALREADY_ATTACHED: [409, 'the pod is attached in another way than is asked for: detach it first'],
  PROTECTED: [409, 'the resource belongs to the daemon and cannot be changed or deleted'],
  NETWORK_IN_USE: [409, 'pods are attached to the network: detach them first'],
  NETWORK_FULL: [409, 'a direct network connects two pods, and it has them'],
  MAC_IN_USE: [409, 'the MAC address belongs to another pod of the network, or to the switch'],
  ADDRESS_IN_USE: [409, 'the address belongs to another pod or service, to the node or to the switch'],
  ADDRESS_EXHAUSTED: [409, 'every address of the network, or of the service prefix, is taken'],
  CIDR_OVERLAP: [409, 'the prefix overlaps one that another network or the node uses'],
  PARENT_IN_USE: [409, 'another raw network has this VLAN of the interface, or its untagged frames'],
  PORTS_EXHAUSTED: [409, 'the switch has no free port'],
  NETWORKS_EXHAUSTED: [409, 'the switch has no free bridge domain'],
  IMPAIRMENTS_EXHAUSTED: [409, 'a pod has as many impairments in a direction as there can be'],
  REVISION_TOO_OLD: [410, 'changes since that revision are no longer kept: list again and watch from there'],
  LEASE_EXPIRED: [409, 'the lease has ended: its keys are deleted'],
  SUBNET_TAKEN: [409, 'the subnet, or a part of it, belongs to another node'],
  VNI_IN_USE: [409, 'the VXLAN network identifier belongs to another network'],
  SUBNETS_EXHAUSTED: [409, 'every subnet of the cluster CIDR is taken or in quarantine'],
  PORT_IN_USE: [409, 'the port of the address, or of the node, belongs to another service, pod or program'],
  NODE_PORTS_EXHAUSTED: [409, 'every node port is taken'],
  // Who asks
  UNAUTHORIZED: [401, 'the bearer token or client certificate is missing or wrong'],
  // The cluster
  STORE_UNREACHABLE: [503, 'the cluster store does not answer; forwarding goes on with what is known'],
  CLUSTER_MISMATCH: [409, 'this node’s options do not fit those of the cluster'],
  NODE_NAME_TAKEN: [409, 'another node of the cluster has this name'],
  TLS_FAILED: [500, 'certificate, key or CA cannot be read, do not fit, or have expired'],
  LISTEN_FAILED: [500, 'the API cannot listen on the TCP address'],
  DNS_LISTEN_FAILED: [500, 'the DNS server cannot listen on its address'],
  TUNNEL_FAILED: [500, 'the tunnel’s UDP port cannot be opened'],
  // The host
  SOCKET_IN_USE: [500, 'another process answers on the API socket'],
  SOCKET_FAILED: [500, 'the API socket cannot be made'],
  STORE_FAILED: [500, 'the state in the data directory cannot be read or written'],
  DATA_DIR_FAILED: [500, 'the data directory cannot be made or written to'],
  STATE_MISMATCH: [500, 'the state in the data directory belongs to other options'],
  IPROUTE2_MISSING: [500, 'the program ip of iproute2 is not installed'],
  IPROUTE2_FAILED: [500, 'ip refused a command; the message has its words'],
  NFT_MISSING: [500, 'the program nft of nftables is not installed'],
  NFT_FAILED: [500, 'nft refused a command; the message has its words'],
  HOST_FAILED: [500, 'the host could not be configured'],
  DATAPLANE_FAILED: [500, 'the dataplane worker ended unexpectedly or could not start'],
  STOPPING: [503, 'the daemon is stopping'],
  INTERNAL: [500, 'a fault in podwire; the daemon’s log has the details'],
  // From src/linux
  LIBC_UNAVAILABLE: [500, 'the C library could not be loaded'],
  IO_URING_UNAVAILABLE: [500, 'the kernel has no io_uring, or forbids it'],
  DATA_DIR_IN_USE: [500, 'another daemon uses the data directory'],
  NETNS_NOT_FOUND: [404, 'there is no such network namespace'],
  NETNS_INVALID: [400, 'the path is not a network namespace'],
  NETNS_FORBIDDEN: [403, 'the network namespace may not be entered'],
  TUN_UNAVAILABLE: [500, '/dev/net/tun is missing'],
  TUN_FORBIDDEN: [500, 'TAP devices may not be made: CAP_NET_ADMIN is missing'],
  INTERFACE_NAME_INVALID: [400, 'not a possible name of an interface'],
  INTERFACE_EXISTS: [409, 'the namespace already has an interface of that name'],
  INTERFACE_NOT_FOUND: [404, 'the namespace has no such interface'],
  INTERFACE_BUSY: [409, 'the TAP is held by another process'],
  INTERFACE_NOT_TAP: [409, 'the interface is not a TAP of podwire’s kind'],
  INTERFACE_NOT_ETHERNET: [400, 'the interface carries no Ethernet frames: loopback, a tunnel, or the like'],
  INTERFACE_DOWN: [409, 'the interface is down'],
  PACKET_SOCKET_FORBIDDEN: [403, 'packet sockets may not be made: CAP_NET_RAW or CAP_NET_ADMIN is missing'],
} as const satisfies Record<string, readonly [number, string]>;

export type ErrorCode = keyof typeof TABLE;

/** Every code with its HTTP status and meaning, in the order of the documentation. */
export const ERROR_CODES: readonly { code: ErrorCode; status: number; meaning: string }[] = Object.entries(
  TABLE,
).map(([code, [status, meaning]]) => ({ code: code as ErrorCode, status, meaning }));

export class PodwireError extends Error {
  readonly status: number;

  /** @param field path of the offending field, as in `spec.mode`; part of the message already. */
  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly field?: string,
    cause?: unknown,
  ) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'PodwireError';
    this.status = TABLE[code][0];
  }
}

/**
 * Any thrown value as a PodwireError; what is neither podwire's, the kernel layer's nor the data plane's is
 * INTERNAL. The data plane's errors are known by name, so that a client need not load the data plane.
 */
export function asPodwireError(error: unknown): PodwireError {
  if (error instanceof PodwireError) return error;
  const text = error instanceof Error ? error.message : String(error);
  if (error instanceof LinuxError) return new PodwireError(error.code, text, undefined, error);
  if (error instanceof SystemError) return new PodwireError('HOST_FAILED', text, undefined, error);
  if (error instanceof Error && error.name === 'DataplaneError' && 'code' in error) {
    return new PodwireError(
      isErrorCode(error.code) ? error.code : 'DATAPLANE_FAILED',
      text,
      undefined,
      error,
    );
  }
  return new PodwireError('INTERNAL', text, undefined, error);
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(TABLE, code);
}

/** A wrong value of a field: `invalid('spec.mtu', 'must be …')`. */
export function invalid(field: string, problem: string): PodwireError {
  return new PodwireError('INVALID', `${field}: ${problem}`, field);
}

/** Something real that podwire does not do. */
export function unsupported(field: string, problem: string): PodwireError {
  return new PodwireError('UNSUPPORTED', `${field}: ${problem}`, field);
}
