/** The forged tunnel packets, octet by octet as scapy 2.5 builds them. */
import { expect, it } from 'vitest';
import { tunnelForgeries } from '../../../../src/cli/demo/tunnel-frames.js';

// inner(src) = Ether(vtep, sender)/IP(src, victim, id=0)/UDP(sport=40000, dport=5353, chksum=0)/b'forged'
const ETHERNET = '0270aa0000010270aa00000208004500002200000000';
const UDP = '9c4014e9000e0000666f72676564';

it('builds what scapy builds, for each reason', () => {
  const built = tunnelForgeries({
    ...{ vtep: '02:70:aa:00:00:01', senderVtep: '02:70:aa:00:00:02', port: 5353 },
    ...{ victim: '10.244.0.3', claimed: '10.244.0.4', honest: '10.244.1.3' },
  });
  expect(built.map(({ reason, datagram, stranger }) => [reason, stranger, datagram.toString('hex')])).toEqual(
    [
      // VXLAN(flags=8, vni=1)/inner(claimed)
      ['tunnel-source', false, `0800000000000100${ETHERNET}401164dd0af400040af40003${UDP}`],
      // VXLAN(flags=8, vni=4242)/inner(honest)
      ['wrong-vni', false, `0800000000109200${ETHERNET}401163de0af401030af40003${UDP}`],
      // VXLAN(flags=0, vni=1)/inner(honest)
      ['malformed-tunnel', false, `0000000000000100${ETHERNET}401163de0af401030af40003${UDP}`],
      // VXLAN(flags=8, vni=1)/inner(honest), from a stranger
      ['unknown-peer', true, `0800000000000100${ETHERNET}401163de0af401030af40003${UDP}`],
    ],
  );
});
