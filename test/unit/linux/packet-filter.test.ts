/** The filter's program, run by an interpreter of the few instructions that it has; the kernel runs it in test/netns/raw. */
import { describe, expect, it } from 'vitest';
import { Bpf, SkfAd } from '../../../src/linux/packet-abi.js';
import { filterProgram } from '../../../src/linux/packet-filter.js';

const [HOST, BROADCAST, OTHER] = [0, 1, 3];

interface Frame {
  readonly kind?: number;
  /** TPID and TCI of the tag that the kernel has taken out. */
  readonly tag?: readonly [number, number];
  /** What follows the addresses. */
  readonly type?: number;
}

function takes(vlan: number | undefined, { kind = OTHER, tag, type = 0x0800 }: Frame): boolean {
  const words = new Map<number, number>([
    [SkfAd.PKTTYPE, kind],
    [SkfAd.VLAN_TAG_PRESENT, tag === undefined ? 0 : 1],
    [SkfAd.VLAN_TAG, tag?.[1] ?? 0],
    [SkfAd.VLAN_TPID, tag?.[0] ?? 0],
    [12, type],
  ]);
  const program = filterProgram(vlan);
  let a = 0;
  for (let at = 0; ; at++) {
    const [code, whenTrue, whenFalse, k] = program[at];
    if (code === Bpf.RET_K) return k > 0;
    if (code === Bpf.JEQ_K) at += a === k ? whenTrue : whenFalse;
    else if (code === Bpf.AND_K) a &= k;
    else a = words.get(k)!;
  }
}

describe('the filter of a packet socket', () => {
  it('refuses what is for the interface itself, and on a trunk nothing else', () => {
    expect(takes(undefined, { kind: HOST })).toBe(false);
    for (const frame of [
      {},
      { kind: BROADCAST },
      { tag: [0x8100, 7] },
      { tag: [0x88a8, 7], type: 0x8100 },
    ] as const) {
      expect(takes(undefined, frame)).toBe(true);
    }
  });

  it('takes one VLAN, whatever the priority', () => {
    for (const control of [12, 0xa00c, 0x100c]) expect(takes(12, { tag: [0x8100, control] })).toBe(true);
    expect(takes(12, { tag: [0x8100, 12], kind: HOST })).toBe(false);
    for (const frame of [
      {},
      { tag: [0x8100, 13] },
      { tag: [0x88a8, 12] },
      { tag: [0x8100, 0x2000] },
    ] as const) {
      expect(takes(12, frame)).toBe(false);
    }
    for (const type of [0x8100, 0x88a8]) expect(takes(12, { tag: [0x8100, 12], type })).toBe(false);
  });
});
