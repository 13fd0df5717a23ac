/** A name server made for a test, on loopback: each datagram and each TCP message is given to `react`. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { type Answer, decode, encode, type Packet } from 'dns-packet';
import { onTestFinished } from 'vitest';
import type { NameServer } from '../../src/control/dns/ask.js';

export interface Asked {
  readonly message: Buffer;
  readonly packet: Packet;
  readonly overTcp: boolean;
}

/** @returns what to send back, in this order; nothing for silence. */
export type React = (asked: Asked) => readonly Buffer[];

export interface TestUpstream extends NameServer {
  readonly asked: Asked[];
  /** Answers the first of the test's questions that came over UDP. */
  answerLate(answer: (asked: Asked) => Buffer): void;
  close(): void;
}

export async function upstreamOf(react: React, port = 0): Promise<TestUpstream> {
  const tcp = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      for (const answer of take(chunk.subarray(2), true)) {
        socket.write(Buffer.concat([Buffer.of(answer.length >> 8, answer.length & 0xff), answer]));
      }
    });
  });
  await once(tcp.listen(port, '127.0.0.1'), 'listening');
  const chosen = (tcp.address() as AddressInfo).port;
  const udp = createSocket('udp4');
  await new Promise<void>((resolve) => udp.bind(chosen, '127.0.0.1', resolve));
  const asked: Asked[] = [];
  const take = (message: Buffer, overTcp: boolean) => {
    const one = { message: Buffer.from(message), packet: decode(message), overTcp };
    asked.push(one);
    return react(one);
  };
  const senders: { asked: Asked; port: number }[] = [];
  udp.on('message', (message, from) => {
    for (const answer of take(message, false)) udp.send(answer, from.port, from.address);
    senders.push({ asked: asked[asked.length - 1], port: from.port });
  });
  const answerLate = (answer: (asked: Asked) => Buffer) => {
    const first = senders.find((sender) => isTest(sender.asked));
    if (first) udp.send(answer(first.asked), first.port, '127.0.0.1');
  };
  let open = true;
  const close = () => {
    if (!open) return;
    open = false;
    udp.close();
    tcp.close();
  };
  onTestFinished(close);
  return { address: '127.0.0.1', port: chosen, asked, answerLate, close };
}

/** An answer to what was asked. @param flags with TC or an RCODE. */
export function say({ packet }: Asked, answers: Answer[] = [], flags = 0): Buffer {
  return encode({ type: 'response', id: packet.id, flags, questions: packet.questions, answers });
}

/** 192.0.2.`number` for the name that was asked. */
export function address(asked: Asked, number: number): Answer {
  const [{ name }] = asked.packet.questions ?? [];
  return { type: 'A', name, ttl: 60, data: `192.0.2.${number}` };
}

/** Names that the test asks; the server asks for the root and for random names besides. */
export function isTest({ packet }: Asked): boolean {
  return packet.questions?.[0]?.name.endsWith('.test') ?? false;
}
