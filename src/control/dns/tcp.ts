/**
 * One client's TCP connection: messages of two octets of length and the message, as many as the client likes, each answered
 * when its answer is there, in whatever order (RFC 7766 section 6.2.1.1). Bounded: a question has 4 KiB at most, 64 of a
 * connection are under way at a time, and whoever does not read its answers is not read from. Ended after ten
 * seconds in which nothing came or went.
 */
import type { Socket } from 'node:net';
import type { Answerer } from './answerer.js';
import { MOST_MESSAGE_BYTES } from './constants.js';

export const TCP_LIMITS = {
  messageBytes: 4096,
  underWay: 64,
  /** Answers that wait for the client to read them. */
  unreadBytes: 256 * 1024,
  idleMs: 10_000,
} as const;

const WHOLE = () => MOST_MESSAGE_BYTES;

export class TcpClient {
  private received: Buffer = Buffer.alloc(0);
  private underWay = 0;
  private ended = false;

  constructor(
    private readonly socket: Socket,
    private readonly address: string,
    private readonly answerer: Answerer,
  ) {
    socket.setTimeout(TCP_LIMITS.idleMs, () => socket.destroy());
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk: Buffer) => this.take(chunk));
    socket.on('drain', () => this.read());
    socket.on('end', () => {
      this.ended = true;
      this.endWhenDone();
    });
  }

  private take(chunk: Buffer): void {
    this.received = this.received.length === 0 ? chunk : Buffer.concat([this.received, chunk]);
    this.read();
  }

  /** As many whole messages as may be under way; the socket rests while there are more. */
  private read(): void {
    while (this.received.length >= 2 && !this.isFull()) {
      const end = 2 + this.received.readUInt16BE(0);
      if (end > 2 + TCP_LIMITS.messageBytes) {
        this.socket.destroy();
        return;
      }
      if (this.received.length < end) break;
      const message = this.received.subarray(2, end);
      this.received = this.received.subarray(end);
      this.ask(message);
    }
    if (this.isFull()) this.socket.pause();
    else if (this.socket.isPaused()) this.socket.resume();
  }

  private isFull(): boolean {
    return this.underWay >= TCP_LIMITS.underWay || this.socket.writableLength > TCP_LIMITS.unreadBytes;
  }

  private ask(message: Buffer): void {
    this.underWay++;
    let within = true;
    this.answerer.answer(message, this.address, WHOLE, (answer) => {
      this.underWay--;
      if (answer && this.socket.writable) this.write(answer);
      // Else `read` goes on by itself.
      if (!within) this.read();
      this.endWhenDone();
    });
    within = false;
  }

  private write(answer: Buffer): void {
    this.socket.write(Buffer.concat([Buffer.of(answer.length >> 8, answer.length & 0xff), answer]));
  }

  private endWhenDone(): void {
    if (this.ended && this.underWay === 0) this.socket.end();
  }
}
