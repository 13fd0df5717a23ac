import { constants } from 'node:os';
import { describe, expect, it } from 'vitest';
import { Errno, errnoName, errnoText, LinuxError, SystemError } from '../../../src/linux/errno.js';

describe('errno', () => {
  /** Numbers that have two names: libuv's table knows the other one. */
  const ALIASES: Record<string, string> = { EWOULDBLOCK: 'EAGAIN', ENOTSUP: 'EOPNOTSUPP' };

  it("agrees with Node's own table, which comes from the C headers", () => {
    for (const [name, number] of Object.entries(constants.errno)) {
      expect(errnoName(number)).toBe(ALIASES[name] ?? name);
    }
    expect(Object.keys(constants.errno).length).toBeGreaterThan(70);
  });

  it('has the numbers that the code compares with', () => {
    for (const [name, number] of Object.entries(Errno)) expect(errnoName(number)).toBe(name);
  });

  it('names the last entry of the table, and numbers outside it', () => {
    expect(errnoName(133)).toBe('EHWPOISON');
    expect(errnoText(133)).toBe('Memory page has hardware error');
    expect(errnoName(4095)).toBe('ERRNO_4095');
    expect(errnoText(4095)).toBe('Unknown error 4095');
  });

  it('says call, subject, name and text', () => {
    const error = new SystemError(16, 'ioctl TUNSETIFF', 'eth0');
    expect(error.message).toBe('ioctl TUNSETIFF eth0: EBUSY: Device or resource busy');
    expect(error).toMatchObject({ code: 'EBUSY', errno: 16, syscall: 'ioctl TUNSETIFF', detail: 'eth0' });
    expect(new SystemError(1, 'setns').message).toBe('setns: EPERM: Operation not permitted');
  });

  it('keeps the failed call as the cause of a condition', () => {
    const cause = new SystemError(16, 'ioctl TUNSETIFF', 'eth0');
    expect(new LinuxError('INTERFACE_BUSY', 'taken', cause)).toMatchObject({ code: 'INTERFACE_BUSY', cause });
  });
});
