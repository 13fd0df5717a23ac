/** Standard input: the network configuration, written by the runtime, which then closes its end. */
import { CniError } from './errors.js';

/** Far more than any configuration; a list for GC has some hundred octets for each container. */
const LONGEST = 16 * 1024 * 1024;
const DEADLINE_MS = 10_000;
/** VERSION may be asked by somebody who gives no input and leaves it open. */
const OPEN_MS = 300;

/** @param mayBeOpen what has come is enough where the input does not end. @throws CniError 5 */
export function readInput({ mayBeOpen = false } = {}): Promise<string> {
  const { stdin } = process;
  if (stdin.isTTY) {
    if (mayBeOpen) return Promise.resolve('');
    const text = 'standard input is a terminal; a container runtime writes the network configuration there';
    return Promise.reject(new CniError('IO_FAILURE', text));
  }
  return new Promise((resolve, reject) => {
    const fail = (problem: string) => reject(new CniError('IO_FAILURE', `standard input: ${problem}`));
    const parts: Buffer[] = [];
    let length = 0;
    const finish = () => {
      clearTimeout(timer);
      resolve(Buffer.concat(parts).toString('utf8'));
    };
    const late = () => (mayBeOpen ? finish() : fail(`did not end in ${DEADLINE_MS / 1000} s`));
    const timer = setTimeout(late, mayBeOpen ? OPEN_MS : DEADLINE_MS);
    stdin.on('data', (part: Buffer) => {
      length += part.length;
      if (length > LONGEST) return fail(`is longer than ${LONGEST} octets`);
      parts.push(part);
    });
    stdin.on('error', (error) => fail(error.message));
    stdin.on('end', finish);
  });
}
