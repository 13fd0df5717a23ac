/** Captures of TCP and UDP streams, which iperf3 makes. */
import { client, type Recipe, router, type Server, type Step, server } from './recipe.js';

/** The server's addresses. */
export const V4 = '10.9.2.2';
export const V6 = 'fd09:2::2';

/** Serves one test, then ends. */
export const IPERF: Server = { ...server('iperf3 -s -1 --forceflush'), ready: 'listening' };
/** The payload repeats a pattern, so that captures compress well. */
export function iperf(address: string, options: string): Step {
  return client(`iperf3 -c ${address} ${options} --repeating-payload`);
}

export const TCP: readonly Recipe[] = [
  {
    name: 'tcp-v4',
    about: 'a TCP stream with timestamps, from its handshake to its end, and the connection that controls it',
    captureAt: 'client',
    servers: [IPERF],
    steps: [iperf(V4, '-n 96K -l 16K')],
    most: 300,
    shows: ['tcp.flags.syn==1', 'tcp.flags.fin==1', 'tcp.options.timestamp.tsval && frame.len==1514'],
  },
  {
    name: 'tcp-v6',
    about: 'the same over IPv6',
    captureAt: 'client',
    servers: [IPERF],
    steps: [iperf(V6, '-n 96K -l 16K')],
    most: 300,
    shows: ['ipv6 && tcp.flags.syn==1', 'ipv6 && tcp && frame.len==1514'],
  },
  ...([4, 6] as const).map(
    (family): Recipe => ({
      name: `tcp-no-timestamps-v${family}`,
      about: 'TCP without options after the handshake: the headers of TCP mixes are from here',
      captureAt: 'client',
      setup: [client('sysctl -qw net.ipv4.tcp_timestamps=0')],
      servers: [IPERF],
      steps: [iperf(family === 4 ? V4 : V6, '-n 32K -l 8K')],
      most: 150,
      shows: ['tcp.hdr_len==20 && tcp.dstport==5201 && frame.len==1514'],
    }),
  ),
  ...([4, 6] as const).map(
    (family): Recipe => ({
      name: `tcp-offloads-v${family}`,
      about:
        'TCP with TSO and GRO: packets of up to 64 KiB. Their checksums are unfinished, since the device was to ' +
        'do it: only the sum of the pseudo header is there',
      captureAt: 'client',
      offloads: true,
      servers: [IPERF],
      steps: [iperf(family === 4 ? V4 : V6, '-n 384K')],
      most: 80,
      shows: ['tcp.len > 60000'],
    }),
  ),
  {
    name: 'tcp-loss',
    about:
      'a queue too short for the stream (tbf): lost segments, duplicate acknowledgements with SACK, repeats',
    captureAt: 'client',
    setup: [router('tc qdisc add dev eth2 root tbf rate 20mbit burst 4kb limit 16kb')],
    servers: [IPERF],
    steps: [iperf(V4, '-n 192K')],
    most: 350,
    shows: ['tcp.options.sack_le', 'tcp.analysis.retransmission', 'tcp.analysis.duplicate_ack'],
  },
];

export const UDP: readonly Recipe[] = [
  ...([4, 6] as const).map(
    (family): Recipe => ({
      name: `udp-v${family}`,
      about:
        'UDP datagrams of 1252 octets, as large as those of QUIC: the headers of UDP mixes are from here',
      captureAt: 'client',
      servers: [IPERF],
      steps: [iperf(family === 4 ? V4 : V6, '-u -l 1252 -b 50M -n 120K')],
      most: 150,
      shows: [`udp.length==1260 && ip${family === 4 ? '' : 'v6'}`],
    }),
  ),
  ...([4, 6] as const).map(
    (family): Recipe => ({
      name: `fragments-v${family}`,
      about: 'UDP datagrams of 4000 octets, and echoes of 3000, in fragments',
      captureAt: 'server',
      servers: [IPERF],
      steps: [
        iperf(family === 4 ? V4 : V6, '-u -l 4000 -b 50M -n 80K'),
        client(`ping -c 2 -i 0.2 -s 3000 ${family === 4 ? V4 : V6}`),
      ],
      most: 150,
      shows:
        family === 4
          ? ['ip.flags.mf==1', 'ip.frag_offset>0']
          : ['ipv6.fraghdr.more==1', 'ipv6.fraghdr.offset>0'],
    }),
  ),
];
