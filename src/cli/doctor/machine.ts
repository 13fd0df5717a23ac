/** The machine: Node, the kernel, what this process may do, TUN/TAP and io_uring. */
import { execFileSync } from 'node:child_process';
import { release } from 'node:os';
import { effectiveCapabilities, tunReport } from '../../linux/capabilities.js';
import { probeIoUring } from '../../linux/io-uring.js';
import { libc } from '../../linux/libc.js';
import { type Finding, failed, ok, warning } from './finding.js';

/** Node versions that the API server has binaries for, with their first good minor. */
const NODE_VERSIONS = new Map([
  [20, 19],
  [22, 12],
]);

/** From here on io_uring has all that podwire uses (deferred task work). */
const GOOD_KERNEL = [6, 1] as const;

export function nodeVersion(version = process.versions.node): Finding {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const least = NODE_VERSIONS.get(major);
  if (least !== undefined && minor >= least) return ok('Node.js', version);
  return failed('Node.js', version, 'use Node.js 22.12 or later of 22, or 20.19 or later of 20');
}

export function kernel(version = release()): Finding {
  const name = 'Linux';
  if (process.platform !== 'linux') return failed(name, process.platform, 'podwire runs on Linux only');
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  const found = `${version}, ${process.arch}`;
  if (major > GOOD_KERNEL[0] || (major === GOOD_KERNEL[0] && minor >= GOOD_KERNEL[1])) return ok(name, found);
  return warning(
    name,
    found,
    `packets go faster from Linux ${GOOD_KERNEL.join('.')} on; before, poll may be used`,
  );
}

export function kernelCalls(): Finding {
  const name = 'kernel calls';
  try {
    libc();
    return ok(name, 'koffi reaches the C library');
  } catch (error) {
    return failed(name, (error as Error).message, 'install podwire for this platform: npm ci');
  }
}

export function privileges(): Finding {
  const capabilities = effectiveCapabilities();
  const missing = Object.entries(capabilities).flatMap(([name, has]) => (has ? [] : [name]));
  const needed = missing.filter((name) => name !== 'CAP_NET_RAW');
  if (needed.length > 0) {
    return failed('privileges', `${needed.join(' and ')} missing`, 'run as root: sudo podwire …');
  }
  if (missing.length === 0) return ok('privileges', Object.keys(capabilities).join(', '));
  return warning(
    'privileges',
    'CAP_NET_RAW missing',
    'echo requests need it: the path MTU to other nodes is not looked for, and the demo does not run',
  );
}

export function tunDevice(): Finding {
  const name = '/dev/net/tun';
  const { present, accessible } = tunReport();
  if (!present) return failed(name, 'missing', 'modprobe tun; in a container: --device /dev/net/tun');
  if (!accessible)
    return failed(name, 'may not be opened', 'run as root, or give the user read and write access');
  return ok(name, 'can be opened');
}

export function ioUring(): Finding {
  const probe = probeIoUring();
  if (probe.available) return ok('io_uring', 'available; the daemon uses it unless told --io poll');
  return warning(
    'io_uring',
    `not available: ${probe.reason}`,
    'the daemon uses poll instead, which forwards fewer packets a second',
  );
}

export function iproute2(): Finding {
  const name = 'iproute2';
  try {
    return ok(name, execFileSync('ip', ['-V'], { encoding: 'utf8' }).trim());
  } catch {
    return failed(name, 'the program ip is missing', 'install iproute2 (apt install iproute2)');
  }
}
