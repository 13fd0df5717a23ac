/** Limits as they are asked for: numbers, quantities of Kubernetes, annotations, CNI's capability. */
import { describe, expect, it } from 'vitest';
import { parseAttach, parseLimit } from '../../../../src/control/model/attach.js';
import { annotatedLimits, cniLimits, defaultBurst } from '../../../../src/control/model/limits.js';
import { attachmentWish, parsePod } from '../../../../src/control/model/pod.js';
import { type Bounds, readQuantity, readShare, readTime } from '../../../../src/control/model/quantities.js';
import { message, refusal } from '../support.js';

const ANY: Bounds = { least: 0, most: Number.MAX_SAFE_INTEGER, leastText: '0', mostText: 'all' };

describe('quantities', () => {
  // Values: k8s.io/apimachinery/pkg/api/resource, quantity_test.go.
  it.each([
    ['0', 0],
    ['1Ki', 1024],
    ['8Mi', 8 * 1024 * 1024],
    ['1Gi', 2 ** 30],
    ['10k', 10_000],
    ['10M', 10_000_000],
    ['1.1G', 1_100_000_000],
    ['100e6', 100_000_000],
    ['1E3', 1000],
    ['8000000m', 8000],
    ['.5M', 500_000],
    ['5.', 5],
    [12_345, 12_345],
  ])('%j is %d', (text, value) => {
    expect(readQuantity('rate', text, ANY)).toBe(value);
  });

  it.each([
    '',
    ' 1',
    '1 M',
    '-1',
    '+1',
    '10Mb',
    '10mbit',
    '10K',
    '1.2.3',
    '0x10',
    'M',
    '1e',
    'Infinity',
    '1u',
  ])('%j is refused', (text) => {
    expect(refusal(() => readQuantity('spec.rate', text, ANY))).toBe('INVALID spec.rate');
  });

  it('are within bounds, in words', () => {
    expect(message(() => parseLimit({ egress: { rate: '7999' } }))).toBe(
      'egress.rate: must be from 8k to 10T, not 7999',
    );
    expect(refusal(() => parseLimit({ egress: { rate: '11T' } }))).toBe('INVALID egress.rate');
    expect(refusal(() => parseLimit({ egress: { rate: '1M', burst: 0 } }))).toBe('INVALID egress.burst');
    expect(refusal(() => parseLimit({ egress: { rate: '1M', burst: '5Gi' } }))).toBe('INVALID egress.burst');
  });

  it('of time and share have a unit', () => {
    const times = ['50ms', '1.5s', '200us', '7µs', '0ms'].map((text) => readTime('delay', text, 60_000));
    expect(times).toEqual([50, 1500, 0.2, 0.007, 0]);
    for (const text of ['50', '50 ms', '1m', '-1ms', '61s', 'ms', '1e3ms'])
      expect(refusal(() => readTime('spec.delay', text, 60_000))).toBe('INVALID spec.delay');
    expect(['0%', '1%', '0.05%', '100%'].map((text) => readShare('loss', text))).toEqual([0, 1, 0.05, 100]);
    for (const text of ['1', '0.01', '101%', '-1%', '1 %', '0.00001%', '%'])
      expect(refusal(() => readShare('spec.loss', text))).toBe('INVALID spec.loss');
  });
});

describe('limits', () => {
  it('are numbers with a burst, also when read again', () => {
    const limits = parseAttach({
      limits: { egress: { rate: '10M' }, ingress: { rate: '1G', burst: '64Ki' } },
    }).limits;
    expect(limits).toEqual({
      egress: { rate: 10_000_000, burst: 16_384 },
      ingress: { rate: 1_000_000_000, burst: 65_536 },
    });
    expect(parseAttach({ limits }).limits).toEqual(limits);
    expect([8000, 100_000_000, 1e13].map(defaultBurst)).toEqual([16_384, 125_000, 2 ** 32]);
  });

  it.each([
    [{ egress: {} }, 'INVALID limits.egress.rate'],
    [{ egress: '10M' }, 'INVALID limits.egress'],
    [{ both: { rate: 1 } }, 'INVALID limits.both'],
    [{ ingress: { rate: 'fast' } }, 'INVALID limits.ingress.rate'],
    [{ ingress: { rate: true } }, 'INVALID limits.ingress.rate'],
  ])('%j: %s', (limits, expected) => {
    expect(refusal(() => parseAttach({ limits }))).toBe(expected);
  });

  it('come from annotations of a pod, and are refused by their name', () => {
    expect(annotatedLimits({})).toBeUndefined();
    const annotations = { 'kubernetes.io/ingress-bandwidth': '1M' };
    const pod = (given: object) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'a', annotations: given },
    });
    expect(attachmentWish(parsePod(pod(annotations)))).toEqual({
      limits: { ingress: { rate: 1_000_000, burst: 16_384 } },
    });
    const onHost = { ...pod(annotations), spec: { hostNetwork: true } };
    expect(refusal(() => parsePod(onHost))).toBe(
      'INVALID metadata.annotations["kubernetes.io/ingress-bandwidth"]',
    );
    expect(refusal(() => parsePod(pod({ 'kubernetes.io/egress-bandwidth': '1b' })))).toBe(
      'INVALID metadata.annotations["kubernetes.io/egress-bandwidth"]',
    );
  });

  it('come from container runtimes in bits; a burst that nobody has chosen is none', () => {
    expect(cniLimits()).toBeUndefined();
    expect(cniLimits({ egressRate: 0, egressBurst: 0 })).toBeUndefined();
    const rate = 10_000_000;
    expect(cniLimits({ egressRate: rate, egressBurst: 800_000 })).toEqual({
      egress: { rate, burst: 100_000 },
    });
    for (const egressBurst of [0, 2 ** 31 - 1, 2 ** 32 - 1])
      expect(cniLimits({ egressRate: rate, egressBurst })).toEqual({ egress: { rate, burst: 16_384 } });
    expect(refusal(() => cniLimits({ ingressBurst: 8 }))).toBe('INVALID bandwidth.ingressBurst');
    expect(refusal(() => cniLimits({ ingressRate: 10 }))).toBe('INVALID bandwidth.ingressRate');
  });
});
