/**
 * The classic BPF program of a packet socket: which frames of the interface are ours at all. It runs in the kernel,
 * before a frame is queued, so what it refuses costs some 20 ns and wakes nobody.
 *
 * Refused are frames for the interface's own MAC address (PACKET_HOST): they are the host's, and there are as many of
 * them as the host has traffic. With a VLAN, all but the frames that carry its 802.1Q tag, and those in which a second
 * tag follows: whoever can put two on would reach another VLAN wherever the first one is taken off.
 */
import { libc, nativeArray } from './libc.js';
import { MemoryAddress } from './memory.js';
import { Bpf, PACKET_HOST, SkfAd } from './packet-abi.js';
import { FPROG_WORDS, SocketLevel, SocketOption } from './udp-abi.js';

const ETHERTYPE_AT = 12;
const TPID_8021Q = 0x8100;
const TPID_8021AD = 0x88a8;
const VLAN_ID = 0x0fff;
const WHOLE_PACKET = 0xffff_ffff;

/** struct sock_filter { u16 code; u8 jt, jf; u32 k } */
type Instruction = readonly [code: number, whenTrue: number, whenFalse: number, k: number];

/** Refuses what is equal to `k`, or what is not; the last instruction of a program refuses, the one before it takes. */
type Check = readonly [
  load: readonly (readonly [code: number, k: number])[],
  k: number,
  refuse: 'equal' | 'other',
];

function checksFor(vlan: number | undefined): readonly Check[] {
  const notOurs: Check = [[[Bpf.LD_W_ABS, SkfAd.PKTTYPE]], PACKET_HOST, 'equal'];
  if (vlan === undefined) return [notOurs];
  const id = [
    [Bpf.LD_W_ABS, SkfAd.VLAN_TAG],
    [Bpf.AND_K, VLAN_ID],
  ] as const;
  return [
    [[[Bpf.LD_W_ABS, SkfAd.VLAN_TAG_PRESENT]], 0, 'equal'],
    [id, vlan, 'other'],
    [[[Bpf.LD_W_ABS, SkfAd.VLAN_TPID]], TPID_8021Q, 'other'],
    [[[Bpf.LD_H_ABS, ETHERTYPE_AT]], TPID_8021Q, 'equal'],
    [[[Bpf.LD_H_ABS, ETHERTYPE_AT]], TPID_8021AD, 'equal'],
    notOurs,
  ];
}

/** The program for a socket that takes one VLAN alone, or everything. */
export function filterProgram(vlan: number | undefined): readonly Instruction[] {
  const checks = checksFor(vlan);
  const length = checks.reduce((sum, [load]) => sum + load.length + 1, 0);
  const program: Instruction[] = [];
  for (const [load, k, refuse] of checks) {
    for (const [code, argument] of load) program.push([code, 0, 0, argument]);
    // Behind the checks stand "take" and "refuse".
    const toRefuse = length - program.length;
    program.push(refuse === 'equal' ? [Bpf.JEQ_K, toRefuse, 0, k] : [Bpf.JEQ_K, 0, toRefuse, k]);
  }
  program.push([Bpf.RET_K, 0, 0, WHOLE_PACKET], [Bpf.RET_K, 0, 0, 0]);
  return program;
}

/** Attaches it; answers 0, or -1 with errno. */
export function attachFilter(fd: number, program: readonly Instruction[]): number {
  // struct sock_fprog and the instructions in one buffer, which lives for as long as the call takes it.
  const words = nativeArray(FPROG_WORDS + program.length * 2);
  const view = new DataView(words.buffer);
  const start = FPROG_WORDS * 4;
  program.forEach(([code, whenTrue, whenFalse, k], index) => {
    const at = start + index * 8;
    view.setUint16(at, code, true);
    view.setUint8(at + 2, whenTrue);
    view.setUint8(at + 3, whenFalse);
    view.setUint32(at + 4, k, true);
  });
  const address = new MemoryAddress(words.buffer);
  words[0] = program.length;
  words[2] = address.low(start);
  words[3] = address.high(start);
  const { SO_ATTACH_FILTER } = SocketOption;
  return libc().setsockopt(fd, SocketLevel.SOL_SOCKET, SO_ATTACH_FILTER, words, FPROG_WORDS * 4);
}
