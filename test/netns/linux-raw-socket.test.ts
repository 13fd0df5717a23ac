/**
 * Raw sockets, in a namespace that has a loopback alone: what they send, as tcpdump sees it, and what the kernel
 * answers.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { withNamespace } from '../../src/linux/netns.js';
import { RawSocket } from '../../src/linux/raw-socket.js';
import { listening } from '../support/netns-capture.js';
import { freshNamespace, ip, isRoot } from './linux-support.js';

const hasTcpdump = isRoot && works('tcpdump', '--version');
const LOOPBACK = Uint8Array.of(127, 0, 0, 1);
/** ICMP echo request, id 0x0102, sequence 3, as scapy builds it: ICMP(id=0x0102, seq=3)/b'abcd'. */
const ECHO_REQUEST = Uint8Array.from(Buffer.from('0800323401020003 61626364'.replace(' ', ''), 'hex'));

function works(...[program = '', ...words]: string[]): boolean {
  try {
    execFileSync(program, words, { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function namespaceWithLoopback(): string {
  const name = freshNamespace();
  ip('-n', name, 'link', 'set', 'lo', 'up');
  return name;
}

function open(namespace: string, make: () => RawSocket): RawSocket {
  const socket = withNamespace(namespace, make);
  onTestFinished(() => socket.close());
  return socket;
}

/** What tcpdump prints of the first packet on lo, with `words` as further arguments. */
async function tcpdump(
  namespace: string,
  ...words: string[]
): Promise<{ child: ChildProcess; text: Promise<string> }> {
  const program = [
    'netns',
    'exec',
    namespace,
    'tcpdump',
    '--immediate-mode',
    '-i',
    'lo',
    '-c',
    '1',
    '-nn',
    '-v',
  ];
  const child = spawn('ip', [...program, ...words], { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => {
    child.kill();
  });
  let text = '';
  child.stdout?.on('data', (data: Buffer) => {
    text += data.toString();
  });
  await listening(child);
  return { child, text: once(child, 'close').then(() => text) };
}

describe.skipIf(!isRoot)('a raw ICMP socket [needs root]', () => {
  it('gets the echo reply of the kernel, with the IPv4 header and the sender', () => {
    const socket = open(namespaceWithLoopback(), () => RawSocket.icmp());
    socket.send(ECHO_REQUEST, LOOPBACK);
    const replies = [socket.receive(1000), socket.receive(1000)].map((message) => ({
      type: message?.octets[20],
      rest: message?.octets.subarray(24).toString('hex'),
      from: message && [...message.from],
    }));
    // The request itself is seen as well: loopback delivers it to every raw socket.
    expect(replies).toContainEqual({ type: 0, rest: '0102000361626364', from: [127, 0, 0, 1] });
  });

  it('says that nothing came when nothing came', () => {
    const socket = open(namespaceWithLoopback(), () => RawSocket.icmp());
    const start = performance.now();
    expect(socket.receive(30)).toBeUndefined();
    expect(performance.now() - start).toBeGreaterThanOrEqual(29);
    expect(socket.receive(0)).toBeUndefined();
  });

  it('fails with the kernel’s reason where there is no route', () => {
    const socket = open(namespaceWithLoopback(), () => RawSocket.icmp());
    expect(() => socket.send(ECHO_REQUEST, Uint8Array.of(192, 0, 2, 1))).toThrow('sendto: ENETUNREACH');
  });
});

describe.skipIf(!hasTcpdump)('seen by tcpdump [needs root, tcpdump]', () => {
  it('sends with the TTL that is set', async () => {
    const namespace = namespaceWithLoopback();
    const socket = open(namespace, () => RawSocket.icmp());
    const capture = await tcpdump(namespace, 'icmp');
    socket.setTtl(7);
    socket.send(ECHO_REQUEST, LOOPBACK);
    expect(await capture.text).toMatch(
      /ttl 7,.*\n.*127\.0\.0\.1 > 127\.0\.0\.1: ICMP echo request, id 258, seq 3/,
    );
  });

  it('sends ICMPv6 with the hop limit that is set and the checksum the kernel adds', async () => {
    const namespace = namespaceWithLoopback();
    execFileSync('ip', ['netns', 'exec', namespace, 'sysctl', '-qw', 'net.ipv6.conf.lo.disable_ipv6=0']);
    const socket = open(namespace, () => RawSocket.icmpv6());
    const capture = await tcpdump(namespace, 'icmp6');
    socket.setHopLimit(9);
    const loopback = Uint8Array.from({ length: 16 }, (_, index) => (index === 15 ? 1 : 0));
    socket.send(Uint8Array.of(128, 0, 0, 0, 1, 2, 0, 3), loopback);
    expect(await capture.text).toMatch(
      /hlim 9,.*::1 > ::1: \[icmp6 sum ok\] ICMP6, echo request, id 258, seq 3/,
    );
    const types = [socket.receive(1000), socket.receive(1000)].map((message) => message?.octets[0]);
    expect(types).toContain(129);
  });

  it('sends frames as they are', async () => {
    const namespace = namespaceWithLoopback();
    const socket = open(namespace, () => RawSocket.frames('lo'));
    const capture = await tcpdump(namespace, '-e', 'ether proto 0x88b5');
    socket.send(Buffer.from('020000000002 020000000001 88b5 deadbeef'.replaceAll(' ', ''), 'hex'));
    expect(await capture.text).toMatch(
      /02:00:00:00:00:01 > 02:00:00:00:00:02, ethertype Unknown \(0x88b5\), length 18/,
    );
  });
});

it.skipIf(!isRoot)('names the interface that is not there [needs root]', () => {
  expect(() => RawSocket.frames('nonexistent')).toThrow(
    expect.objectContaining({ code: 'INTERFACE_NOT_FOUND', message: "there is no interface 'nonexistent'" }),
  );
});
