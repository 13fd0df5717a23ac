/**
 * Packets of arp-responder.test.ts, made by scapy from the expression above each.
 * In scapy's expressions: port n is P0 = '02:70:00:00:00:10' and so on, A0 = '10.0.0.10'; GW = '02:70:00:00:ff:00'
 * and 10.0.0.1 are the switch; ALL is the broadcast address, NONE the empty one.
 */
import { bytes } from '../../router-fixture.js';

// scapy: Ether(src=P0,dst=ALL)/ARP(op=1,hwsrc=P0,psrc=A0,hwdst=NONE,pdst=A1)
export const FOR_1 = bytes(`
  ffffffffffff027000000010080600010800060400010270000000100a00000a0000000000000a00000b
`);
// scapy: Ether(src=P1,dst=P0)/ARP(op=2,hwsrc=P1,psrc=A1,hwdst=P0,pdst=A0)
export const FROM_1 = bytes(`
  027000000010027000000011080600010800060400020270000000110a00000b0270000000100a00000a
`);
// scapy: Ether(src=P0,dst=ALL)/ARP(op=1,hwsrc=P0,psrc=A0,hwdst=NONE,pdst=A1)/Padding(bytes(18))
export const FOR_1_PADDED = bytes(`
  ffffffffffff027000000010080600010800060400010270000000100a00000a0000000000000a00000b0000000000000000
  00000000000000000000
`);
// scapy: Ether(src=P1,dst=P0)/ARP(op=2,hwsrc=P1,psrc=A1,hwdst=P0,pdst=A0)/Padding(bytes(18))
export const FROM_1_PADDED = bytes(`
  027000000010027000000011080600010800060400020270000000110a00000b0270000000100a00000a0000000000000000
  00000000000000000000
`);
// scapy: Ether(src=P0,dst=P1)/ARP(op=1,hwsrc=P0,psrc=A0,hwdst=NONE,pdst=A1)
export const FOR_1_UNICAST = bytes(`
  027000000011027000000010080600010800060400010270000000100a00000a0000000000000a00000b
`);
// scapy: Ether(src=P0,dst=ALL)/ARP(op=1,hwsrc=P0,psrc=A0,hwdst=NONE,pdst='10.0.0.1')
export const FOR_SWITCH = bytes(`
  ffffffffffff027000000010080600010800060400010270000000100a00000a0000000000000a000001
`);
// scapy: Ether(src=GW,dst=P0)/ARP(op=2,hwsrc=GW,psrc='10.0.0.1',hwdst=P0,pdst=A0)
export const FROM_SWITCH = bytes(`
  02700000001002700000ff000806000108000604000202700000ff000a0000010270000000100a00000a
`);
// scapy: Ether(src=P0,dst=ALL)/ARP(op=1,hwsrc=P0,psrc='0.0.0.0',hwdst=NONE,pdst=A1)
export const PROBE_1 = bytes(`
  ffffffffffff02700000001008060001080006040001027000000010000000000000000000000a00000b
`);
// scapy: Ether(src=P1,dst=P0)/ARP(op=2,hwsrc=P1,psrc=A1,hwdst=P0,pdst='0.0.0.0')
export const DENIAL_1 = bytes(`
  027000000010027000000011080600010800060400020270000000110a00000b02700000001000000000
`);
// scapy: Ether(src=P0,dst=ALL)/ARP(op=1,hwsrc=P0,psrc='0.0.0.0',hwdst=NONE,pdst=A0)
export const PROBE_OWN = bytes(`
  ffffffffffff02700000001008060001080006040001027000000010000000000000000000000a00000a
`);
// scapy: Ether(src=P0,dst=ALL)/ARP(op=1,hwsrc=P0,psrc=A0,hwdst=NONE,pdst=A0)
export const ANNOUNCE = bytes(`
  ffffffffffff027000000010080600010800060400010270000000100a00000a0000000000000a00000a
`);
// scapy: Ether(src=P0,dst=ALL)/ARP(op=1,hwsrc=P0,psrc=A0,hwdst=NONE,pdst='10.0.0.99')
export const FOR_NOBODY = bytes(`
  ffffffffffff027000000010080600010800060400010270000000100a00000a0000000000000a000063
`);
// scapy: Ether(src=P0,dst=ALL)/ARP(op=1,hwsrc=P0,psrc=A0,hwdst=NONE,pdst=A3)
export const FOR_OTHER_DOMAIN = bytes(`
  ffffffffffff027000000010080600010800060400010270000000100a00000a0000000000000a00010d
`);
// scapy: Ether(src=P0,dst=P1)/ARP(op=2,hwsrc=P0,psrc=A0,hwdst=P1,pdst=A1)
export const REPLY_TO_1 = bytes(`
  027000000011027000000010080600010800060400020270000000100a00000a0270000000110a00000b
`);
// scapy: Ether(src=P0,dst=GW)/ARP(op=2,hwsrc=P0,psrc=A0,hwdst=GW,pdst='10.0.0.1')
export const REPLY_TO_SWITCH = bytes(`
  02700000ff00027000000010080600010800060400020270000000100a00000a02700000ff000a000001
`);
// scapy: Ether(src=P0,dst=GW)/ARP(op=1,hwsrc=P0,psrc=A0,hwdst=NONE,pdst='10.0.0.99')
export const NOBODY_ASKED_SWITCH = bytes(`
  02700000ff00027000000010080600010800060400010270000000100a00000a0000000000000a000063
`);
// scapy: Ether(src=P0,dst=ALL)/ARP(op=3,hwsrc=P0,psrc=A0,hwdst=P0,pdst='0.0.0.0')
export const REVERSE = bytes(`
  ffffffffffff027000000010080600010800060400030270000000100a00000a02700000001000000000
`);
// scapy:
//        Ether(src='02:aa:00:00:00:01',dst=ALL)/ARP(op=1,hwsrc='02:aa:00:00:00:01',psrc='10.0.0.99',hwdst=NONE,pdst='10.0.0.98')
export const STRANGER = bytes(`
  ffffffffffff02aa000000010806000108000604000102aa000000010a0000630000000000000a000062
`);
// scapy:
//        Ether(src='02:aa:00:00:00:01',dst=P0)/ARP(op=2,hwsrc='02:aa:00:00:00:01',psrc='10.0.0.99',hwdst=P0,pdst=A0)
export const FROM_STRANGER = bytes(`
  02700000001002aa000000010806000108000604000202aa000000010a0000630270000000100a00000a
`);
// scapy:
//        Ether(src='02:aa:00:00:00:01',dst=ALL)/ARP(op=1,hwsrc='02:aa:00:00:00:01',psrc='0.0.0.0',hwdst=NONE,pdst='10.0.0.98')
export const STRANGER_PROBE = bytes(`
  ffffffffffff02aa000000010806000108000604000102aa00000001000000000000000000000a000062
`);
// scapy:
//        Ether(src='02:aa:00:00:00:01',dst=ALL)/ARP(op=2,hwsrc='02:aa:00:00:00:01',psrc=A0,hwdst=NONE,pdst=A0)
export const STRANGER_AS_0 = bytes(`
  ffffffffffff02aa000000010806000108000604000202aa000000010a00000a0000000000000a00000a
`);
// scapy:
//        Ether(src='02:aa:00:00:00:01',dst=ALL)/ARP(op=2,hwsrc='02:aa:00:00:00:01',psrc='10.0.0.1',hwdst=NONE,pdst='10.0.0.1')
export const STRANGER_AS_SWITCH = bytes(`
  ffffffffffff02aa000000010806000108000604000202aa000000010a0000010000000000000a000001
`);
// scapy:
//        Ether(src='02:aa:00:00:00:01',dst=ALL)/ARP(op=2,hwsrc='02:aa:00:00:00:01',psrc=A1,hwdst=NONE,pdst=A1)
export const STRANGER_AS_1 = bytes(`
  ffffffffffff02aa000000010806000108000604000202aa000000010a00000b0000000000000a00000b
`);
// scapy:
//        Ether(src='02:aa:00:00:00:01',dst=ALL)/ARP(op=2,hwsrc=ALL,psrc='10.0.0.99',hwdst=NONE,pdst='10.0.0.99')
export const STRANGER_AS_GROUP = bytes(`
  ffffffffffff02aa0000000108060001080006040002ffffffffffff0a0000630000000000000a000063
`);
