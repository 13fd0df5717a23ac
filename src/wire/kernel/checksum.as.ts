// The Internet checksum (RFC 1071) over packet memory, in AssemblyScript with SIMD: what each function means is
// said at the interface Checksum in ../checksum.ts. Compiled and embedded by scripts/build.mjs.
//
// Words are summed as this machine loads them, little-endian: ones'-complement addition does not care about
// the order of octets (RFC 1071 section 2 B), so one exchange at the end makes the sum big-endian.

/** Octets that one turn of the inner loop takes. */
const STEP: i32 = 64;

/**
 * Octets after which the lanes are emptied. Each turn adds at most 4 * 0xffff to a 32-bit lane, so they have
 * room for 16,384 turns; a quarter of that is taken.
 */
const BLOCK: i32 = 4096 * STEP;

/** The four 32-bit lanes added up. */
// @ts-ignore: AssemblyScript has decorators on functions, TypeScript has not
@inline
function lanes(v: v128): u64 {
  const wide = i64x2.add(i64x2.extend_low_i32x4_u(v), i64x2.extend_high_i32x4_u(v));
  return i64x2.extract_lane(wide, 0) + i64x2.extract_lane(wide, 1);
}

/** Folds a little-endian sum, brings it into network order and adds `initial`, which is in that order. */
// @ts-ignore: AssemblyScript has decorators on functions, TypeScript has not
@inline
function finish(little: u64, initial: u32): u32 {
  // A length below 2^31 keeps the sum below 2^47, so that each folding carries at most once more.
  const half: u64 = (little & 0xffffffff) + (little >> 32);
  let sum: u32 = <u32>((half & 0xffff) + (half >> 16));
  sum = (sum & 0xffff) + (sum >> 16);
  sum = ((sum & 0xff) << 8) | (sum >> 8);
  sum += (initial & 0xffff) + (initial >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return (sum & 0xffff) + (sum >> 16);
}

// @ts-ignore: AssemblyScript has decorators on functions, TypeScript has not
@inline
function pairs(v: v128): v128 {
  return i32x4.extadd_pairwise_i16x8_u(v);
}

export function sum(at: usize, length: i32, initial: u32): u32 {
  let p = at;
  let left = length;
  let total: u64 = 0;
  while (left >= STEP) {
    const block = min(left, BLOCK) & ~(STEP - 1);
    const end = p + block;
    let even = i32x4.splat(0);
    let odd = i32x4.splat(0);
    for (; p < end; p += STEP) {
      even = i32x4.add(even, i32x4.add(pairs(v128.load(p)), pairs(v128.load(p, 16))));
      odd = i32x4.add(odd, i32x4.add(pairs(v128.load(p, 32)), pairs(v128.load(p, 48))));
    }
    total += lanes(even) + lanes(odd);
    left -= block;
  }
  for (; left >= 8; left -= 8, p += 8) {
    const word = load<u64>(p);
    total += (word & 0xffffffff) + (word >> 32);
  }
  if (left <= 0) return finish(total, initial);
  if (left & 4) {
    total += load<u32>(p);
    p += 4;
  }
  if (left & 2) {
    total += load<u16>(p);
    p += 2;
  }
  if (left & 1) total += load<u8>(p);
  return finish(total, initial);
}

export function copySum(to: usize, from: usize, length: i32, initial: u32): u32 {
  let p = from;
  let d = to;
  let left = length;
  let total: u64 = 0;
  while (left >= STEP) {
    const block = min(left, BLOCK) & ~(STEP - 1);
    const end = p + block;
    let even = i32x4.splat(0);
    let odd = i32x4.splat(0);
    for (; p < end; p += STEP, d += STEP) {
      const a = v128.load(p);
      const b = v128.load(p, 16);
      const c = v128.load(p, 32);
      const e = v128.load(p, 48);
      v128.store(d, a);
      v128.store(d, b, 16);
      v128.store(d, c, 32);
      v128.store(d, e, 48);
      even = i32x4.add(even, i32x4.add(pairs(a), pairs(b)));
      odd = i32x4.add(odd, i32x4.add(pairs(c), pairs(e)));
    }
    total += lanes(even) + lanes(odd);
    left -= block;
  }
  for (; left >= 8; left -= 8, p += 8, d += 8) {
    const word = load<u64>(p);
    store<u64>(d, word);
    total += (word & 0xffffffff) + (word >> 32);
  }
  if (left <= 0) return finish(total, initial);
  if (left & 4) {
    const word = load<u32>(p);
    store<u32>(d, word);
    total += word;
    p += 4;
    d += 4;
  }
  if (left & 2) {
    const word = load<u16>(p);
    store<u16>(d, word);
    total += word;
    p += 2;
    d += 2;
  }
  if (left & 1) {
    const octet = load<u8>(p);
    store<u8>(d, octet);
    total += octet;
  }
  return finish(total, initial);
}

export function copy(to: usize, from: usize, length: i32): void {
  memory.copy(to, from, length);
}
