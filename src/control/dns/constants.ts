/**
 * Numbers of the DNS protocol (IANA's registry), and below them what podwire itself chose. RFC 1035 section 4.1.1 has
 * the header:
 *
 *     0  ID                                   2  QR|opcode|AA|TC|RD|RA|Z|AD|CD|RCODE
 *     4  QDCOUNT     6  ANCOUNT     8  NSCOUNT    10  ARCOUNT     12  the question
 */
export const HEADER = {
  id: 0,
  flags: 2,
  questions: 4,
  answers: 6,
  authority: 8,
  additional: 10,
  end: 12,
} as const;

/** In a record, from the end of its owner name on (RFC 1035 section 4.1.3). */
export const RECORD = { type: 0, class: 2, ttl: 4, length: 8, data: 10 } as const;

export const FLAG = {
  response: 0x8000,
  opcode: 0x7800,
  authoritative: 0x0400,
  truncated: 0x0200,
  recursionDesired: 0x0100,
  recursionAvailable: 0x0080,
  checkingDisabled: 0x0010,
  rcode: 0x000f,
} as const;

export const TYPE = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  HINFO: 13,
  TXT: 16,
  AAAA: 28,
  SRV: 33,
  OPT: 41,
  ANY: 255,
} as const;

/** 128 to 254 are questions about something other than data: transfers, TSIG, TKEY (RFC 6895 section 3.1). */
export const META_TYPES = { first: 128, last: 254 } as const;

export const CLASS_IN = 1;

export const RCODE = {
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  /** Its upper bits are in the OPT record (RFC 6891 section 6.1.3). */
  BADVERS: 16,
} as const;

/** The DO bit, in what is the TTL of other records (RFC 6891 section 6.1.4). */
export const DNSSEC_OK = 0x8000;

/** What a client without EDNS takes over UDP (RFC 1035 section 4.2.1). */
export const PLAIN_UDP_BYTES = 512;
export const MOST_NAME_BYTES = 255;
export const MOST_LABEL_BYTES = 63;
export const MOST_MESSAGE_BYTES = 65_535;

/** No larger datagram is sent, whatever a client offers: it would be cut into fragments (RFC 9715). */
export const MOST_UDP_BYTES = 1232;

/** How long clients may keep what is known here (s). Endpoints come and go; asking again costs little. */
export const ZONE_TTL = 5;
