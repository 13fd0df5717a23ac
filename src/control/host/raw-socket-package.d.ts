/**
 * What is used of raw-socket 1.8, which comes without types. Not src/linux/raw-socket.ts, which is podwire's own.
 * It is an optional dependency: see icmp-echo.ts.
 */
declare module 'raw-socket' {
  import type { EventEmitter } from 'node:events';

  export interface Socket extends EventEmitter {
    send(
      buffer: Buffer,
      offset: number,
      length: number,
      address: string,
      sent: (error: Error | null, bytes: number) => void,
    ): this;
    /** With a Buffer: the option's bytes, of the length given. */
    setOption(level: number, option: number, value: number): void;
    setOption(level: number, option: number, value: Buffer, length: number): void;
    close(): this;
    on(event: 'message', listener: (message: Buffer, source: string) => void): this;
    on(event: 'error', listener: (error: Error) => void): this;
  }

  /** Makes the socket at once, in the network namespace of the calling thread. Throws where that fails. */
  export function createSocket(options: {
    addressFamily: number;
    protocol: number;
    bufferSize: number;
  }): Socket;
  export const AddressFamily: { readonly IPv4: 1; readonly IPv6: 2 };
  export const Protocol: { readonly ICMP: 1; readonly ICMPv6: 58 };
}
