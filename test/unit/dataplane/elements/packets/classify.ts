/**
 * Packets of classify.test.ts, made by scapy from the expression above each.
 * In scapy's expressions: port n is P0 = '02:70:00:00:00:10' and so on, A0 = '10.0.0.10', S0 = 'fd00::10';
 * GW = '02:70:00:00:ff:00' is the switch in domain 0, ALL the broadcast address.
 */
import { bytes } from '../../router-fixture.js';

// scapy: Ether(src=P0,dst=ALL)/ARP(op=1,hwsrc=P0,psrc=A0,hwdst=NONE,pdst=A1)
export const ARP_REQUEST = bytes(`
  ffffffffffff027000000010080600010800060400010270000000100a00000a0000000000000a00000b
`);
// scapy: Ether(src=P0,dst=GW)/ARP(op=1,hwsrc=P0,psrc=A0,hwdst=NONE,pdst='10.0.0.1')
export const ARP_TO_SWITCH = bytes(`
  02700000ff00027000000010080600010800060400010270000000100a00000a0000000000000a000001
`);
// scapy: Ether(src=P0,dst=ALL)/Dot1Q(vlan=5)/ARP(op=1,hwsrc=P0,psrc=A0,hwdst=NONE,pdst=A1)
export const ARP_TAGGED = bytes(`
  ffffffffffff02700000001081000005080600010800060400010270000000100a00000a0000000000000a00000b
`);
// scapy:
//        Ether(src=P0,dst='33:33:ff:00:00:11')/IPv6(src=S0,dst='ff02::1:ff00:11',hlim=255)/ICMPv6ND_NS(tgt=S1)
export const SOLICIT = bytes(`
  3333ff00001102700000001086dd6000000000183afffd000000000000000000000000000010ff0200000000000000000001
  ff0000118700807400000000fd000000000000000000000000000011
`);
// scapy:
//        Ether(src=P0,dst='33:33:ff:00:00:11')/Dot1Q(vlan=5)/IPv6(src=S0,dst='ff02::1:ff00:11',hlim=255)/ICMPv6ND_NS(tgt=S1)
export const SOLICIT_TAGGED = bytes(`
  3333ff0000110270000000108100000586dd6000000000183afffd000000000000000000000000000010ff02000000000000
  00000001ff0000118700807400000000fd000000000000000000000000000011
`);
// scapy: Ether(src=P0,dst='33:33:00:00:00:02')/IPv6(src=S0,dst='ff02::2',hlim=255)/ICMPv6ND_RS()
export const ROUTER_SOLICITATION = bytes(`
  33330000000202700000001086dd6000000000083afffd000000000000000000000000000010ff0200000000000000000000
  0000000285007ea700000000
`);
// scapy: Ether(src=P0,dst=P1)/IPv6(src=S0,dst=S1)/ICMPv6EchoRequest(id=1,seq=1)
export const ECHO_6 = bytes(`
  02700000001102700000001086dd6000000000083a40fd000000000000000000000000000010fd0000000000000000000000
  000000118000859800010001
`);
// scapy: Ether(src=P0,dst=P1)/IPv6(src=S0,dst=S1)/IPv6ExtHdrFragment(id=1,offset=1,nh=58)/b'\x87'
export const LATER_6 = bytes(`
  02700000001102700000001086dd6000000000092c40fd000000000000000000000000000010fd0000000000000000000000
  000000113a0000080000000187
`);
// scapy: Ether(src=P0,dst=GW)/IP(src=A0,dst='10.0.1.13')/UDP()
export const ROUTED_4 = bytes(`
  02700000ff0002700000001008004500001c00010000401165ba0a00000a0a00010d003500350008ea5d
`);
// scapy: Ether(src=P0,dst=GW)/IPv6(src=S0,dst='fd00:0:0:1::13')/UDP()
export const ROUTED_6 = bytes(`
  02700000ff0002700000001086dd6000000000081140fd000000000000000000000000000010fd0000000000000100000000
  00000013003500350008054f
`);
// scapy: Ether(src=P0,dst=GW)/Dot1Q(vlan=5)/IP(src=A0,dst='10.0.1.13')/UDP()
export const TAGGED_TO_SWITCH = bytes(`
  02700000ff000270000000108100000508004500001c00010000401165ba0a00000a0a00010d003500350008ea5d
`);
// scapy: Ether(src=P0,dst=GW)/Dot1Q(vlan=0)/IP(src=A0,dst='10.0.1.13')/UDP()
export const PRIORITY_TO_SWITCH = bytes(`
  02700000ff000270000000108100000008004500001c00010000401165ba0a00000a0a00010d003500350008ea5d
`);
// scapy: Ether(src=P0,dst=GW,type=0x88b5)/b'data'
export const OTHER_TO_SWITCH = bytes('02700000ff0002700000001088b564617461');
// scapy: Ether(src=P0,dst=P1)/IP(src=A0,dst=A1)/UDP()
export const UNICAST = bytes(`
  02700000001102700000001008004500001c00010000401166bc0a00000a0a00000b003500350008eb5f
`);
// scapy: Ether(src=P0,dst=P1)/Dot1Q(vlan=5)/IP(src=A0,dst=A1)/UDP()
export const TAGGED = bytes(`
  0270000000110270000000108100000508004500001c00010000401166bc0a00000a0a00000b003500350008eb5f
`);
// scapy: Ether(src=P0,dst=ALL)/IP(src=A0,dst='255.255.255.255')/UDP()
export const BROADCAST = bytes(`
  ffffffffffff02700000001008004500001c00010000401170c70a00000affffffff003500350008f56a
`);
// scapy: Dot3(src=P0,dst='01:80:c2:00:00:00',len=3)/LLC(dsap=0x42,ssap=0x42,ctrl=3)
export const SPANNING_TREE = bytes('0180c20000000270000000100003424203');
// scapy: Ether(src=P0,dst='01:80:c2:00:00:0e',type=0x88cc)/b'data'
export const LLDP = bytes('0180c200000e02700000001088cc64617461');
// scapy: Ether(src=P0,dst='01:80:c2:00:00:0f',type=0x88b5)/b'data'
export const LAST_RESERVED = bytes('0180c200000f02700000001088b564617461');
// scapy: Ether(src=P0,dst='01:80:c2:00:00:10',type=0x88b5)/b'data'
export const FIRST_ORDINARY = bytes('0180c200001002700000001088b564617461');
// scapy: Ether(src=P0,dst='01:80:c2:00:00:02')/Dot1Q(vlan=5,type=0x8809)/b'data'
export const RESERVED_TAGGED = bytes('0180c200000202700000001081000005880964617461');
// scapy: Ether(src='02:aa:00:00:00:01',dst=ALL,type=0x88b5)/b'data'
export const STRANGER = bytes('ffffffffffff02aa0000000188b564617461');
// scapy: Ether(src='02:aa:00:00:00:01',dst=ALL)/Dot1Q(vlan=5,type=0x88b5)/b'data'
export const STRANGER_TAGGED = bytes('ffffffffffff02aa000000018100000588b564617461');
// scapy: Ether(src=P0,dst=ALL,type=0x88b5)/b'data'
export const AS_PORT_0 = bytes('ffffffffffff02700000001088b564617461');
// scapy: Ether(src=P1,dst=ALL,type=0x88b5)/b'data'
export const AS_PORT_1 = bytes('ffffffffffff02700000001188b564617461');
