/**
 * Shares what an engine learns with the engines beside it (gossip.ts), and applies what they tell.
 *
 * Told: an address that is new, or has changed its port or MAC, at once; one that is heard again and again, once in
 * REPEAT, so that it does not age out at the others while it is in use. There it may age out by so much earlier.
 *
 * A message that met a full ring is marked by its entry, and `repair`, once a second, tells it again in the state that
 * the entry has by then. It keeps its place in the order, and says how old it is, so it is never taken for news. Until
 * then the engine that missed it floods packets for an unknown address, and sends those for a moved one to its old port.
 *
 * A snapshot that takes a port from its domain: an engine that has the old one still may hear an address behind that port,
 * which it knew elsewhere, and forgets it with the port. Who reads the port where it lives has not heard of that, since
 * the message was put aside or its ring was full, and nothing is new to it. So after such a snapshot each address is told
 * once more when it is next heard. Until then the others flood for it.
 *
 * Cost: two comparisons for a packet of a known address. A repair looks at every entry of a table, 3 ms when both
 * are full, and makes garbage of the neighbours; only where something was missed.
 */
import { LEARNED_AGE } from './constants.js';
import type { Counters } from './counters.js';
import { ABOUT, aboutOf, Gossip, type GossipShare, MESSAGE, portOf, vlanOf } from './gossip.js';
import { LearnedMarks } from './learned-marks.js';
import type { Fdb, FdbVisitor, LearnStatus } from './tables/fdb.js';
import type { LearnedNeighbours, NeighbourVisitor } from './tables/neighbours.js';
import { Tables } from './tables.js';

/** Between two messages about an address that is in use and does not change (ms). */
export const REPEAT = LEARNED_AGE / 8;

export class LearnedSharing {
  /** Whether the snapshot has domains that learn: then others may tell something at any time. */
  isLearning = false;
  private readonly gossip: Gossip;
  private readonly macs: LearnedMarks;
  private readonly addresses: LearnedMarks;
  private tables = Tables.empty();
  /** Milliseconds, modulo 2^32. */
  private now = 0;

  constructor(
    share: GossipShare,
    private readonly fdb: Fdb,
    private readonly neighbours: LearnedNeighbours,
    private readonly counters: Counters,
  ) {
    this.gossip = new Gossip(share);
    this.macs = new LearnedMarks(fdb);
    this.addresses = new LearnedMarks(neighbours);
  }

  /** A snapshot is in force; what was told under the one before has been heard. */
  swap(tables: Tables): void {
    if (mayForget(this.tables, tables)) {
      this.macs.tellAgain();
      this.addresses.tellAgain();
    }
    this.tables = tables;
    this.isLearning = tables.domains.learning.includes(1);
  }

  /** `fdb` has just learned this. */
  learnedMac(
    status: LearnStatus,
    domain: number,
    vlan: number,
    hi: number,
    lo: number,
    port: number,
    now: number,
  ): void {
    const entry = this.fdb.last;
    if (!this.macs.mustTell(entry, status, REPEAT, now)) return;
    this.put(ABOUT.MAC, domain, vlan, hi, lo, port);
    this.tell(this.macs, entry, now);
  }

  /** `neighbours` has just learned this IPv4 address. */
  learnedIpv4(
    status: LearnStatus,
    domain: number,
    address: number,
    hi: number,
    lo: number,
    port: number,
    now: number,
  ): void {
    const entry = this.neighbours.last;
    if (!this.addresses.mustTell(entry, status, REPEAT, now)) return;
    this.put(ABOUT.IPV4, domain, 0, hi, lo, port);
    this.putAddress(0, 0, 0, address);
    this.tell(this.addresses, entry, now);
  }

  /** `neighbours` has just learned the IPv6 address of words a to d. */
  learnedIpv6(
    status: LearnStatus,
    domain: number,
    a: number,
    b: number,
    c: number,
    d: number,
    hi: number,
    lo: number,
    port: number,
    now: number,
  ): void {
    const entry = this.neighbours.last;
    if (!this.addresses.mustTell(entry, status, REPEAT, now)) return;
    this.put(ABOUT.IPV6, domain, 0, hi, lo, port);
    this.putAddress(a, b, c, d);
    this.tell(this.addresses, entry, now);
  }

  /** Applies what the others have told. */
  drain(now: number): void {
    this.now = now;
    this.gossip.drain(this, this.tables.generation | 0);
  }

  hear(message: Int32Array): void {
    const domain = message[MESSAGE.DOMAIN_HI] >>> 16;
    if (!this.isTrue(portOf(message), domain)) return;
    if (aboutOf(message) === ABOUT.MAC) this.hearMac(message, domain);
    else this.hearNeighbour(message, domain);
  }

  /** Tells again what others have missed. */
  repair(now: number): void {
    if (this.macs.anyMissed !== 0) {
      this.macs.anyMissed = 0;
      this.fdb.forEach(now, this.repeatMac);
    }
    if (this.addresses.anyMissed !== 0) {
      this.addresses.anyMissed = 0;
      this.neighbours.forEach(now, this.repeatNeighbour);
    }
  }

