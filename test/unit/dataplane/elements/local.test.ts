// In scapy's expressions: toGw = Ether(src='02:00:0a:00:00:02', dst='02:00:00:00:00:01'), fromGw the reverse.
import { beforeEach, describe, expect, it } from 'vitest';
import { Local } from '../../../../src/dataplane/elements/local.js';
import { PACKET } from '../../../../src/dataplane/pool.js';
import { bytes, hex, RouterFixture } from '../router-fixture.js';

// scapy: toGw/IP(src='10.0.0.2',dst='10.0.1.1',tos=0x28,flags='DF',id=700,ttl=9)/ICMP(id=7,
//        seq=1)/b'abcdefg'
const PING = bytes(`
    02000000000102000a00000208004528002302bc4000090159f40a0000020a000101080066ca00070001616263646566
    67
  `);
// scapy: fromGw/IP(src='10.0.1.1',dst='10.0.0.2',tos=0x28,id=1,ttl=64)/ICMP(type=0,id=7,seq=1)/
//        b'abcdefg'
const PONG = bytes(`
    02000a00000202000000000108004528002300010000400165af0a0001010a00000200006eca00070001616263646566
    67
  `);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.0.1',options=[IPOption_RR(routers=['0.0.0.0']),
//        IPOption_NOP()])/ICMP(id=7,seq=1)
const PING_OPTIONS = bytes(`
    02000000000102000a00000208004700002400010000400159ce0a0000020a00000107070400000000010800f7f70007
    0001
  `);
// scapy: fromGw/IP(src='10.0.0.1',dst='10.0.0.2',options=[IPOption_RR(routers=['0.0.0.0']),
//        IPOption_NOP()])/ICMP(type=0,id=7,seq=1)
const PONG_OPTIONS = bytes(`
    02000a00000202000000000108004700002400010000400159ce0a0000010a00000207070400000000010000fff70007
    0001
  `);
// scapy: toGw/IPv6(src='fd00::2',dst='fd00::1',hlim=9,tc=0x28,fl=0x12345)/ICMPv6EchoRequest(id=7,
//        seq=1,data=b'abcdefg')
const PING_6 = bytes(`
    02000000000102000a00000286dd62812345000f3a09fd000000000000000000000000000002fd000000000000000000
    0000000000018000f47b0007000161626364656667
  `);
// scapy: fromGw/IPv6(src='fd00::1',dst='fd00::2',hlim=64,tc=0x28)/ICMPv6EchoReply(id=7,seq=1,
//        data=b'abcdefg')
const PONG_6 = bytes(`
    02000a00000202000000000186dd62800000000f3a40fd000000000000000000000000000001fd000000000000000000
    0000000000028100f37b0007000161626364656667
  `);
// scapy: toGw/IPv6(src='fe80::aff:fe00:2',dst='fe80::ff:fe00:1')/ICMPv6EchoRequest(id=7,seq=2)
const PING_LINK = bytes(`
    02000000000102000a00000286dd6000000000083a40fe8000000000000000000afffe000002fe800000000000000000
    00fffe00000180007aaf00070002
  `);
// scapy: fromGw/IPv6(src='fe80::ff:fe00:1',dst='fe80::aff:fe00:2')/ICMPv6EchoReply(id=7,seq=2)
const PONG_LINK = bytes(`
    02000a00000202000000000186dd6000000000083a40fe80000000000000000000fffe000001fe800000000000000000
    0afffe000002810079af00070002
  `);
// scapy: toGw/IPv6(src='fd00::2',dst='fd00::1')/IPv6ExtHdrHopByHop()/IPv6ExtHdrDestOpt()/
//        ICMPv6EchoRequest(id=7,seq=1,data=b'abcdefgh')
const PING_EXTENDED = bytes(`
    02000000000102000a00000286dd6000000000200040fd000000000000000000000000000002fd000000000000000000
    0000000000013c000104000000003a000104000000008000f412000700016162636465666768
  `);
// scapy: fromGw/IPv6(src='fd00::1',dst='fd00::2')/ICMPv6EchoReply(id=7,seq=1,data=b'abcdefgh')
const PONG_EXTENDED = bytes(`
    02000a00000202000000000186dd6000000000103a40fd000000000000000000000000000001fd000000000000000000
    0000000000028100f312000700016162636465666768
  `);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.0.1')/ICMP(id=0,seq=0)
