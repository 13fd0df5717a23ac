/** What can be wrong with a capture file. The code is stable; the message says what to do. */
export type PcapErrorCode =
  | 'PCAP_UNREADABLE'
  | 'PCAP_NOT_A_CAPTURE'
  | 'PCAP_IS_PCAPNG'
  | 'PCAP_NANOSECONDS'
  | 'PCAP_VERSION'
  | 'PCAP_LINK_TYPE'
  | 'PCAP_TRUNCATED'
  | 'PCAP_TOO_LARGE'
  | 'PCAP_PACKET_TOO_LONG'
  | 'PCAP_WRITE_FAILED';

export class PcapError extends Error {
  override readonly name = 'PcapError';

  constructor(
    readonly code: PcapErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}
