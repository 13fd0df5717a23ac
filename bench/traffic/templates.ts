/**
 * The headers that mixes are made of: of data packets that iperf3 sent, from fixtures/captures. Here as text, so that
 * making a mix needs no file; test/unit/bench/traffic.test.ts holds them to the captures they name.
 */
export interface Template {
  /** Name of the capture, and the number of the packet in it as tshark counts, from 1. */
  readonly capture: string;
  readonly packet: number;
  /** Ethernet, IP and transport header, in hexadecimal digits. */
  readonly header: string;
}

export const TEMPLATES: Readonly<Record<'udp' | 'tcp', Readonly<Record<4 | 6, Template>>>> = {
  udp: {
    4: {
      capture: 'udp-v4',
      packet: 1,
      header: '0200000000020200000000010800450005009d1f400040118aa00a0900010a090002c0a8145104ec0000',
    },
    6: {
      capture: 'udp-v6',
      packet: 1,
      header:
        '02000000000202000000000186dd60012345050011' +
        '40fd090000000000000000000000000001fd090000000000000000000000000002c0a8145104ec0000',
    },
  },
  tcp: {
    4: {
      capture: 'tcp-v4',
      packet: 1,
      header:
        '02000000000202000000000108004500003c9d1f4000400600000a0900010a090002c0a8145100000001000000015010020000000000',
    },
    6: {
      capture: 'tcp-v6',
      packet: 1,
      header:
        '02000000000202000000000186dd60012345001406' +
        '40fd090000000000000000000000000001fd090000000000000000000000000002c0a8145100000001000000015010020000000000',
    },
  },
};