const EMPTY_PING = bytes(
  `02000000000102000a00000208004500001c00010000400166de0a0000020a0000010800f7ff00000000`,
);
// scapy: fromGw/IP(src='10.0.0.1',dst='10.0.0.2')/ICMP(type=0,id=0,seq=0)
const EMPTY_PONG = bytes(
  `02000a00000202000000000108004500001c00010000400166de0a0000010a0000020000ffff00000000`,
);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.0.1')/ICMP(id=3,seq=4)/(bytes(range(256))*5+b'odd')
const BIG_PING = bytes(`
    02000000000102000a00000208004500051f00010000400161db0a0000020a0000010800635500030004000102030405
    060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435
    363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465
    666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495
    969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5
    c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5
    f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425
    262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455
    565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485
    868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5
    b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5
    e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f101112131415
    161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445
    464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475
    767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5
    a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5
    d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405
    060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435
    363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465
    666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495
    969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5
    c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5
    f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425
    262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455
    565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485
    868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5
    b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5
    e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff6f6464
  `);
// scapy: fromGw/IP(src='10.0.0.1',dst='10.0.0.2')/ICMP(type=0,id=3,seq=4)/
//        (bytes(range(256))*5+b'odd')
const BIG_PONG = bytes(`
    02000a00000202000000000108004500051f00010000400161db0a0000010a00000200006b5500030004000102030405
    060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435
    363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465
    666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495
    969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5
    c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5
    f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425
    262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455
    565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485
    868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5
    b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5
    e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f101112131415
    161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445
    464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475
    767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5
    a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5
    d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff000102030405
    060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435
    363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465
    666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495
    969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5
    c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5
    f6f7f8f9fafbfcfdfeff000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425
    262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455
    565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485
    868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5
    b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5
    e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff6f6464
  `);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.0.1')/ICMP(id=7,seq=1,chksum=0x1111)/b'abcdefg'
const BAD_PING = bytes(`
    02000000000102000a00000208004500002300010000400166d70a0000020a0000010800111100070001616263646566
    67
  `);
// scapy: toGw/IPv6(src='fd00::2',dst='fd00::1')/ICMPv6EchoRequest(id=7,seq=1,cksum=0x1111,
//        data=b'abcdefg')
const BAD_PING_6 = bytes(`
    02000000000102000a00000286dd60000000000f3a40fd000000000000000000000000000002fd000000000000000000
    000000000001800011110007000161626364656667
  `);
// scapy: fromGw/IP(src='10.0.0.1',dst='10.0.0.2')/ICMP(type=0,id=7,seq=1)/b'abcdefg'
const GOOD_PONG = bytes(`
    02000a00000202000000000108004500002300010000400166d70a0000010a00000200006eca00070001616263646566
    67
  `);
// scapy: fromGw/IPv6(src='fd00::1',dst='fd00::2')/ICMPv6EchoReply(id=7,seq=1,data=b'abcdefg')
const GOOD_PONG_6 = bytes(`
    02000a00000202000000000186dd60000000000f3a40fd000000000000000000000000000001fd000000000000000000
    0000000000028100f37b0007000161626364656667
  `);

// scapy: toGw/IP(src='10.0.0.2',dst='10.0.0.1')/UDP(sport=5,dport=53)/b'odd'
const UDP_IN = bytes(`
    02000000000102000a00000208004500001f00010000401166cb0a0000020a00000100050035000b18376f6464
  `);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.0.1')/UDP(sport=5,dport=53,chksum=0)/b'odd'
const UDP_NO_CHECKSUM = bytes(`
    02000000000102000a00000208004500001f00010000401166cb0a0000020a00000100050035000b00006f6464
  `);
// The UDP length ends before the packet does.
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.0.1',proto=17)/(bytes(UDP_IN[UDP])+b'more')
const UDP_SHORT = bytes(`
    02000000000102000a00000208004500002300010000401166c70a0000020a00000100050035000b18376f64646d6f72
    65
  `);
// scapy: toGw/IPv6(src='fd00::2',dst='fd00::1')/IPv6ExtHdrDestOpt()/UDP(sport=5,dport=53)/b'odd'
const UDP_6_IN = bytes(`
    02000000000102000a00000286dd6000000000133c40fd000000000000000000000000000002fd000000000000000000
    000000000001110001040000000000050035000b32356f6464
  `);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.0.1')/TCP(sport=5,dport=80,flags='S',options=[('MSS',
