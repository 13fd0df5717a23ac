/**
 * What this process may do and what the kernel offers: the facts behind `podwire doctor` and behind error
 * texts. Nothing here throws for a missing privilege.
 */
import { accessSync, constants, existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { probeIoUring } from './io-uring.js';
import { TUN_DEVICE } from './tun-abi.js';

/** Bit numbers of linux/capability.h. */
export const Capability = {
  CAP_NET_ADMIN: 12,
  CAP_NET_RAW: 13,
  CAP_SYS_ADMIN: 21,
} as const;

export type CapabilityName = keyof typeof Capability;

export interface KernelReport {
  /** uname -r: '6.18.44'. */
  readonly kernelRelease: string;
  readonly capabilities: Readonly<Record<CapabilityName, boolean>>;
  readonly tun: TunReport;
  readonly ioUring: ReturnType<typeof probeIoUring>;
}

export interface TunReport {
  /** Whether the device node exists, and whether this process may open it. */
  readonly present: boolean;
  readonly accessible: boolean;
}

/** The calling thread's effective capabilities, from the CapEff line of /proc/thread-self/status. */
export function effectiveCapabilities(): Record<CapabilityName, boolean> {
  const bits = parseEffective(readFileSync('/proc/thread-self/status', 'utf8'));
  const has = (name: CapabilityName) => ((bits >> BigInt(Capability[name])) & 1n) === 1n;
  return {
    CAP_NET_ADMIN: has('CAP_NET_ADMIN'),
    CAP_NET_RAW: has('CAP_NET_RAW'),
    CAP_SYS_ADMIN: has('CAP_SYS_ADMIN'),
  };
}

/** The CapEff mask in a /proc status text; 0 when the line is missing. */
export function parseEffective(status: string): bigint {
  const hex = /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1];
  return hex === undefined ? 0n : BigInt(`0x${hex}`);
}

export function tunReport(): TunReport {
  return { present: existsSync(TUN_DEVICE), accessible: isAccessible(TUN_DEVICE) };
}

function isAccessible(path: string): boolean {
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Everything at once; makes and closes a small ring to know whether io_uring may be used. */
export function kernelReport(): KernelReport {
  return {
    kernelRelease: release(),
    capabilities: effectiveCapabilities(),
    tun: tunReport(),
    ioUring: probeIoUring(),
  };
}
