/**
 * Tunnel packets between nodes, captured by tcpdump and read by tshark: inner and outer headers, every checksum
 * looked at, and whatever tshark's experts complain about.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

export interface TunnelPacket {
  readonly vni: string;
  readonly sourcePort: string;
  readonly udpPort: string;
  readonly length: number;
  /** Of all headers, from the outermost: `eth:ethertype:ip:udp:vxlan:eth:…`. */
  readonly protocols: string;
  /** Of every IP, TCP, UDP and ICMP header, outer and inner: Good, Bad, Unverified or 'not there'. */
  readonly sums: readonly string[];
}

const STATUS: Readonly<Record<string, string>> = {
  '0': 'Bad',
  '1': 'Good',
  '2': 'Unverified',
  '3': 'not there',
};
const SUMS = ['ip', 'udp', 'tcp', 'icmp', 'icmpv6'].map((name) => `${name}.checksum.status`);
const FIELDS = [
  'vxlan.vni',
  'udp.srcport',
  'udp.dstport',
  'frame.len',
  'frame.protocols',
  'tcp.checksum',
  ...SUMS,
];

/** A capture that has not grown for this long is complete (ms). */
const SETTLE_MS = 300;

export class TunnelCapture {
  private constructor(
    private readonly child: ChildProcess,
    private readonly path: string,
    private readonly port: number,
  ) {}

  static async start(namespace: string, ifname: string, path: string, port: number): Promise<TunnelCapture> {
    const options = ['-i', ifname, '--immediate-mode', '-U', '-B', '16384', '-Z', 'root', '-w', path];
    const words = [`--net=/run/netns/${namespace}`, 'tcpdump', ...options, 'udp', 'port', String(port)];
    const child = spawn('nsenter', words, { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    await new Promise<void>((resolve, reject) => {
      child.stderr?.on('data', (chunk: Buffer) => {
        said += chunk.toString();
        if (said.includes('listening on')) resolve();
      });
      child.once('close', () => reject(new Error(`tcpdump: ${said}`)));
    });
    return new TunnelCapture(child, path, port);
  }

  /** Ends tcpdump, if it has not ended. */
  end(): void {
    if (this.child.exitCode === null) this.child.kill('SIGINT');
  }

  /** What tshark makes of it, and what it complains about: malformed packets, wrong sums and lengths. */
  async packets(): Promise<{ packets: TunnelPacket[]; complaints: string[] }> {
    for (let before = -1, size = 0; size !== before; ) {
      before = size;
      await sleep(SETTLE_MS);
      size = statSync(this.path).size;
    }
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const ended = once(this.child, 'exit');
      this.child.kill('SIGINT');
      await ended;
    }
    return { packets: this.dissect(), complaints: this.complaints() };
  }

  private dissect(): TunnelPacket[] {
    const fields = FIELDS.flatMap((field) => ['-e', field]);
    const layout = ['-T', 'fields', '-E', 'occurrence=a', '-E', 'aggregator=,', '-E', 'separator=/t'];
    const lines = this.tshark(...layout, ...fields)
      .split('\n')
      .filter(Boolean);
    return lines.map((line) => {
      const [vni, sources, ports, length, protocols, tcpCheck, ...sums] = line.split('\t');
      return {
        vni,
        sourcePort: sources.split(',')[0],
        udpPort: ports.split(',')[0],
        length: Number(length),
        protocols,
        sums: sums.flatMap((text) =>
          text
            .split(',')
            .filter(Boolean)
            // Linux writes a TCP checksum of 0 as 0xffff, one in 65,536, which is right to every receiver but tshark.
            .map((value) => (tcpCheck === '0xffff' && value === '0' ? 'Good' : (STATUS[value] ?? value))),
        ),
      };
    });
  }

  /** Retransmissions and the like are TCP's own business, and no fault of a packet. */
  private complaints(): string[] {
    const isFault = '(_ws.malformed || _ws.expert.severity == "Error") && !tcp.analysis.flags';
    return this.tshark('-Y', isFault, '-T', 'fields', '-e', 'frame.number', '-e', '_ws.expert.message')
      .split('\n')
      .filter(Boolean);
  }

  private tshark(...words: string[]): string {
    const checked = ['ip', 'tcp', 'udp'].flatMap((name) => ['-o', `${name}.check_checksum:TRUE`]);
    const tunnel = ['-d', `udp.port==${this.port},vxlan`];
    const noise = ['-d', 'tcp.port==5000,data', '-o', 'ip.defragment:FALSE', '-o', 'ipv6.defragment:FALSE'];
    return execFileSync('tshark', ['-n', '-r', this.path, ...checked, ...tunnel, ...noise, ...words], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      maxBuffer: 1 << 28,
    });
  }
}
