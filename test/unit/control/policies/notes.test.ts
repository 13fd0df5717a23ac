import { describe, expect, it } from 'vitest';
import { Notes } from '../../../../src/control/policies/notes.js';
import type { PolicyNote } from '../../../../src/control/policies/types.js';

function note(name: string): PolicyNote {
  const policies = [{ kind: 'NetworkPolicy', namespace: 'default', name }] as const;
  return { direction: 'ingress', tier: 'policy', action: 'allow', policies, path: 'spec.ingress[0]' };
}

describe('Notes', () => {
  it('gives the same note the same number, also after it was left', () => {
    const notes = new Notes();
    const number = notes.acquire(note('a'));
    expect(notes.acquire(note('a'))).toBe(number);
    notes.release(number);
    notes.release(number);
    expect(notes.of(number)).toEqual(note('a'));
    expect(notes.acquire(note('a'))).toBe(number);
  });

  it('gives a number that was left long ago to another note, and says so', () => {
    const given: number[] = [];
    const notes = new Notes((number) => given.push(number));
    const first = notes.acquire(note('a'));
    const second = notes.acquire(note('b'));
    notes.release(first);
    notes.release(second);
    for (let i = 0; i < 4096; i++) notes.release(notes.acquire(note(`n${i}`)));
    expect(given).toEqual([first]);
    expect(notes.of(first)).toEqual(note('n4095'));
    expect(notes.of(second)).toEqual(note('b'));
  });
});
