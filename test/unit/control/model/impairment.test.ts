import { describe, expect, it } from 'vitest';
import { parseImpairment, plannedImpairment } from '../../../../src/control/model/impairment.js';
import { message, refusal } from '../support.js';

const [A, B] = [{ pod: 'default/a' }, { pod: 'default/b' }];

function impairment(spec: unknown): unknown {
  return { apiVersion: 'podwire.dev/v1', kind: 'Impairment', metadata: { name: 'slow' }, spec };
}

describe('parseImpairment', () => {
  it('makes a normal form, which it takes unchanged', () => {
    const given = {
      ...{ from: { pod: 'a' }, to: { cidr: 'FD00::/8' } },
      ...{ delay: '0.05s', jitter: '500us', loss: '1.50%', rate: '10M' },
    };
    const parsed = parseImpairment(impairment(given));
    expect(parsed.spec).toEqual({
      ...{ from: A, to: { cidr: 'fd00::/8' }, bidirectional: true },
      ...{ delay: '50ms', jitter: '0.5ms', loss: '1.5%', rate: 10_000_000 },
    });
    expect(parseImpairment(parsed)).toEqual(parsed);
    expect(plannedImpairment(parsed)).toEqual({
      ...{ from: { kind: 'pod', key: 'default/a' }, to: { kind: 'addresses', cidr: 'fd00::/8' } },
      ...{ bidirectional: true, delayMs: 50, jitterMs: 0.5, loss: 0.015 },
      rate: { bitsPerSecond: 10_000_000, burstBytes: 16_384 },
    });
  });

  it('takes an address for its prefix', () => {
    const of = (cidr: string) => parseImpairment(impairment({ from: A, to: { cidr }, loss: '1%' })).spec.to;
    expect(['10.0.0.7', 'fd00::7', '0.0.0.0/0'].map(of)).toEqual([
      { cidr: '10.0.0.7/32' },
      { cidr: 'fd00::7/128' },
      { cidr: '0.0.0.0/0' },
    ]);
  });

  it.each([
    [{ to: B, delay: '1ms' }, 'INVALID spec.from'],
    [{ from: {}, to: B, delay: '1ms' }, 'INVALID spec.from'],
    [{ from: { pod: 'a', cidr: '::/0' }, to: B, delay: '1ms' }, 'INVALID spec.from'],
    [{ from: { pod: 'a/b/c' }, to: B, delay: '1ms' }, 'INVALID spec.from.pod'],
    [{ from: { pod: 'Web' }, to: B, delay: '1ms' }, 'INVALID spec.from.pod'],
    [{ from: A, to: { pod: 'a' }, delay: '1ms' }, 'INVALID spec.to'],
    [{ from: { cidr: '::/0' }, to: { cidr: '::/0' }, delay: '1ms' }, 'INVALID spec.to'],
    [{ from: A, to: { cidr: '10.0.0.7/24' }, delay: '1ms' }, 'INVALID spec.to.cidr'],
    [{ from: A, to: { cidr: 'web' }, delay: '1ms' }, 'INVALID spec.to.cidr'],
    [{ from: A, to: B }, 'INVALID spec'],
    [{ from: A, to: B, jitter: '1ms' }, 'INVALID spec.jitter'],
    [{ from: A, to: B, delay: '2m' }, 'INVALID spec.delay'],
    [{ from: A, to: B, delay: 50 }, 'INVALID spec.delay'],
    [{ from: A, to: B, loss: 0.01 }, 'INVALID spec.loss'],
    [{ from: A, to: B, rate: '1k' }, 'INVALID spec.rate'],
    [{ from: A, to: B, duplicate: '1%' }, 'INVALID spec.duplicate'],
  ])('%j: %s', (spec, expected) => {
    expect(refusal(() => parseImpairment(impairment(spec)))).toBe(expected);
  });

  it('says what was meant', () => {
    const spec = { from: A, to: { cidr: '10.0.0.7/24' }, delay: '1ms' };
    expect(message(() => parseImpairment(impairment(spec)))).toContain('did you mean 10.0.0.0/24?');
  });
});