  /** Whether the port is still where it was when the message was sent, and anything is learned there. */
  private isTrue(port: number, domain: number): boolean {
    const { ports, domains } = this.tables;
    return ports.open[port] === 1 && ports.domain[port] === domain && domains.learning[domain] === 1;
  }

  private hearMac(message: Int32Array, domain: number): void {
    const { fdb, macs, now } = this;
    const vlan = vlanOf(message);
    const hi = message[MESSAGE.DOMAIN_HI] & 0xffff;
    const lo = message[MESSAGE.LO];
    const order = message[MESSAGE.ORDER];
    const known = fdb.entryOf(domain, vlan, hi, lo, now);
    if (known >= 0 && ((order - macs.order[known]) | 0) <= 0) return;
    fdb.learn(domain, vlan, hi, lo, portOf(message), (now - message[MESSAGE.AGE]) | 0);
    macs.heard(fdb.last, order);
  }

  private hearNeighbour(message: Int32Array, domain: number): void {
    const { neighbours, addresses, now } = this;
    const isIpv4 = aboutOf(message) === ABOUT.IPV4;
    const a = message[MESSAGE.ADDRESS];
    const b = message[MESSAGE.ADDRESS + 1];
    const c = message[MESSAGE.ADDRESS + 2];
    const d = message[MESSAGE.ADDRESS + 3];
    const order = message[MESSAGE.ORDER];
    const known = isIpv4 ? neighbours.lookup4(domain, d, now) : neighbours.lookup6(domain, a, b, c, d, now);
    if (known >= 0 && ((order - addresses.order[known]) | 0) <= 0) return;
    const hi = message[MESSAGE.DOMAIN_HI] & 0xffff;
    const lo = message[MESSAGE.LO];
    const seen = (now - message[MESSAGE.AGE]) | 0;
    if (isIpv4) neighbours.learn4(domain, d, hi, lo, portOf(message), seen);
    else neighbours.learn6(domain, a, b, c, d, hi, lo, portOf(message), seen);
    addresses.heard(neighbours.last, order);
  }

  private readonly repeatMac: FdbVisitor = (domain, vlan, hi, lo, port, age, entry) => {
    if (this.macs.missed[entry] === 0) return;
    this.put(ABOUT.MAC, domain, vlan, hi, lo, port);
    this.repeat(this.macs, entry, age);
  };

  private readonly repeatNeighbour: NeighbourVisitor = (domain, family, words, entry, age) => {
    if (this.addresses.missed[entry] === 0) return;
    const { neighbours } = this;
    const about = family === 4 ? ABOUT.IPV4 : ABOUT.IPV6;
    this.put(about, domain, 0, neighbours.macHi(entry), neighbours.macLo(entry), neighbours.port(entry));
    if (family === 4) this.putAddress(0, 0, 0, words[0]);
    else this.putAddress(words[0], words[1], words[2], words[3]);
    this.repeat(this.addresses, entry, age);
  };

  private put(about: number, domain: number, vlan: number, hi: number, lo: number, port: number): void {
    const { gossip } = this;
    gossip.subject(about, vlan, port);
    gossip.message[MESSAGE.DOMAIN_HI] = (domain << 16) | hi;
    gossip.message[MESSAGE.LO] = lo;
    gossip.message[MESSAGE.GENERATION] = this.tables.generation;
  }

  private putAddress(a: number, b: number, c: number, d: number): void {
    const { message } = this.gossip;
    message[MESSAGE.ADDRESS] = a;
    message[MESSAGE.ADDRESS + 1] = b;
    message[MESSAGE.ADDRESS + 2] = c;
    message[MESSAGE.ADDRESS + 3] = d;
  }

  private tell(marks: LearnedMarks, entry: number, now: number): void {
    const { gossip } = this;
    const order = gossip.nextOrder();
    gossip.message[MESSAGE.ORDER] = order;
    gossip.message[MESSAGE.AGE] = 0;
    const missed = gossip.tell(gossip.others);
    marks.told(entry, order, missed, now);
    if (missed !== 0) this.counters.unsharedAddress(bitsOf(missed));
  }

  private repeat(marks: LearnedMarks, entry: number, age: number): void {
    const { gossip } = this;
    gossip.message[MESSAGE.ORDER] = marks.order[entry];
    gossip.message[MESSAGE.AGE] = age;
    marks.setMissed(entry, gossip.repeat(marks.missed[entry]));
  }
}

/** Whether a port leaves its domain, or a domain begins or ends to learn, between one snapshot and the next. */
function mayForget({ ports, domains }: Tables, after: Tables): boolean {
  const hasLeft = (domain: number, port: number) => domain >= 0 && after.ports.domain[port] !== domain;
  const isOther = (learns: number, domain: number) => after.domains.learning[domain] !== learns;
  return ports.domain.some(hasLeft) || domains.learning.some(isOther);
}

function bitsOf(set: number): number {
  let count = 0;
  for (let rest = set; rest !== 0; rest &= rest - 1) count++;
  return count;
}