//        1460)])
const TCP_IN = bytes(`
    02000000000102000a00000208004500002c00010000400666c90a0000020a0000010005005000000000000000006002
    200063cf0000020405b4
  `);
// scapy: toGw/IPv6(src='fd00::2',dst='fd00::1')/TCP(sport=5,dport=80,flags='S')
const TCP_6_IN = bytes(`
    02000000000102000a00000286dd6000000000140640fd000000000000000000000000000002fd000000000000000000
    0000000000010005005000000000000000005002200095890000
  `);
// scapy: toGw/IPv6(src='fd00::2',dst='fd00::1')/UDP(sport=5,dport=53,chksum=0)/b'odd'
const UDP_6_NO_CHECKSUM = bytes(`
    02000000000102000a00000286dd60000000000b1140fd000000000000000000000000000002fd000000000000000000
    00000000000100050035000b00006f6464
  `);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.0.1')/UDP(sport=5,dport=53,chksum=1)
const BAD_UDP = bytes(`02000000000102000a00000208004500001c00010000401166ce0a0000020a0000010005003500080001`);
// scapy: toGw/IPv6(src='fd00::2',dst='fd00::1')/UDP(sport=5,dport=53,chksum=1)
const BAD_UDP_6 = bytes(`
    02000000000102000a00000286dd6000000000081140fd000000000000000000000000000002fd000000000000000000
    0000000000010005003500080001
  `);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.0.1')/TCP(sport=5,dport=53,chksum=1)
const BAD_TCP = bytes(`
    02000000000102000a00000208004500002800010000400666cd0a0000020a0000010005003500000000000000005002
    200000010000
  `);

// scapy: toGw/IP(src='10.0.0.2',dst='10.0.0.1',proto=132)/b'not sctp'
const SCTP_IN = bytes(`02000000000102000a00000208004500001c000100004084665b0a0000020a0000016e6f742073637470`);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.0.1',proto=58)/b'\x80\x00\x00\x00\x00\x00\x00\x00'
const ICMP6_OVER_4 = bytes(
  `02000000000102000a00000208004500001c00010000403a66a50a0000020a0000018000000000000000`,
);
// scapy: toGw/IPv6(src='fd00::2',dst='fd00::1',nh=132)/b'not sctp'
const SCTP_6_IN = bytes(`
    02000000000102000a00000286dd6000000000088440fd000000000000000000000000000002fd000000000000000000
    0000000000016e6f742073637470
  `);
// scapy: toGw/IPv6(src='fd00::2',dst='fd00::1')/IPv6ExtHdrHopByHop()/
//        IPv6ExtHdrDestOpt(options=[PadN(optdata=b'x'*12)],nh=132)/b'not sctp'
const SCTP_6_BEHIND = bytes(`
    02000000000102000a00000286dd6000000000200040fd000000000000000000000000000002fd000000000000000000
    0000000000013c000104000000008401010c7878787878787878787878786e6f742073637470
  `);
// scapy: toGw/IPv6(src='fd00::2',dst='fd00::1',nh=51)/(b'\x84\x04'+b'\0'*22)/b'not sctp'
const AUTHENTICATED = bytes(`
    02000000000102000a00000286dd6000000000203340fd000000000000000000000000000002fd000000000000000000
    0000000000018404000000000000000000000000000000000000000000006e6f742073637470
  `);
// scapy: toGw/IPv6(src='fd00::2',dst='fd00::1',nh=1)/b'\x08\x00\x00\x00\x00\x00\x00\x00'
const ICMP4_OVER_6 = bytes(`
    02000000000102000a00000286dd6000000000080140fd000000000000000000000000000002fd000000000000000000
    0000000000010800000000000000
  `);
// scapy: toGw/IPv6(src='fd00::2',dst='fd00::1',nh=59)
const NOTHING_6 = bytes(`
    02000000000102000a00000286dd6000000000003b40fd000000000000000000000000000002fd000000000000000000
    000000000001
  `);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.0.1')/ICMP(type=0)
const REPLY = bytes(`02000000000102000a00000208004500001c00010000400166de0a0000020a0000010000ffff00000000`);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.0.1')/ICMP(type=3,code=3)/bytes(IP()/UDP())
const ERROR = bytes(`
    02000000000102000a00000208004500003800010000400166c20a0000020a0000010303fb18000000004500001c0001
    000040117cce7f0000017f0000010035003500080172
  `);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.0.1')/ICMP(type=13)
