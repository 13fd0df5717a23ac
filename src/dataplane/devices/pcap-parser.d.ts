// The part of pcap-parser that podwire uses; the package has no types of its own.
declare module 'pcap-parser' {
  import type { EventEmitter } from 'node:events';

  export interface GlobalHeader {
    majorVersion: number;
    minorVersion: number;
    linkLayerType: number;
  }

  export interface PcapPacket {
    header: {
      timestampSeconds: number;
      timestampMicroseconds: number;
      capturedLength: number;
      originalLength: number;
    };
    data: Buffer;
  }

  /** Emits 'globalHeader' once, 'packet' for each, then 'end'; or 'error'. */
  export function parse(path: string): EventEmitter;
}
