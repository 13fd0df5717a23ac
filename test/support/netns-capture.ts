/**
 * What passes an interface, captured by tcpdump in its namespace and taken apart by tshark: the judges of
 * packets that we send.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** Fields of tshark that tests ask for; each is '' where the packet has no such field. */
const FIELDS = {
  length: 'frame.len',
  protocols: 'frame.protocols',
  from: 'eth.src',
  to: 'eth.dst',
  vlan: 'vlan.id',
  arpOpcode: 'arp.opcode',
  arpMac: 'arp.src.hw_mac',
  arpAddress: 'arp.src.proto_ipv4',
  source: 'ip.src',
  destination: 'ip.dst',
  ttl: 'ip.ttl',
  dontFragment: 'ip.flags.df',
  moreFragments: 'ip.flags.mf',
  fragmentOffset: 'ip.frag_offset',
  source6: 'ipv6.src',
  destination6: 'ipv6.dst',
  hopLimit: 'ipv6.hlim',
  fragment6: 'ipv6.fraghdr.offset',
  icmpType: 'icmp.type',
  icmpCode: 'icmp.code',
  icmpMtu: 'icmp.mtu',
  icmp6Type: 'icmpv6.type',
  icmp6Code: 'icmpv6.code',
  icmp6Mtu: 'icmpv6.mtu',
  naTarget: 'icmpv6.nd.na.target_address',
  naMac: 'icmpv6.opt.linkaddr',
  naSolicited: 'icmpv6.nd.na.flag.s',
  tcpPayload: 'tcp.len',
  udpPort: 'udp.dstport',
  ipSum: 'ip.checksum.status',
  tcpSum: 'tcp.checksum.status',
  tcpCheck: 'tcp.checksum',
  udpSum: 'udp.checksum.status',
  icmpSum: 'icmp.checksum.status',
  icmp6Sum: 'icmpv6.checksum.status',
  malformed: '_ws.malformed',
} as const;

/** One packet: the outermost value of every field, of inner headers too where `occurrence` asks for all. */
export type Packet = Record<keyof typeof FIELDS, string>;

const NAMES = Object.keys(FIELDS) as (keyof typeof FIELDS)[];

const SUMS = ['ipSum', 'tcpSum', 'udpSum', 'icmpSum', 'icmp6Sum'] as const;

/** tshark's status of a checksum that is wrong. */
const BAD = '0';

/** Bytes kept of a packet: whole ones up to the usual MTU. tcpdump's buffer has one place of this size for each. */
const SNAP = 2048;

/** A capture that has not grown for this long is complete (ms). */
const SETTLE_MS = 300;

export class Capture {
  private constructor(
    private readonly child: ChildProcess,
    private readonly path: string,
  ) {}

  /** Resolves when tcpdump is listening. `filter` is in its own language. */
  static async start(namespace: string, ifname: string, path: string, filter = ''): Promise<Capture> {
    const buffer = ['--immediate-mode', '-U', '-B', '8192', '-s', String(SNAP)];
    const options = ['-i', ifname, ...buffer, '-Z', 'root', '-w', path];
    const words = ['netns', 'exec', namespace, 'tcpdump', ...options, ...filter.split(' ').filter(Boolean)];
    const child = spawn('ip', words, { stdio: ['ignore', 'ignore', 'pipe'] });
    await listening(child);
    return new Capture(child, path);
  }

  /** Ends the capture and answers what tshark makes of it. */
  async packets(): Promise<Packet[]> {
    await this.settled();
    const exited = once(this.child, 'exit');
    this.child.kill('SIGINT');
    await exited;
    return dissect(this.path);
  }

  stop(): void {
    this.child.kill('SIGKILL');
  }

  /** On SIGINT tcpdump leaves what is still in its buffer: on a busy machine it must be given time to write. */
  private async settled(): Promise<void> {
    for (let before = -1, size = 0; size !== before; ) {
      before = size;
      await sleep(SETTLE_MS);
      size = statSync(this.path).size;
    }
  }
}

/**
 * Resolves once tcpdump says that it listens. It says so in pieces, and a pipe closed after the first of them would end
 * it: it is read to its end. When tcpdump ends instead, what it has said is the reason.
 */
export function listening(child: ChildProcess): Promise<void> {
  let said = '';
  return new Promise((resolve, reject) => {
    child.stderr?.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('listening on')) resolve();
    });
    child.once('close', () => reject(new Error(`tcpdump: ${said}`)));
  });
}

/** A fragment's inner protocol is not looked at, so that its checksum is not taken for that of the whole. */
function dissect(path: string): Packet[] {
  const checked = ['ip', 'tcp', 'udp'].flatMap((protocol) => ['-o', `${protocol}.check_checksum:TRUE`]);
  const whole = [
    '-o',
    'ip.defragment:FALSE',
    '-o',
    'ipv6.defragment:FALSE',
    '-o',
    'tcp.desegment_tcp_streams:FALSE',
  ];
  // What tests carry is noise, in which dissectors of the ports' usual protocols would find errors.
  const noise = ['-d', 'tcp.port==5000,data', '-d', 'udp.port==5001,data'];
  const fields = NAMES.flatMap((name) => ['-e', FIELDS[name]]);
  const layout = ['-T', 'fields', '-E', 'occurrence=f', '-E', 'separator=/t'];
  const words = ['-n', '-r', path, ...checked, ...whole, ...noise, ...layout, ...fields];
  const text = execFileSync('tshark', words, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    maxBuffer: 1 << 28,
  });
  return text.split('\n').filter(Boolean).map(toPacket);
}

function toPacket(line: string): Packet {
  const values = line.split('\t');
  return Object.fromEntries(NAMES.map((name, index) => [name, plain(values[index] ?? '')])) as Packet;
}

/** A flag is 1 or 0, which newer versions of tshark spell out. */
function plain(value: string): string {
  return value === 'True' ? '1' : value === 'False' ? '0' : value;
}

/** Packets that tshark finds a wrong checksum in, or cannot take apart. */
export function broken(packets: readonly Packet[]): Packet[] {
  return packets.filter(
    (packet) =>
      packet.malformed !== '' || SUMS.some((sum) => packet[sum] === BAD && !isKernelsZero(packet, sum)),
  );
}

/** Linux writes a TCP checksum of 0 as 0xffff, one in 65,536, which is right to every receiver but tshark. */
function isKernelsZero(packet: Packet, sum: (typeof SUMS)[number]): boolean {
  return sum === 'tcpSum' && packet.tcpCheck === '0xffff';
}

/** How many of the packets have a checksum that tshark has verified. */
export function verified(packets: readonly Packet[], sum: (typeof SUMS)[number]): number {
  return packets.filter((packet) => packet[sum] === '1').length;
}

/** Packets with these values. */
export function matching(packets: readonly Packet[], wanted: Partial<Packet>): Packet[] {
  const entries = Object.entries(wanted) as [keyof Packet, string][];
  return packets.filter((packet) => entries.every(([name, value]) => packet[name] === value));
}