const TIMESTAMP = bytes(`
    02000000000102000a00000208004500002800010000400166d20a0000020a0000010d009a970000000000f071dd00f0
    71dd00f071dd
  `);
// scapy: toGw/IPv6(src='fd00::2',dst='fd00::1')/ICMPv6EchoReply()
const REPLY_6 = bytes(`
    02000000000102000a00000286dd6000000000083a40fd000000000000000000000000000002fd000000000000000000
    000000000001810084b800000000
  `);
// scapy: toGw/IPv6(src='fd00::2',dst='fd00::1')/ICMPv6DestUnreach()/bytes(IPv6()/UDP())
const ERROR_6 = bytes(`
    02000000000102000a00000286dd6000000000383a40fd000000000000000000000000000002fd000000000000000000
    000000000001010093590000000060000000000811400000000000000000000000000000000100000000000000000000
    000000000001003500350008ff72
  `);
// scapy: toGw/IPv6(src='fd00::2',dst='fd00::1')/IPv6ExtHdrRouting(addresses=['fd00:1::2'])/
//        ICMPv6EchoRequest()
const ROUTED = bytes(`
    02000000000102000a00000286dd6000000000202b40fd000000000000000000000000000002fd000000000000000000
    0000000000013a02000100000000fd000001000000000000000000000002800085b600000000
  `);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.0.1',flags='MF')/ICMP()/(b'x'*8)
const FRAGMENT = bytes(`
    02000000000102000a00000208004500002400012000400146d60a0000020a0000010800161e00000000787878787878
    7878
  `);
// scapy: toGw/IP(src='10.0.0.2',dst='10.0.0.1',frag=2,proto=1)/(b'x'*8)
const LATER = bytes(`02000000000102000a00000208004500001c00010002400166dc0a0000020a0000017878787878787878`);
// scapy: toGw/IPv6(src='fd00::2',dst='fd00::1')/IPv6ExtHdrFragment(m=1,id=1)/
//        ICMPv6EchoRequest(data=b'x'*8)
const FRAGMENT_6 = bytes(`
    02000000000102000a00000286dd6000000000182c40fd000000000000000000000000000002fd000000000000000000
    0000000000013a000001000000018000a3ce000000007878787878787878
  `);

let fixture: RouterFixture;
let element: Local;
let outputs: Record<
  'answer' | 'reassemble' | 'portUnreachable' | 'protocolUnreachable',
  ReturnType<RouterFixture['batch']>
>;

function setUp(kernel: 'plain' | 'wasm'): void {
  fixture = new RouterFixture(undefined, 64, kernel);
  outputs = {
    answer: fixture.batch(),
    reassemble: fixture.batch(),
    portUnreachable: fixture.batch(),
    protocolUnreachable: fixture.batch(),
  };
  element = new Local(fixture.context, fixture.batch(), outputs);
}

beforeEach(() => setUp('plain'));

