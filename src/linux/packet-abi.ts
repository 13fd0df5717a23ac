/**
 * Numbers and structures of packet sockets, from linux/if_packet.h, linux/if.h, linux/sockios.h and linux/filter.h,
 * under their names there; the same on x86-64 and arm64.
 */

export const SOL_PACKET = 263;

/** Options of SOL_PACKET; PACKET_AUXDATA is a control message as well. */
export const PacketOption = {
  PACKET_ADD_MEMBERSHIP: 1,
  PACKET_AUXDATA: 8,
  PACKET_VNET_HDR: 15,
  /** Linux 4.20. */
  PACKET_IGNORE_OUTGOING: 23,
} as const;

/** struct packet_mreq { i32 ifindex; u16 type; u16 alen; u8 address[8] } */
export const PACKET_MREQ_BYTES = 16;
export const PACKET_MR_PROMISC = 1;

/** struct virtio_net_hdr, without the num_buffers of a TAP's: what precedes every frame, in the host's order of bytes. */
export const VNET_HEADER_BYTES = 10;

/**
 * struct tpacket_auxdata { u32 status, len, snaplen; u16 mac, net, vlan_tci, vlan_tpid }: offsets, and bits of its
 * status.
 */
export const AUXDATA_BYTES = 20;
export const AUXDATA_STATUS_AT = 0;
export const AUXDATA_VLAN_TCI_AT = 16;
export const AUXDATA_VLAN_TPID_AT = 18;
export const TP_STATUS_VLAN_VALID = 0x10;
export const TP_STATUS_VLAN_TPID_VALID = 0x40;

/** sll_pkttype: whom a frame is for, as its interface sees it. */
export const PACKET_HOST = 0;

/** Where sll_ifindex lies in a struct sockaddr_ll of 20 bytes. */
export const SOCKADDR_LL_BYTES = 20;
export const SLL_IFINDEX_AT = 4;

/** ioctl requests with a struct ifreq. */
export const InterfaceIoctl = {
  SIOCGIFNAME: 0x8910,
  SIOCGIFFLAGS: 0x8913,
  SIOCGIFMTU: 0x8921,
  SIOCGIFHWADDR: 0x8927,
} as const;

/** ifr_flags. */
export const IFF_UP = 0x1;

/** Classic BPF: codes of the instructions that filters here are made of. */
export const Bpf = {
  LD_W_ABS: 0x20,
  LD_H_ABS: 0x28,
  AND_K: 0x54,
  JEQ_K: 0x15,
  RET_K: 0x06,
} as const;

/** What a filter may load beside the packet, from SKF_AD_OFF on. */
export const SkfAd = {
  PKTTYPE: 0xffff_f004,
  VLAN_TAG: 0xffff_f02c,
  VLAN_TAG_PRESENT: 0xffff_f030,
  VLAN_TPID: 0xffff_f03c,
} as const;
