import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { effectiveCapabilities, kernelReport, parseEffective } from '../../../src/linux/capabilities.js';

describe('capabilities', () => {
  it('finds CapEff in a status text', () => {
    const status =
      'Name:\tnode\nCapInh:\t0000000000000000\nCapPrm:\t000001ffffffffff\nCapEff:\t0000000000003000\n';
    expect(parseEffective(status)).toBe(0x3000n);
    expect(parseEffective('Name:\tnode\n')).toBe(0n);
  });

  it('reports what the kernel says of this process', () => {
    const mask = BigInt(
      `0x${execFileSync('sh', ['-c', "awk '/^CapEff/ {print $2}' /proc/self/status"])}`.trim(),
    );
    expect(effectiveCapabilities()).toEqual({
      CAP_NET_ADMIN: ((mask >> 12n) & 1n) === 1n,
      CAP_NET_RAW: ((mask >> 13n) & 1n) === 1n,
      CAP_SYS_ADMIN: ((mask >> 21n) & 1n) === 1n,
    });
  });

  it('names the running kernel', () => {
    expect(kernelReport().kernelRelease).toBe(execFileSync('uname', ['-r']).toString().trim());
  });
});
