import { expect, it } from 'vitest';
import { loadRawSocket, openIcmpEcho } from '../../../../src/control/host/icmp-echo.js';
import { createLogger } from '../../../../src/control/logger.js';

it('says once what is missing where raw-socket was not compiled', async () => {
  const log = createLogger({ human: false });
  const lines: unknown[][] = [];
  log.warn = (...line: unknown[]) => void lines.push(line);
  const raw = loadRawSocket(() =>
    Promise.reject(new Error("Cannot find package 'raw-socket'\nRequire stack: …")),
  );
  expect(await openIcmpEcho(log, raw)).toBeUndefined();
  expect(lines).toEqual([
    [
      { reason: expect.stringContaining("(Cannot find package 'raw-socket')") },
      expect.stringMatching(/^no ICMP echo/),
    ],
  ]);
});

it('finds the exports of a CommonJS package', async () => {
  const exported = { createSocket: () => undefined } as never;
  expect(await loadRawSocket(async () => ({ default: exported }) as never)).toBe(exported);
  expect(await loadRawSocket(async () => exported)).toBe(exported);
});
