/**
 * The headers that mixes are made of: of data packets that iperf3 sent, from fixtures/captures. Here as text, so that
 * making a mix needs no file. `npm run fixtures:captures` writes this file; test/unit/bench/traffic-mix.test.ts holds it
 * to the captures it names.
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
    '4': {
      capture: 'udp-v4',
      packet: 19,
      header: '020000090101020000090102080045000500dcc24000401142150a0901020a090202c83c145104ec9e5b',
    },
    '6': {
      capture: 'udp-v6',
      packet: 29,
      header:
        '02000009010102000009010286dd60018b0404ec1140fd090001000000000000000000000002fd0900020000000000000000000000029ca4145104ec55b0',
    },
  },
  tcp: {
    '4': {
      capture: 'tcp-no-timestamps-v4',
      packet: 22,
      header:
        '0200000901010200000901020800450005dcd0c6400040064d400a0901020a0902028a421451cd2c5aa7d34c34145010003fe54c0000',
    },
    '6': {
      capture: 'tcp-no-timestamps-v6',
      packet: 34,
      header:
        '02000009010102000009010286dd60071fff05b40640fd090001000000000000000000000002fd090002000000000000000000000002bdc01451add75f762e01f04650100040dc8f0000',
    },
  },
};
