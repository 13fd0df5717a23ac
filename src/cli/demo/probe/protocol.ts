/**
 * What the demo and its probes say to each other: a probe is a child process inside one network namespace,
 * and takes one request after another over Node's IPC channel.
 */

export interface PingRequest {
  readonly target: string;
  /** Echo requests, each sent when the one before is answered or given up. */
  readonly count: number;
  /** Octets of payload. */
  readonly size: number;
  readonly timeoutMs: number;
}

export interface PingResult {
  /** Fewer than asked for where one was not answered. */
  readonly sent: number;
  /** Round trip of each one answered, in microseconds, in the order of sending. */
  readonly micros: number[];
  /** TTL with which the last answer arrived; null over IPv6, where the socket does not tell. */
  readonly ttl: number | null;
}

export interface HopRequest {
  readonly target: string;
  /** TTL or hop limit of the echo request. */
  readonly ttl: number;
  readonly timeoutMs: number;
}

/** Who answered an echo request of limited reach, and how; null when nobody did. */
export interface HopResult {
  readonly from: string | null;
  readonly answer: 'echo reply' | 'time exceeded' | 'unreachable' | 'too big' | null;
}

export interface TooBigRequest {
  readonly target: string;
  /** Octets of the whole IP packet, sent with Don't Fragment; within the interface's MTU. */
  readonly size: number;
  readonly timeoutMs: number;
}

/** Who says that it is too big, and what fits; null when nobody does. */
export type TooBigResult = { readonly from: string; readonly mtu: number } | null;

export interface DatagramRequest {
  /** An address of the probe's namespace. */
  readonly from: string;
  readonly host: string;
  readonly port: number;
  /** Base64. */
  readonly datagrams: string[];
}

export interface SendRequest {
  /** Octets of random data for whoever connects. */
  readonly octets: number;
}

export interface ReceiveRequest {
  readonly host: string;
  readonly port: number;
  readonly octets: number;
}

export interface ReceiveResult {
  readonly octets: number;
  readonly sha256: string;
  /** From the connection to the last octet. */
  readonly millis: number;
}

export interface EchoRequest {
  readonly host: string;
  readonly port: number;
  /** Octets of each datagram. */
  readonly sizes: number[];
}

export interface EchoResult {
  /** Sizes whose datagram came back as it was sent; the first that did not ends it. */
  readonly echoed: number[];
}

export interface InjectRequest {
  readonly ifname: string;
  /** Ethernet frames, base64. */
  readonly frames: string[];
}

export interface ExchangeResult {
  readonly millis: number;
}

export interface InterfaceResult {
  readonly index: number;
  readonly mac: string;
  /** Without prefix length, global ones only, sorted. */
  readonly addresses: string[];
}

export interface NamedServer {
  /** What it answers, before its client's address. */
  readonly name: string;
  readonly port: number;
}

export interface CallsRequest {
  readonly host: string;
  readonly port: number;
  readonly count: number;
}

/** A connection to a named server, or to what stands for one. */
export interface Call {
  /** When it was over, milliseconds of the epoch: to be compared between probes. */
  readonly at: number;
  readonly millis: number;
  readonly server?: string;
  /** The client's address, for the server. */
  readonly seen?: string;
  /** Code of the error where nobody answered. */
  readonly error?: string;
}

export interface CallsResult {
  readonly calls: Call[];
}

export interface NameRequest {
  /** Address of the name server. */
  readonly server: string;
  readonly name: string;
}

export interface NameResult {
  readonly addresses: string[];
  readonly millis: number;
}

/** Requests by name: what each takes and answers. */
export interface Operations {
  ping: [PingRequest, PingResult];
  hop: [HopRequest, HopResult];
  tooBig: [TooBigRequest, TooBigResult];
  /** Offers random data to the first who connects; answers at once. */
  tcpSend: [SendRequest, { port: number; sha256: string }];
  /** Fetches what `tcpSend` offers; reports its progress in octets. */
  tcpReceive: [ReceiveRequest, ReceiveResult];
  /** A TCP server that echoes. */
  tcpEcho: [Record<string, never>, { port: number }];
  /** Opens the connection that `exchange` uses. */
  connect: [{ host: string; port: number }, Record<string, never>];
  /** Sends a message over the open connection and waits for its echo. */
  exchange: [{ timeoutMs: number }, ExchangeResult];
  /** A UDP server that echoes, and counts what it hears. */
  udpServe: [Record<string, never>, { port: number }];
  udpHeard: [Record<string, never>, { datagrams: number }];
  udpEcho: [EchoRequest, EchoResult];
  udpSend: [DatagramRequest, Record<string, never>];
  /** A TCP server that tells each client the address that it sees it under. */
  seenServe: [Record<string, never>, { port: number }];
  seenAs: [{ host: string; port: number }, { seen: string }];
  /** A TCP server that says its name, and the address that it sees its client under. */
  serveNamed: [NamedServer, Record<string, never>];
  callMany: [CallsRequest, CallsResult];
  lookUp: [NameRequest, NameResult];
  inject: [InjectRequest, Record<string, never>];
  interface: [{ ifname: string }, InterfaceResult | null];
}

export type Operation = keyof Operations;
export type Request<O extends Operation> = Operations[O][0];
export type Result<O extends Operation> = Operations[O][1];

/** From the demo to a probe. */
export interface ProbeCall {
  readonly id: number;
  readonly operation: Operation;
  readonly request: unknown;
}

/** From a probe to the demo: progress any number of times, then a result or an error. */
export type ProbeAnswer =
  | { readonly id: number; readonly progress: number }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string };
