import { describe, expect, it } from 'vitest';
import * as virtio from '../../../src/wire/virtio-net.js';
import { AT, blank, hexOf, literal } from './literal.js';

// What Linux 6.18 wrote before packets of a TAP with IFF_VNET_HDR, TUNSETVNETHDRSZ 12, TUNSETVNETLE 1 and all
// of TUNSETOFFLOAD: 4,000 octets of TCP over IPv4, and a datagram of 250 octets with UDP_SEGMENT 100.
const TSO = '01013600b405220010000000';
const USO = '01052a006400220006000000';

describe('virtio-net', () => {
  it('takes the header of a TCP packet to be segmented apart', () => {
    const view = literal(TSO);
    expect(virtio.flags(view, AT)).toBe(virtio.FLAG.NEEDS_CSUM);
    expect(virtio.gsoType(view, AT)).toBe(virtio.GSO.TCPV4);
    expect([virtio.headerLength(view, AT), virtio.gsoSize(view, AT)]).toEqual([14 + 20 + 20, 1460]);
    expect([virtio.csumStart(view, AT), virtio.csumOffset(view, AT)]).toEqual([14 + 20, 16]);
    expect(virtio.numBuffers(view, AT)).toBe(0);
  });

  it('takes that of UDP segmentation apart', () => {
    const view = literal(USO);
    expect(virtio.gsoType(view, AT)).toBe(virtio.GSO.UDP_L4);
    expect([virtio.headerLength(view, AT), virtio.gsoSize(view, AT)]).toEqual([42, 100]);
    expect([virtio.csumStart(view, AT), virtio.csumOffset(view, AT)]).toEqual([34, 6]);
  });

  it('builds the same', () => {
    const view = blank(virtio.LENGTH);
    virtio.write(view, AT, virtio.FLAG.NEEDS_CSUM, virtio.GSO.TCPV4, 54, 1460, 34, 16);
    expect(hexOf(view)).toBe(TSO);
    virtio.write(view, AT, virtio.FLAG.NEEDS_CSUM, virtio.GSO.UDP_L4, 42, 100, 34, 6);
    expect(hexOf(view)).toBe(USO);
    virtio.clear(view, AT);
    expect(hexOf(view)).toBe('000000000000000000000000');
  });
});
