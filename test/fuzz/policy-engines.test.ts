/**
 * Random clusters and policies, with packets: what two engines let pass, at the client's node, at the server's, and back, is what the
 * text of the API says (test/support/policy-oracle.ts). FUZZ_SEED repeats a run.
 */
import { describe, expect, it } from 'vitest';
import { FUZZ_TIMEOUT, fuzz } from '../support/fuzz-run.js';
import { policyCase } from '../support/policy-cases.js';
import { PolicyEngines } from '../support/policy-engines.js';

const CASES = Number(process.env.PODWIRE_POLICY_CASES ?? 2000) / 20;

describe('fuzzing policies with packets', () => {
  it('lets pass what the API says', { timeout: FUZZ_TIMEOUT + CASES * 500 }, () => {
    let tried = 0;
    fuzz(
      'policies with packets',
      policyCase,
      (one) => {
        const engines = new PolicyEngines(one);
        engines.check();
        tried += engines.tried;
      },
      { cases: CASES },
    );
    expect(tried).toBeGreaterThan(CASES);
  });
});
