import { describe, expect, it } from 'vitest';
import {
  anchorsOf,
  matches,
  selectorKey,
  WordIndex,
  wordsOf,
} from '../../../../src/control/policies/selectors.js';
import type { LabelSelector } from '../../../../src/control/policies/types.js';

const expression = (
  key: string,
  operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist',
  values?: string[],
): LabelSelector => ({
  matchExpressions: [{ key, operator, ...(values && { values }) }],
});

describe('a selector', () => {
  it.each<[string, LabelSelector, Record<string, string>, boolean]>([
    ['empty selects everything', {}, {}, true],
    ['a label that is the same', { matchLabels: { app: 'web' } }, { app: 'web', tier: 'x' }, true],
    ['a label that is another', { matchLabels: { app: 'web' } }, { app: 'db' }, false],
    ['a label that is missing', { matchLabels: { app: 'web' } }, {}, false],
    ['all labels', { matchLabels: { app: 'web', tier: 'x' } }, { app: 'web' }, false],
    ['In', expression('app', 'In', ['web', 'db']), { app: 'db' }, true],
    ['In, another', expression('app', 'In', ['web']), { app: 'db' }, false],
    ['In, missing', expression('app', 'In', ['web']), {}, false],
    ['NotIn', expression('app', 'NotIn', ['web']), { app: 'db' }, true],
    ['NotIn, among them', expression('app', 'NotIn', ['web']), { app: 'web' }, false],
    ['NotIn, missing', expression('app', 'NotIn', ['web']), {}, true],
    ['Exists', expression('app', 'Exists'), { app: '' }, true],
    ['Exists, missing', expression('app', 'Exists'), {}, false],
    ['DoesNotExist', expression('app', 'DoesNotExist'), { app: 'x' }, false],
    ['DoesNotExist, missing', expression('app', 'DoesNotExist'), {}, true],
    ['a key that objects have', expression('constructor', 'DoesNotExist'), {}, true],
    ['both kinds', { matchLabels: { a: '1' }, ...expression('b', 'Exists') }, { a: '1' }, false],
  ])('%s', (_, selector, labels, expected) => {
    expect(matches(selector, labels)).toBe(expected);
  });

  it('is the same in whatever order it is written', () => {
    const a: LabelSelector = {
      matchLabels: { a: '1', b: '2' },
      matchExpressions: [
        { key: 'c', operator: 'In', values: ['x', 'y'] },
        { key: 'd', operator: 'Exists' },
      ],
    };
    const b: LabelSelector = {
      matchLabels: { b: '2', a: '1' },
      matchExpressions: [
        { key: 'd', operator: 'Exists' },
        { key: 'c', operator: 'In', values: ['y', 'x', 'y'] },
      ],
    };
    expect(selectorKey(a)).toBe(selectorKey(b));
    expect(selectorKey(a)).not.toBe(selectorKey({ ...a, matchLabels: {} }));
  });

  it('is found by the words of whatever it selects', () => {
    const labels = { app: 'web', tier: 'front' };
    const selectors: LabelSelector[] = [
      {},
      { matchLabels: { tier: 'front' } },
      expression('app', 'In', ['db', 'web']),
      expression('app', 'Exists'),
      expression('app', 'NotIn', ['db']),
      expression('other', 'DoesNotExist'),
    ];
    const index = new WordIndex<LabelSelector>();
    for (const selector of selectors) index.add(anchorsOf('ns', selector), selector);
    index.add(anchorsOf('other', {}), { matchLabels: { never: 'found' } });
    expect([...index.find(wordsOf('ns', labels))]).toEqual(expect.arrayContaining(selectors));
    expect(index.find(wordsOf('ns', labels)).size).toBe(selectors.length);
  });

  it('of no values is found by nothing', () => {
    expect(anchorsOf('ns', expression('a', 'In', []))).toEqual([]);
  });
});
