import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  asUsage,
  CLI_ERROR_CODES,
  CliError,
  errorLine,
  exitStatusOf,
  failure,
  unsupportedFlag,
  usage,
} from '../../../src/cli/errors.js';
import { invalid } from '../../../src/control/errors.js';
import { SystemError } from '../../../src/linux/errno.js';

describe('an error', () => {
  it('is one line with its code, whatever was thrown', () => {
    expect(errorLine(failure('PRIVILEGE', 'run as\n  root'))).toBe('error: PRIVILEGE: run as root');
    expect(errorLine(invalid('spec.mode', 'must be bridge'))).toBe(
      'error: INVALID: spec.mode: must be bridge',
    );
    expect(errorLine(new SystemError(16, 'open', '/x'))).toBe(
      'error: HOST_FAILED: open /x: EBUSY: Device or resource busy',
    );
    expect(errorLine(new TypeError('x is not a function'))).toBe('error: INTERNAL: x is not a function');
    expect(errorLine('thrown text')).toBe('error: INTERNAL: thrown text');
  });

  it('ends the program with 1, or with 2 where the command line is wrong', () => {
    expect(exitStatusOf(failure('PRIVILEGE', ''))).toBe(1);
    expect(exitStatusOf(new Error())).toBe(1);
    expect(exitStatusOf(usage(''))).toBe(2);
    expect(exitStatusOf(unsupportedFlag('--publish', 'no'))).toBe(2);
    expect(exitStatusOf(asUsage(invalid('--mtu', 'no')))).toBe(2);
    expect(exitStatusOf(asUsage(new Error()))).toBe(1);
  });

  it('of the command line’s own is in docs/cli.md with its meaning', () => {
    const page = readFileSync(new URL('../../../docs/cli.md', import.meta.url), 'utf8');
    for (const [code, meaning] of Object.entries(CLI_ERROR_CODES)) {
      expect(page).toContain(`| \`${code}\` | ${meaning} |`);
    }
  });

  it('that names a flag is UNSUPPORTED, and names it', () => {
    expect(unsupportedFlag('--publish', 'no')).toBeInstanceOf(CliError);
    expect(errorLine(unsupportedFlag('--publish', 'no'))).toBe('error: UNSUPPORTED: --publish: no');
  });
});