describe('Local', () => {
  const echoes = [
    ['an IPv4 address, from that address', PING, PONG],
    ['an IPv4 address, with options', PING_OPTIONS, PONG_OPTIONS],
    ['an IPv6 address', PING_6, PONG_6],
    ['a link-local address, from that address', PING_LINK, PONG_LINK],
    ['an IPv6 address, behind extension headers', PING_EXTENDED, PONG_EXTENDED],
    ['an IPv4 address, with no data', EMPTY_PING, EMPTY_PONG],
    ['an IPv4 address, with much data', BIG_PING, BIG_PONG],
  ] as const;

  describe.each(['plain', 'wasm'] as const)('with the %s checksum', (kernel) => {
    it.each(echoes)('answers an echo request to %s', (_, request, reply) => {
      setUp(kernel);
      fixture.run(element, fixture.receive(request));
      expect(fixture.send(outputs.answer)).toEqual([hex(reply)]);
      expect(fixture.counters.total('consumed')).toBe(1);
      expect(fixture.counters.total('originated')).toBe(1);
      fixture.expectBalance();
    });
  });

  it('marks an answer as its own, with facts that fit', () => {
    const { pool } = fixture;
    const slot = fixture.receive(PING_EXTENDED);
    fixture.run(element, slot);
    expect(pool.flags[slot]).toBe(PACKET.ORIGINATED);
    expect([pool.l3[slot] - pool.at[slot], pool.l4[slot] - pool.at[slot]]).toEqual([14, 54]);
    expect([pool.l3Length[slot], pool.length[slot]]).toEqual([56, 70]);
  });

  it('gives each IPv4 reply an identification of its own', () => {
    fixture.run(element, fixture.receive(PING), fixture.receive(PING));
    const ids = fixture.send(outputs.answer).map((frame) => frame.slice(36, 40));
    expect(ids).toEqual(['0001', '0002']);
  });

  it.each([
    ['verified', PACKET.CHECKSUM_VALID],
    ['partial', PACKET.PARTIAL_CHECKSUM],
  ])('believes a checksum that is %s, and answers with a right one', (_, flag) => {
    const trusted = (start: number) => (slot: number) => {
      fixture.pool.flags[slot] |= flag;
      fixture.pool.checksumStart[slot] = start;
      fixture.pool.checksumOffset[slot] = 2;
    };
    fixture.run(
      element,
      fixture.receive(BAD_PING, 1, trusted(34)),
      fixture.receive(BAD_PING_6, 1, trusted(54)),
    );
    expect(fixture.send(outputs.answer)).toEqual([hex(GOOD_PONG), hex(GOOD_PONG_6)]);
    expect(fixture.pool.flags[0] & PACKET.PARTIAL_CHECKSUM).toBe(0);
    fixture.expectBalance();
  });

  it.each([
    ['ICMP', BAD_PING],
    ['ICMPv6', BAD_PING_6],
    ['UDP', BAD_UDP],
    ['UDP over IPv6', BAD_UDP_6],
    ['UDP over IPv6 without one', UDP_6_NO_CHECKSUM],
    ['TCP', BAD_TCP],
  ])('drops a wrong checksum: %s', (_, frame) => {
    fixture.run(element, fixture.receive(frame));
    expect(fixture.drops('l4-checksum')).toBe(1);
    fixture.expectBalance();
  });

  it.each([
    ['UDP', UDP_IN],
    ['UDP without a checksum', UDP_NO_CHECKSUM],
    ['UDP that ends before its packet', UDP_SHORT],
    ['UDP over IPv6', UDP_6_IN],
    ['TCP', TCP_IN],
    ['TCP over IPv6', TCP_6_IN],
  ])('has no service: %s', (_, frame) => {
    fixture.run(element, fixture.receive(frame));
    expect(fixture.send(outputs.portUnreachable)).toEqual([hex(frame)]);
    fixture.expectBalance();
  });

  it.each([
    ['SCTP', SCTP_IN, 0],
    ['ICMPv6 over IPv4', ICMP6_OVER_4, 0],
    ['SCTP over IPv6', SCTP_6_IN, 6],
    ['SCTP behind two extension headers', SCTP_6_BEHIND, 48],
    ['SCTP behind an authentication header', AUTHENTICATED, 40],
    ['ICMP over IPv6', ICMP4_OVER_6, 6],
  ])('does not speak %s, and points at the field that says so', (_, frame, pointer) => {
    const slot = fixture.receive(frame);
    fixture.pool.info[slot] = 99;
    fixture.run(element, slot);
    expect(fixture.pool.info[slot]).toBe(pointer);
    expect(fixture.send(outputs.protocolUnreachable)).toEqual([hex(frame)]);
    fixture.expectBalance();
  });

  it.each([
    ['an echo reply', REPLY],
    ['an ICMP error', ERROR],
    ['an ICMP timestamp request', TIMESTAMP],
    ['an ICMPv6 echo reply', REPLY_6],
    ['an ICMPv6 error', ERROR_6],
    ['a packet with no next header', NOTHING_6],
    ['a routing header that asks for more hops', ROUTED],
  ])('has nothing to say to %s', (_, frame) => {
    fixture.run(element, fixture.receive(frame));
    expect(fixture.drops('ignored')).toBe(1);
    fixture.expectBalance();
  });

  it('has fragments put together, first and later ones', () => {
    const frames = [FRAGMENT, LATER, FRAGMENT_6];
    fixture.run(element, ...frames.map((frame) => fixture.receive(frame)));
    expect(fixture.send(outputs.reassemble)).toEqual(frames.map(hex));
    fixture.expectBalance();
  });
});
