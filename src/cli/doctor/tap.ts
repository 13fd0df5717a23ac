/** What the kernel really grants a TAP: one is opened in a namespace that is made and removed for it. */
import { execFileSync } from 'node:child_process';
import { effectiveCapabilities, tunReport } from '../../linux/capabilities.js';
import { withNamespace } from '../../linux/netns.js';
import { ALL_OFFLOADS, closeTap, openTap, TunOffload } from '../../linux/tun.js';
import { type Finding, failed, ok, warning } from './finding.js';

const NAME = 'TAP offloads';

export function tapOffloads(): Finding {
  if (!canTry()) {
    return warning(NAME, 'not looked at: it takes a TAP to know', 'run the doctor as root, with iproute2');
  }
  try {
    return judge(offloadsOfNewTap());
  } catch (error) {
    return failed(NAME, (error as Error).message, 'without TAP devices podwire cannot give pods interfaces');
  }
}

function judge(granted: number): Finding {
  if (granted === ALL_OFFLOADS) return ok(NAME, names(granted));
  if ((granted & TunOffload.TUN_F_TSO4) !== 0) {
    return warning(NAME, names(granted), 'Linux 6.2 and later grant all; large UDP sends are slower without');
  }
  return warning(NAME, names(granted) || 'none', 'every packet is at most the MTU: TCP is much slower so');
}

/** `TUN_F_TSO4` is called TSO4. */
function names(granted: number): string {
  return Object.entries(TunOffload)
    .filter(([, bit]) => (granted & bit) !== 0)
    .map(([name]) => name.replace('TUN_F_', ''))
    .join(', ');
}

function canTry(): boolean {
  const { CAP_NET_ADMIN, CAP_SYS_ADMIN } = effectiveCapabilities();
  return CAP_NET_ADMIN && CAP_SYS_ADMIN && tunReport().accessible;
}

function offloadsOfNewTap(): number {
  const namespace = `podwire-doctor-${process.pid}`;
  ip('netns', 'add', namespace);
  try {
    return withNamespace(namespace, () => {
      const tap = openTap({ name: 'probe0', mode: 'create' });
      closeTap(tap);
      return tap.offloads;
    });
  } finally {
    ip('netns', 'del', namespace);
  }
}

function ip(...words: string[]): string {
  return execFileSync('ip', words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
