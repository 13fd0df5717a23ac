/** What the demo needs, looked at before anything is made: one clear error for what is missing. */
import { effectiveCapabilities, tunReport } from '../../linux/capabilities.js';
import { CliError, failure } from '../errors.js';
import { programName } from '../program-name.js';
import { hasIproute2 } from './namespaces.js';

/** Throws CliError PRIVILEGE, IPROUTE2_MISSING, TUN_UNAVAILABLE or TUN_FORBIDDEN. */
export function checkPrerequisites(): void {
  checkCapabilities();
  checkTun();
  if (hasIproute2()) return;
  throw new CliError(
    'IPROUTE2_MISSING',
    "the program 'ip' is missing; install iproute2 (apt install iproute2, dnf install iproute, apk add iproute2)",
  );
}

function checkCapabilities(): void {
  const missing = Object.entries(effectiveCapabilities())
    .filter(([, has]) => !has)
    .map(([name]) => name);
  if (missing.length === 0) return;
  const wayOut = tunReport().accessible ? `, or without root: ${inUserNamespace()}` : '';
  throw failure(
    'PRIVILEGE',
    `the demo makes network namespaces and TAP devices and lacks ${missing.join(', ')}; ` +
      `run it as root: sudo env "PATH=$PATH" ${programName()} demo (in a container: docker run --privileged)${wayOut}`,
  );
}

/** Where anybody may open /dev/net/tun, a user namespace gives what is needed; /run is where `ip netns` writes. */
function inUserNamespace(): string {
  const script = `mount -t tmpfs none /run && ${programName()} demo`;
  return `unshare --user --map-root-user --net --mount sh -c '${script}'`;
}

function checkTun(): void {
  const { present, accessible } = tunReport();
  if (!present) {
    throw new CliError(
      'TUN_UNAVAILABLE',
      '/dev/net/tun is missing; load the driver with modprobe tun (in a container: --device /dev/net/tun)',
    );
  }
  if (!accessible) {
    throw new CliError(
      'TUN_FORBIDDEN',
      '/dev/net/tun may not be opened for reading and writing; run as root',
    );
  }
}
