/** Small programs that tests run in a namespace: the kernel's own TCP and UDP at both ends. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';

/** None of them takes as long, unless packets are lost: it is ended then, and its test fails (ms). */
const DEADLINE = 100_000;

/** Why the judges cannot be asked here, or undefined. */
export function missingPrograms(...names: string[]): string | undefined {
  return names.find(
    (name) => spawnSync('sh', ['-c', `command -v ${name}`], { stdio: 'ignore' }).status !== 0,
  );
}

/** Runs a program to its end in a namespace; answers its exit status and what it printed. */
export async function runIn(
  namespace: string,
  program: string,
  ...words: string[]
): Promise<{ status: number | null; text: string }> {
  const child = spawnIn(namespace, program, ...words);
  let text = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
  }
  const [status] = (await once(child, 'close')) as [number | null];
  return { status, text };
}

export function spawnIn(namespace: string, program: string, ...words: string[]): ChildProcess {
  // nsenter becomes the program, so that a signal reaches it.
  const enter = [`--net=/run/netns/${namespace}`, program, ...words];
  return spawn('nsenter', enter, { stdio: ['ignore', 'pipe', 'pipe'], timeout: DEADLINE });
}

/** Accepts one connection, and prints how many bytes came and their SHA-256. */
const SINK = `
  const { createHash } = require('node:crypto');
  const hash = createHash('sha256');
  let bytes = 0;
  const server = require('node:net').createServer((socket) => {
    socket.on('data', (chunk) => { bytes += chunk.length; hash.update(chunk); });
    socket.on('end', () => { console.log(bytes + ' ' + hash.digest('hex')); socket.end(); server.close(); });
  });
  server.listen(5000, '::', () => console.error('listening'));`;

/** Sends bytes of which no two places are alike (AES in counter mode: made in no time), and prints the same of them. */
const SOURCE = `
  const [host, bytes] = process.argv.slice(1);
  const { createCipheriv, createHash } = require('node:crypto');
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16));
  const payload = cipher.update(Buffer.alloc(Number(bytes)));
  const digest = createHash('sha256').update(payload).digest('hex');
  const socket = require('node:net').connect(5000, host);
  socket.end(payload);
  socket.on('close', () => console.log(payload.length + ' ' + digest));
  socket.resume();`;

/** Moves bytes over one TCP connection. Answers what was sent and what arrived, as length and SHA-256. */
export async function transfer(
  from: string,
  to: string,
  address: string,
  bytes: number,
): Promise<{ sent: string; arrived: string }> {
  const sink = spawnIn(to, process.execPath, '-e', SINK);
  let arrived = '';
  sink.stdout?.on('data', (chunk: Buffer) => {
    arrived += chunk.toString();
  });
  const ended = once(sink, 'close');
  await once(sink.stderr!, 'data');
  const { text } = await runIn(from, process.execPath, '-e', SOURCE, address, String(bytes));
  await ended;
  return { sent: text.trim(), arrived: arrived.trim() };
}

/** Sends one UDP_SEGMENT datagram (Linux 4.18) of `count` segments of 1000 bytes to port 5001. */
export function sendSegmented(namespace: string, address: string, count: number): void {
  const program = `
import socket, sys
address, count = sys.argv[1], int(sys.argv[2])
family = socket.AF_INET6 if ':' in address else socket.AF_INET
s = socket.socket(family, socket.SOCK_DGRAM)
s.setsockopt(socket.IPPROTO_UDP, 103, 1000)
s.sendto(bytes(range(250)) * 4 * count, (address, 5001))`;
  execFileSync('ip', ['netns', 'exec', namespace, 'python3', '-c', program, address, String(count)]);
}

/** Turns features of an interface on or off with ethtool: `offload(ns, 'eth0', 'tx', 'off')`. */
export function offload(namespace: string, ifname: string, ...words: string[]): void {
  execFileSync('ip', ['netns', 'exec', namespace, 'ethtool', '-K', ifname, ...words], { stdio: 'ignore' });
}
