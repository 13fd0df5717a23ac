// In scapy's expressions: toGw = Ether(src='02:00:0a:00:00:02', dst='02:00:00:00:00:01').
import { describe, expect, it } from 'vitest';
import { DecrementTtl } from '../../../../src/dataplane/elements/decrement-ttl.js';
import { PACKET } from '../../../../src/dataplane/pool.js';
import { bytes, hex, RouterFixture } from '../router-fixture.js';

// scapy: [toGw/IP(src='10.0.0.2',dst='10.0.1.2',id=i,ttl=t)/ICMP() for i,t in [(1,64),(0xdb92,2),
//        (0x5b92,255)]]
const BEFORE = [
  bytes(`02000000000102000a00000208004500001c00010000400165dd0a0000020a0001020800f7ff00000000`),
  bytes(`02000000000102000a00000208004500001cdb9200000201c84b0a0000020a0001020800f7ff00000000`),
  bytes(`02000000000102000a00000208004500001c5b920000ff014b4b0a0000020a0001020800f7ff00000000`),
];
// scapy: [toGw/IP(src='10.0.0.2',dst='10.0.1.2',id=i,ttl=t-1)/ICMP() for i,t in [(1,64),(0xdb92,
//        2),(0x5b92,255)]]
const AFTER = [
  bytes(`02000000000102000a00000208004500001c000100003f0166dd0a0000020a0001020800f7ff00000000`),
  bytes(`02000000000102000a00000208004500001cdb9200000101c94b0a0000020a0001020800f7ff00000000`),
  bytes(`02000000000102000a00000208004500001c5b920000fe014c4b0a0000020a0001020800f7ff00000000`),
];
// scapy: [toGw/IPv6(src='fd00::2',dst='fd00:1::2',hlim=h)/UDP() for h in (2,64,255)]
const BEFORE_6 = [
  bytes(`
    02000000000102000a00000286dd6000000000081102fd000000000000000000000000000002fd000001000000000000
    000000000002003500350008056e
  `),
  bytes(`
    02000000000102000a00000286dd6000000000081140fd000000000000000000000000000002fd000001000000000000
    000000000002003500350008056e
  `),
  bytes(`
    02000000000102000a00000286dd60000000000811fffd000000000000000000000000000002fd000001000000000000
    000000000002003500350008056e
  `),
];
// scapy: [toGw/IPv6(src='fd00::2',dst='fd00:1::2',hlim=h)/UDP() for h in (1,63,254)]
const AFTER_6 = [
  bytes(`
    02000000000102000a00000286dd6000000000081101fd000000000000000000000000000002fd000001000000000000
    000000000002003500350008056e
  `),
  bytes(`
    02000000000102000a00000286dd600000000008113ffd000000000000000000000000000002fd000001000000000000
    000000000002003500350008056e
  `),
  bytes(`
    02000000000102000a00000286dd60000000000811fefd000000000000000000000000000002fd000001000000000000
    000000000002003500350008056e
  `),
];
// TTL and hop limit of 1 and 0.
// scapy: [toGw/IP(src='10.0.0.2',dst='10.0.1.2',ttl=t)/ICMP() for t in (1,0)]+[toGw/
//        IPv6(src='fd00::2',dst='fd00:1::2',hlim=t)/UDP() for t in (1,0)]
const EXPIRED = [
  bytes(`02000000000102000a00000208004500001c000100000101a4dd0a0000020a0001020800f7ff00000000`),
  bytes(`02000000000102000a00000208004500001c000100000001a5dd0a0000020a0001020800f7ff00000000`),
  bytes(`
    02000000000102000a00000286dd6000000000081101fd000000000000000000000000000002fd000001000000000000
    000000000002003500350008056e
  `),
  bytes(`
    02000000000102000a00000286dd6000000000081100fd000000000000000000000000000002fd000001000000000000
    000000000002003500350008056e
  `),
];

function setUp() {
  const fixture = new RouterFixture();
  const outputs = { ok: fixture.batch(), expired: fixture.batch() };
  const element = new DecrementTtl(fixture.context, fixture.batch(), outputs);
  return { fixture, element, ...outputs };
}

describe('DecrementTtl', () => {
  it('takes one from the TTL or hop limit, with the IPv4 checksum following', () => {
    const { fixture, element, ok } = setUp();
    fixture.run(element, ...[...BEFORE, ...BEFORE_6].map((frame) => fixture.receive(frame)));
    expect(fixture.send(ok)).toEqual([...AFTER, ...AFTER_6].map(hex));
    fixture.expectBalance();
  });

  it('sends what would have nothing left to `expired`, unchanged', () => {
    const { fixture, element, expired } = setUp();
    fixture.run(element, ...EXPIRED.map((frame) => fixture.receive(frame)));
    expect(fixture.send(expired)).toEqual(EXPIRED.map(hex));
    fixture.expectBalance();
  });

  it('leaves what the switch says itself alone', () => {
    const { fixture, element, ok } = setUp();
    const slots = [...EXPIRED, ...BEFORE].map((frame) => fixture.receive(frame));
    for (const slot of slots) fixture.pool.flags[slot] |= PACKET.ORIGINATED;
    fixture.run(element, ...slots);
    expect(fixture.send(ok)).toEqual([...EXPIRED, ...BEFORE].map(hex));
  });
});
