/** The options of `attach` and `limit` that say how much an interface may send and be sent. What amounts mean, the daemon knows. */
import type { Command } from 'commander';
import type { LimitsWish, RateWish } from '../control/api/types.js';
import { usage } from './errors.js';

export interface LimitFlags {
  readonly egressRate?: string;
  readonly egressBurst?: string;
  readonly ingressRate?: string;
  readonly ingressBurst?: string;
}

export function addLimitFlags(command: Command): Command {
  return command
    .option('--egress-rate <RATE>', 'most that the pod sends, bits a second: 10M, 1.5G')
    .option(
      '--egress-burst <BYTES>',
      'what passes at once: 64Ki (default: 10 ms of the rate, at least 16 KiB)',
    )
    .option('--ingress-rate <RATE>', 'most that the pod is sent')
    .option('--ingress-burst <BYTES>', 'what passes at once');
}

/** What they say; a direction without a flag is left out. */
export function limitsOf({ egressRate, egressBurst, ingressRate, ingressBurst }: LimitFlags): LimitsWish {
  const egress = rateOf('egress', egressRate, egressBurst);
  const ingress = rateOf('ingress', ingressRate, ingressBurst);
  return { ...(egress && { egress }), ...(ingress && { ingress }) };
}

function rateOf(
  direction: string,
  rate: string | undefined,
  burst: string | undefined,
): RateWish | undefined {
  if (rate !== undefined) return { rate, ...(burst !== undefined && { burst }) };
  if (burst === undefined) return undefined;
  throw usage(`--${direction}-burst ${burst}: needs --${direction}-rate beside it`);
}
