/** UDP from an application at a to an application at b (iperf3), as much as the sender can send. */
import { end, finish, run } from '../shell.js';
import { both, inside, startServer } from './measure.js';
import type { Path } from './path.js';
import { bounded, type Span, warmUp, watch } from './window.js';

/**
 * Datagrams that the receiving application has read: thousands a second. It is the kernel of b that counts them, when
 * they are read (InDatagrams, RFC 4113); what the sender has sent, and what a full socket has dropped, is not in it.
 */
export async function udpDatagrams(path: Path, length: number, span: Span): Promise<number> {
  const { a, b } = path;
  const server = await startServer(path);
  try {
    // Longer than the window: the sender must not end within it.
    const seconds = String(warmUp(span) + span.seconds + 1);
    const load = ['-u', '-b', '0', '-l', String(length), '-c', b.address, '-t', seconds];
    const client = [...inside(a.namespace, 'iperf3'), ...load];
    const watched = watch(span, () => datagramsRead(b.namespace));
    const [, { rate }] = await both(finish('ip', client, bounded(span)), watched);
    return rate / 1000;
  } finally {
    await end(server);
  }
}

/** The second line that begins with `Udp:` has the values, the first one their names. */
function datagramsRead(namespace: string): number {
  const [names, values] = run('ip', [...inside(namespace, 'cat'), '/proc/net/snmp'])
    .split('\n')
    .filter((line) => line.startsWith('Udp:'))
    .map((line) => line.split(' '));
  return Number(values[names.indexOf('InDatagrams')]);
}
