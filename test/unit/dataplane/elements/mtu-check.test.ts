// In scapy's expressions: toGw = Ether(src='02:00:0a:00:00:02', dst='02:00:00:00:00:01').
import { describe, expect, it } from 'vitest';
import type { Batch } from '../../../../src/dataplane/batch.js';
import { MtuCheck } from '../../../../src/dataplane/elements/mtu-check.js';
import { PACKET } from '../../../../src/dataplane/pool.js';
import { GSO } from '../../../../src/wire/virtio-net.js';
import { bytes, RouterFixture, SNAPSHOT } from '../router-fixture.js';

// 68 and 69 octets of IPv4, without and with DF; 68 and 69 of IPv6.
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.1.2')/UDP()/(b'x'*40)
const FITS = bytes(`
    02000000000102000a00000208004500004400010000401165a50a0000020a00010200350035003080b7787878787878
    78787878787878787878787878787878787878787878787878787878787878787878
  `);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.1.2')/UDP()/(b'x'*41)
const TOO_LONG = bytes(`
    02000000000102000a00000208004500004500010000401165a40a0000020a00010200350035003108b5787878787878
    7878787878787878787878787878787878787878787878787878787878787878787878
  `);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.1.2',flags='DF')/UDP()/(b'x'*40)
const FITS_DF = bytes(`
    02000000000102000a00000208004500004400014000401125a50a0000020a00010200350035003080b7787878787878
    78787878787878787878787878787878787878787878787878787878787878787878
  `);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.1.2',flags='DF')/UDP()/(b'x'*41)
const TOO_LONG_DF = bytes(`
    02000000000102000a00000208004500004500014000401125a40a0000020a00010200350035003108b5787878787878
    7878787878787878787878787878787878787878787878787878787878787878787878
  `);
// scapy: toGw/IPv6(src='fd00::2',dst='fd00:1::2')/UDP()/(b'x'*20)
const FITS_6 = bytes(`
    02000000000102000a00000286dd60000000001c1140fd000000000000000000000000000002fd000001000000000000
    00000000000200350035001c50917878787878787878787878787878787878787878
  `);
// scapy: toGw/IPv6(src='fd00::2',dst='fd00:1::2')/UDP()/(b'x'*21)
const TOO_LONG_6 = bytes(`
    02000000000102000a00000286dd60000000001d1140fd000000000000000000000000000002fd000001000000000000
    00000000000200350035001dd88e787878787878787878787878787878787878787878
  `);
// 20 octets of TCP header, 200 of payload: segments of 48 octets are packets of 88.
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.1.2',flags='DF')/TCP(sport=1,dport=2,chksum=0)/
//        (b'x'*200)
const TSO = bytes(`
    02000000000102000a0000020800450000f000014000400625040a0000020a0001020001000200000000000000005002
    200000000000787878787878787878787878787878787878787878787878787878787878787878787878787878787878
    787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878
    787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878
    787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878787878
    7878787878787878787878787878
  `);

function setUp(mtu: number) {
  const ports = SNAPSHOT.ports.map((port) => (port.id === 3 ? { ...port, mtu } : port));
  const fixture = new RouterFixture({ ...SNAPSHOT, ports });
  const outputs = { ok: fixture.batch(), fragment: fixture.batch(), tooBig: fixture.batch() };
  const element = new MtuCheck(fixture.context, fixture.batch(), outputs);
  const check = (frame: Uint8Array, flags = 0, facts?: (slot: number) => void): number => {
    const slot = fixture.receive(frame, 1, facts);
    fixture.pool.egress[slot] = 3;
    fixture.pool.flags[slot] |= flags;
    fixture.run(element, slot);
    return slot;
  };
  return { fixture, check, outputs };
}

function counts({ ok, fragment, tooBig }: { ok: Batch; fragment: Batch; tooBig: Batch }) {
  return { ok: ok.count, fragment: fragment.count, tooBig: tooBig.count };
}

describe('MtuCheck', () => {
  it.each([
    ['IPv4 of the MTU', FITS, 0, 'ok'],
    ['IPv4 of one octet more', TOO_LONG, 0, 'fragment'],
    ['IPv4 with DF of the MTU', FITS_DF, 0, 'ok'],
    ['IPv4 with DF of one octet more', TOO_LONG_DF, 0, 'tooBig'],
    ['IPv6 of the MTU', FITS_6, 0, 'ok'],
    ['IPv6 of one octet more', TOO_LONG_6, 0, 'tooBig'],
    ['IPv6 of one octet more from the switch', TOO_LONG_6, PACKET.ORIGINATED, 'fragment'],
  ] as const)('sends %s to its output', (_, frame, flags, output) => {
    const { check, outputs } = setUp(68);
    check(frame, flags);
    expect(counts(outputs)).toEqual({ ok: 0, fragment: 0, tooBig: 0, [output]: 1 });
  });

  it('says which MTU it was', () => {
    const { fixture, check } = setUp(68);
    expect(fixture.pool.info[check(TOO_LONG_DF)]).toBe(68);
    expect(fixture.pool.info[check(TOO_LONG_6)]).toBe(68);
  });

  it('measures the segments of a GSO packet, not the packet', () => {
    for (const [mtu, output] of [
      [88, 'ok'],
      [87, 'tooBig'],
    ] as const) {
      const { fixture, check, outputs } = setUp(mtu);
      check(TSO, 0, (slot) => {
        const { pool } = fixture;
        pool.flags[slot] = PACKET.PARTIAL_CHECKSUM;
        pool.gsoType[slot] = GSO.TCPV4;
        pool.gsoSize[slot] = 48;
        pool.checksumStart[slot] = 34;
        pool.checksumOffset[slot] = 16;
      });
      expect(counts(outputs)).toEqual({ ok: 0, fragment: 0, tooBig: 0, [output]: 1 });
    }
  });
});
