/** A virtual machine's monitor and guest in one program (vmm.py), in a network namespace. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('./vmm.py', import.meta.url));

/** Opens the TAP of argv[1] as a monitor does, and prints the error number or 0. */
const OPEN = `
import fcntl, os, struct, sys
tap = os.open("/dev/net/tun", os.O_RDWR)
try:
    fcntl.ioctl(tap, 0x400454CA, struct.pack("16sH22x", sys.argv[1].encode(), 0x5002))
    print(0)
except OSError as error:
    print(error.errno)
`;

export class Monitor {
  private constructor(
    private readonly child: ChildProcessWithoutNullStreams,
    private readonly lines: Interface,
  ) {}

  /** Answers when the guest is up. */
  static async start(
    python: string,
    namespace: string,
    guest: { tap: string; mac: string; ip: string },
  ): Promise<Monitor> {
    const words = [`--net=/run/netns/${namespace}`, python, PROGRAM, guest.tap, guest.mac, guest.ip];
    const child = spawn('nsenter', words);
    const lines = createInterface({ input: child.stdout });
    let complaint = '';
    child.stderr.on('data', (chunk: Buffer) => {
      complaint += chunk.toString();
    });
    const first = await Promise.race([once(lines, 'line'), once(child, 'close')]);
    if (first[0] !== 'ready') throw new Error(`no virtual machine: ${complaint}`);
    return new Monitor(child, lines);
  }

  /** Whose answer the guest got, or `nothing`. @param station MAC address to send to; default: whose ARP says. */
  async ping(address: string, station = ''): Promise<string> {
    const answer = once(this.lines, 'line');
    this.child.stdin.write(`${station} ${address}\n`);
    return ((await answer) as string[])[0];
  }

  get isAlive(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  async end(): Promise<void> {
    if (!this.isAlive) return;
    const ended = once(this.child, 'close');
    this.child.kill('SIGKILL');
    await ended;
  }
}

/** The error with which a user's program opens the TAP: 0 for none. */
export function openTapAs(python: string, namespace: string, uid: number, tap: string): number {
  const user = ['setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups'];
  const words = [`--net=/run/netns/${namespace}`, ...user, python, '-c', OPEN, tap];
  const { stdout, stderr } = spawnSync('nsenter', words, { encoding: 'utf8' });
  if (stdout === '') throw new Error(stderr);
  return Number(stdout);
}
