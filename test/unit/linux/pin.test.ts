import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { pinThread, threadAffinity } from '../../../src/linux/pin.js';

/** The kernel's own list, such as '0-1,4', of this thread. */
function allowed(): string {
  return /^Cpus_allowed_list:\s*(\S+)$/m.exec(readFileSync('/proc/thread-self/status', 'utf8'))![1]!;
}

describe('pinThread', () => {
  it('moves the thread to one processor and back, as the kernel tells', () => {
    const before = allowed();
    const all = threadAffinity();
    const last = all.at(-1)!;
    pinThread([last]);
    expect(allowed()).toBe(String(last));
    expect(threadAffinity()).toEqual([last]);
    pinThread(all);
    expect(allowed()).toBe(before);
  });

  it('refuses processors that do not exist', () => {
    expect(() => pinThread([1023])).toThrow('sched_setaffinity 1023: EINVAL: Invalid argument');
  });
});
