import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { SystemError } from '../../../src/linux/errno.js';
import { closeFile, libc, OpenFlags, openFile } from '../../../src/linux/libc.js';

describe('libc', () => {
  it('throws the errno of the call that failed', () => {
    const open = () => openFile('/nonexistent/file', OpenFlags.O_RDONLY);
    expect(open).toThrow(SystemError);
    expect(open).toThrow('open /nonexistent/file: ENOENT: No such file or directory');
    expect(() => openFile('/', OpenFlags.O_RDWR)).toThrow('open /: EISDIR: Is a directory');
  });

  it('opens close-on-exec, so that child processes hold no device of ours', () => {
    const fd = openFile('/dev/null', OpenFlags.O_RDONLY);
    const inherited = execFileSync('sh', ['-c', `test -e /proc/self/fd/${fd} && echo yes || echo no`]);
    closeFile(fd);
    expect(inherited.toString().trim()).toBe('no');
  });

  it('returns -1 from a bad descriptor, and EBADF right after', () => {
    expect(libc().close(-1)).toBe(-1);
    expect(libc().errno()).toBe(9);
  });
});
