/**
 * One question to one name server, once: over UDP, and over TCP where the answer does not fit. Each has a socket of
 * its own, so the kernel chooses a random source port for each and gives us datagrams of this server alone (RFC 5452
 * section 9). The id is random too. What else comes is not an answer and is passed over.
 *
 * It costs one file descriptor for as long as it waits. `done` is called once, and never after `cancel`.
 */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import { CLASS_IN, FLAG, HEADER, MOST_UDP_BYTES, RCODE, TYPE } from './constants.js';
import { type Reply, readReply } from './reply.js';

export interface NameServer {
  readonly address: string;
  readonly port: number;
}

/** What is asked of an upstream; all that a cached answer depends on. */
export interface Question {
  readonly key: string;
  /** Name, type, class. */
  readonly question: Buffer;
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
}

/** `refused`: nobody is there, the kernel says. */
export type Outcome = Reply | 'refused';

export type Cancel = () => void;

export type Done = (outcome: Outcome) => void;

/** Some servers answer FORMERR to EDNS; they are asked again without it (RFC 6891 section 6.2.2). */
export function ask(server: NameServer, question: Question, done: Done): Cancel {
  let cancel = askUdp(server, question, true, (outcome) => {
    if (outcome !== 'refused' && outcome.rcode === RCODE.FORMERR) {
      cancel = askUdp(server, question, false, (plain) => whole(plain));
    } else whole(outcome);
  });
  function whole(outcome: Outcome): void {
    if (outcome === 'refused' || !outcome.truncated) {
      done(outcome);
      return;
    }
    // Where TCP does not get through, what came is better than nothing: it says that it is cut short.
    cancel = askTcp(server, question, (full) => done(full === 'refused' ? outcome : full));
  }
  return () => cancel();
}

function askUdp(server: NameServer, question: Question, edns: boolean, done: Done): Cancel {
  const id = randomInt(0x1_0000);
  const socket = createSocket(isIPv6(server.address) ? 'udp6' : 'udp4');
  let open = true;
  const close = () => {
    if (open) socket.close();
    open = false;
  };
  const end = (outcome: Outcome) => {
    if (!open) return;
    close();
    done(outcome);
  };
  socket.on('error', () => end('refused'));
  socket.on('message', (message) => {
    const reply = readReply(message, id, question.question);
    if (reply) end(reply);
  });
  // Where there is no way to it the error comes here, and not as an event.
  socket.connect(server.port, server.address, (error?: Error) => {
    if (error) end('refused');
    else if (open) socket.send(encode(id, question, edns));
  });
  return close;
}

/** @param done with `refused` for whatever goes wrong. */
function askTcp(server: NameServer, question: Question, done: Done): Cancel {
  const id = randomInt(0x1_0000);
  const socket = connect({ port: server.port, host: server.address });
  let received = Buffer.alloc(0);
  let over = false;
  const end = (outcome: Outcome) => {
    if (over) return;
    over = true;
    socket.destroy();
    done(outcome);
  };
  socket.on('error', () => end('refused'));
  socket.on('close', () => end('refused'));
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
    if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
    end(readReply(received.subarray(2, 2 + received.readUInt16BE(0)), id, question.question) ?? 'refused');
  });
  const message = encode(id, question, true);
  socket.write(Buffer.concat([Buffer.of(message.length >> 8, message.length & 0xff), message]));
  return () => {
    over = true;
    socket.destroy();
  };
}

const OPT_BYTES = 11;

function encode(id: number, { question, dnssecOk, checkingDisabled }: Question, edns: boolean): Buffer {
  const end = HEADER.end + question.length;
  const message = Buffer.alloc(end + (edns ? OPT_BYTES : 0));
  message.writeUInt16BE(id, HEADER.id);
  const flags = FLAG.recursionDesired | (checkingDisabled ? FLAG.checkingDisabled : 0);
  message.writeUInt16BE(flags, HEADER.flags);
  message.writeUInt16BE(1, HEADER.questions);
  question.copy(message, HEADER.end);
  if (!edns) return message;
  message.writeUInt16BE(1, HEADER.additional);
  message.writeUInt16BE(TYPE.OPT, end + 1);
  message.writeUInt16BE(MOST_UDP_BYTES, end + 3);
  if (dnssecOk) message[end + 7] = 0x80;
  return message;
}

/** A question of our own making. @param labels ASCII. */
export function questionOf(labels: readonly string[], type: number): Question {
  const name = labels.flatMap((label) => [Buffer.of(label.length), Buffer.from(label, 'latin1')]);
  const question = Buffer.concat([...name, Buffer.of(0, type >> 8, type & 0xff, 0, CLASS_IN)]);
  return { key: '', question, dnssecOk: false, checkingDisabled: false };
}
