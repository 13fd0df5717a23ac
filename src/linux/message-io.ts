/** sendmsg and recvmsg, one message a call, neither of which waits: the backend without io_uring. */
import { type Libc, libc } from './libc.js';
import { MSG_DONTWAIT } from './socket-abi.js';

/** Messages of a kind of socket: udp-message.ts, packet-message.ts. */
export interface Messages {
  /** The first is at its beginning, as the kernel reads it. */
  readonly words: Int32Array;
  /** Aims a message at packet memory. */
  aimToReceive(index: number, offset: number, length: number): void;
}

export class MessageIo<T extends Messages> {
  readonly #libc: Libc;

  /** @param message a table with room for the one message that is under way during a call. */
  constructor(readonly message: T) {
    this.#libc = libc();
  }

  /** Bytes received to packet memory at `offset`, or a negative errno: -EAGAIN where there is nothing. */
  receive(fd: number, offset: number, length: number): number {
    this.message.aimToReceive(0, offset, length);
    const bytes = this.#libc.recvmsg(fd, this.message.words, MSG_DONTWAIT);
    return bytes < 0 ? -this.#libc.errno() : bytes;
  }

  /** Sends what `message` was aimed at. Bytes, or a negative errno: -EAGAIN where the socket's buffer is full. */
  send(fd: number): number {
    const bytes = this.#libc.sendmsg(fd, this.message.words, MSG_DONTWAIT);
    return bytes < 0 ? -this.#libc.errno() : bytes;
  }
}
