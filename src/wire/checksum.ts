/**
 * The Internet checksum (RFC 1071): the ones'-complement sum of 16-bit words, complemented.
 *
 * A *sum* here is not complemented. The words are in network order, and a string of octets is summed from its
 * own first octet, whatever its address: an octet of odd length at the end is the upper half of a word whose
 * lower half is 0. To sum a packet in pieces, give the sum of one piece as `initial` of the next; every piece
 * but the last must have an even length.
 *
 * Ones'-complement arithmetic has two zeros. A folded sum is 0 only where all that went into it was 0;
 * otherwise it is 1 to 0xffff. Both implementations and the incremental updates keep to that, so all of them
 * give one and the same answer.
 *
 * What depends on the sum's speed goes through the interface Checksum: wasmChecksum in use, plainChecksum its
 * twin in TypeScript (checksum-kernel.ts).
 */

/**
 * Sums, and sums while copying, over one packet memory. Addresses are offsets in it, lengths octets; ranges must
 * lie within it, and are not checked.
 */
export interface Checksum {
  /**
   * The folded sum of `length` octets from `at`, plus `initial`: any unsigned 32-bit number, a folded or
   * unfolded sum. A length of 0 or less sums nothing.
   */
  sum(at: number, length: number, initial: number): number;

  /** Copies and sums in one pass. The places may overlap only where `to` is before `from`. */
  copySum(to: number, from: number, length: number, initial: number): number;

  /** Copies; the places may overlap. */
  copy(to: number, from: number, length: number): void;
}

/** Folds a sum (below 2^32) to 16 bits: adds the carries back in, twice, since the first adding may carry. */
export function fold(sum: number): number {
  const once = (sum & 0xffff) + (sum >>> 16);
  return (once & 0xffff) + (once >>> 16);
}

/** The checksum of a folded sum. */
export function complement(sum: number): number {
  return ~sum & 0xffff;
}

/** A UDP checksum that came out as 0 is sent as 0xffff, since 0 says that there is none (RFC 768). */
export function nonZero(check: number): number {
  return check === 0 ? 0xffff : check;
}

/**
 * The checksum after a 16-bit word went from `old` to `next`.
 *
 * RFC 1624, equation 3: HC' = ~(~HC + ~m + m'). ~HC is the sum that was complemented into HC. Subtracting m
 * from a sum is adding ~m, since m + ~m = 0xffff, a zero. Equation 4 of the same RFC, HC - ~m - m', is less
 * work but may give the other zero. Do not use it on a UDP checksum of 0, and pass a UDP result to nonZero.
 */
export function update16(check: number, old: number, next: number): number {
  return complement(fold((~check & 0xffff) + (~old & 0xffff) + next));
}

/** The checksum after an aligned 32-bit word (an address, a sequence number) went from `old` to `next`. */
export function update32(check: number, old: number, next: number): number {
  const removed = (~old >>> 16) + (~old & 0xffff);
  const added = (next >>> 16) + (next & 0xffff);
  return complement(fold((~check & 0xffff) + removed + added));
}

/**
 * The sum, not folded, of the pseudo header of the IPv4 packet at `ip` (RFC 9293 section 3.1). `length` is the
 * upper layer's, header and payload.
 */
export function pseudoIpv4(view: DataView, ip: number, protocol: number, length: number): number {
  return (
    view.getUint16(ip + 12) +
    view.getUint16(ip + 14) +
    view.getUint16(ip + 16) +
    view.getUint16(ip + 18) +
    protocol +
    length
  );
}

/**
 * The sum, not folded, of the pseudo header of the IPv6 packet at `ip` (RFC 8200 section 8.1). `protocol` is the
 * upper layer's, which the fixed header does not name where extension headers follow; `length` is the upper
 * layer's. Not for packets with a routing header that is not used up: their final destination is in it.
 */
export function pseudoIpv6(view: DataView, ip: number, protocol: number, length: number): number {
  let sum = protocol + (length >>> 16) + (length & 0xffff);
  for (let p = ip + 8; p < ip + 40; p += 4) sum += view.getUint16(p) + view.getUint16(p + 2);
  return sum;
}

/**
 * The checksum of the `length` octets of an upper layer at `at`, whose checksum field must hold 0; `pseudo` is
 * a pseudo header's sum, or 0 for ICMP. For UDP, pass the result to nonZero.
 */
export function l4Checksum(checksum: Checksum, pseudo: number, at: number, length: number): number {
  return complement(checksum.sum(at, length, pseudo));
}

/** True where the checksum in the `length` octets of an upper layer at `at` is right. Not for a UDP one of 0. */
export function isL4ChecksumRight(checksum: Checksum, pseudo: number, at: number, length: number): boolean {
  return checksum.sum(at, length, pseudo) === 0xffff;
}

/** Of tcp.ts, which imports this file. */
const TCP_CHECKSUM = 16;

/**
 * Completes a partial checksum, as NEEDS_CSUM in virtio-net.ts describes it: the field at `start + offset` holds
 * the folded sum of the pseudo header; the checksum of `start` to `end` replaces it. 0 becomes 0xffff, which UDP asks
 * for; TCP's stays, since it is the one that a sender computes (RFC 1624 section 3), though receivers take both.
 * TCP is known by the place of its field, at which no other protocol that is offloaded has one.
 */
export function completePartial(
  checksum: Checksum,
  view: DataView,
  start: number,
  end: number,
  offset: number,
): void {
  const check = complement(checksum.sum(start, end - start, 0));
  view.setUint16(start + offset, offset === TCP_CHECKSUM ? check : nonZero(check));
}
