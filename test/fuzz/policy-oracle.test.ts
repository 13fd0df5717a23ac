/**
 * Random clusters, labels and policies: who reaches whom, by plan and table as by the text of the API (test/support/policy-oracle.ts),
 * for every pair of pods and for others, both ways; and which rule it was. What there is comes, changes and goes in any order.
 *
 *     PODWIRE_POLICY_CASES=100000 npx vitest run --project unit test/fuzz/policy-oracle.test.ts
 *
 * 2,000 cases without it. FUZZ_SEED repeats a run.
 */
import { describe, it } from 'vitest';
import { FUZZ_TIMEOUT, fuzz } from '../support/fuzz-run.js';
import { policyCase } from '../support/policy-cases.js';
import { expectAgreement } from '../support/policy-comparison.js';

const CASES = Number(process.env.PODWIRE_POLICY_CASES ?? 2000);

describe('fuzzing policies', () => {
  it('decides as the API says, and names a rule that says so', { timeout: FUZZ_TIMEOUT + CASES * 50 }, () => {
    fuzz('policies', policyCase, expectAgreement, { cases: CASES });
  });
});
