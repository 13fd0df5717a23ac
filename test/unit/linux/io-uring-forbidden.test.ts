/**
 * io_uring forbidden for real: a child process runs behind a seccomp filter that answers io_uring_setup with an
 * errno, as container runtimes do. The child runs from dist/, and python3 installs the filter before it.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const capabilities = new URL('../../../dist/src/linux/capabilities.js', import.meta.url);

/** argv: errno, then the command. The filter: load the call's number, compare with 425, return errno or allow. */
const BEHIND_FILTER = `
import ctypes, os, struct, sys
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
RET_ERRNO, RET_ALLOW = 0x00050000, 0x7fff0000
program = b''.join(struct.pack('HBBI', *i) for i in [
    (0x20, 0, 0, 0), (0x15, 0, 1, 425), (0x06, 0, 0, RET_ERRNO | int(sys.argv[1])), (0x06, 0, 0, RET_ALLOW)])
buffer = ctypes.create_string_buffer(program)
fprog = ctypes.create_string_buffer(struct.pack('HxxxxxxQ', 4, ctypes.addressof(buffer)))
libc = ctypes.CDLL(None, use_errno=True)
zero = ctypes.c_ulong(0)
assert libc.prctl(PR_SET_NO_NEW_PRIVS, ctypes.c_ulong(1), zero, zero, zero) == 0
assert libc.prctl(PR_SET_SECCOMP, ctypes.c_ulong(SECCOMP_MODE_FILTER), fprog, zero, zero) == 0
os.execv(sys.argv[2], sys.argv[2:])
`;

const REPORT = `import('${capabilities}').then((m) => console.log(JSON.stringify(m.kernelReport().ioUring)))`;

function missing(): string | undefined {
  if (!existsSync(fileURLToPath(capabilities))) return 'needs dist/ (npm run build)';
  try {
    execFileSync('python3', ['--version']);
    return undefined;
  } catch {
    return 'needs python3';
  }
}

function reportBehindFilter(errno: number): unknown {
  const output = execFileSync('python3', [
    '-c',
    BEHIND_FILTER,
    String(errno),
    process.execPath,
    '-e',
    REPORT,
  ]);
  return JSON.parse(output.toString());
}

const lacking = missing();
if (lacking) console.log(`skipped: ${lacking}`);

describe.skipIf(lacking)('io_uring behind a seccomp filter', () => {
  it.each([
    [1, /^io_uring is not available: .*(forbids it|kernel\.io_uring_disabled).*EPERM/],
    [38, /^io_uring is not available: .*no io_uring, or a seccomp filter hides it.*ENOSYS/],
  ])('is reported as not available for errno %i', (errno, reason) => {
    expect(reportBehindFilter(errno)).toEqual({ available: false, reason: expect.stringMatching(reason) });
  });
});
