/** Numbers of linux/if_tun.h, linux/if.h and linux/sockios.h, under their names there. */

export const TUN_DEVICE = '/dev/net/tun';

/** ioctl requests; the argument is a pointer unless the comment says otherwise. */
export const TunIoctl = {
  TUNSETIFF: 0x400454ca,
  /** A plain value. */
  TUNSETPERSIST: 0x400454cb,
  /** A plain value, a user's number. */
  TUNSETOWNER: 0x400454cc,
  /** A plain value. */
  TUNSETOFFLOAD: 0x400454d0,
  TUNGETIFF: 0x800454d2,
  TUNSETSNDBUF: 0x400454d4,
  TUNSETVNETHDRSZ: 0x400454d8,
  TUNSETCARRIER: 0x400454e2,
  SIOCGIFHWADDR: 0x8927,
  SIOCSIFHWADDR: 0x8924,
} as const;

/** ifr_flags of TUNSETIFF and TUNGETIFF. */
export const TunFlags = {
  IFF_TAP: 0x0002,
  /** Created without carrier; kernels that do not know it ignore it. */
  IFF_NO_CARRIER: 0x0040,
  IFF_MULTI_QUEUE: 0x0100,
  /** Read only. */
  IFF_PERSIST: 0x0800,
  IFF_NO_PI: 0x1000,
  IFF_VNET_HDR: 0x4000,
  /** Fail with EBUSY where an interface of the name exists. */
  IFF_TUN_EXCL: 0x8000,
} as const;

/** What the reader of a TAP can take from the kernel unfinished (TUNSETOFFLOAD). */
export const TunOffload = {
  TUN_F_CSUM: 0x01,
  TUN_F_TSO4: 0x02,
  TUN_F_TSO6: 0x04,
  TUN_F_TSO_ECN: 0x08,
  /** Linux 6.2; the kernel takes USO4 and USO6 only together. */
  TUN_F_USO4: 0x20,
  TUN_F_USO6: 0x40,
} as const;

/** struct ifreq: ifr_name[IFNAMSIZ], then a union of 24 bytes. */
export const IFREQ_BYTES = 40;
export const IFNAMSIZ = 16;
export const IFREQ_FLAGS_AT = 16;
/** struct sockaddr ifr_hwaddr: family, then the address. */
export const IFREQ_HWADDR_FAMILY_AT = 16;
export const IFREQ_HWADDR_AT = 18;
/** linux/if_arp.h */
export const ARPHRD_ETHER = 1;

/** sizeof(struct virtio_net_hdr_mrg_rxbuf), linux/virtio_net.h: what precedes every packet. */
export const VNET_HEADER_BYTES = 12;
