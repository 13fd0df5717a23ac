/** Why container runtimes cannot run here. Tests skip then, and print the reason. */
import { missingPrograms } from '../../support/netns-programs.js';
import { missingForDaemon } from '../daemon-support.js';
import { cniMissing } from './cni-folders.js';
import { imageMissing } from './image.js';

type Runtime = 'podman' | 'containerd';

/** What each one calls by itself; iptables is what the portmap plugin asks, nft what podwire does. */
const PROGRAMS: Record<Runtime, readonly string[]> = {
  podman: ['podman', 'conmon', 'runc', 'iptables'],
  containerd: ['containerd', 'containerd-shim-runc-v2', 'ctr', 'runc', 'iptables'],
};

/** The first thing that is missing, or undefined. */
export function missingForRuntimes(...runtimes: Runtime[]): string | undefined {
  const program = missingPrograms('tar', 'curl', 'nft', ...runtimes.flatMap((runtime) => PROGRAMS[runtime]));
  return missingForDaemon() ?? program ?? cniMissing() ?? imageMissing();
}
