/** Every check of the demo, in its order. */
import type { Check } from '../check.js';
import { DETACH_CHECKS } from './detach.js';
import { DROP_CHECKS } from './drops.js';
import { ICMP_ERROR_CHECKS } from './icmp-errors.js';
import { PING_CHECKS } from './ping.js';
import { RESTART_CHECKS } from './restart.js';
import { SETUP_CHECKS } from './setup.js';
import { TRANSFER_CHECKS } from './transfer.js';

/** With `keep` the pods stay attached at the end. */
export function allChecks(keep: boolean): readonly Check[] {
  return [
    ...SETUP_CHECKS,
    ...PING_CHECKS,
    ...ICMP_ERROR_CHECKS,
    ...TRANSFER_CHECKS,
    ...DROP_CHECKS,
    ...RESTART_CHECKS,
    ...(keep ? [] : DETACH_CHECKS),
  ];
}
