/** Tunnel packets that no honest node sends, octet by octet, as frames.ts does for pods. */
import type { DropReasonName } from '../../dataplane/drop-reasons.js';
import { ETHERTYPE, ethernet, ipv4, udp } from './frames.js';

export interface TunnelParties {
  /** MAC address of the receiving node's end of the tunnel, and of the sending one's. */
  readonly vtep: string;
  readonly senderVtep: string;
  /** IPv4 address of a pod of the receiving node, and of another one of it. */
  readonly victim: string;
  readonly claimed: string;
  /** Of a pod of the sending node. */
  readonly honest: string;
  /** UDP port of the victim. */
  readonly port: number;
}

export interface TunnelForgery {
  readonly reason: DropReasonName;
  /** What is behind the outer UDP header. */
  readonly datagram: Buffer;
  /** To be sent from an underlay address that is no node's. */
  readonly stranger: boolean;
}

const VNI = 1;
const WRONG_VNI = 4242;
/** RFC 7348 section 5: the I flag, there is a VNI. */
const HAS_VNI = 0x08;

export function tunnelForgeries(parties: TunnelParties): TunnelForgery[] {
  const { vtep, senderVtep, victim, claimed, honest, port } = parties;
  const inner = (source: string) =>
    ethernet(vtep, senderVtep, ETHERTYPE.ipv4, ipv4(source, victim, udp(port)));
  return [
    { reason: 'tunnel-source', datagram: vxlan(HAS_VNI, VNI, inner(claimed)), stranger: false },
    { reason: 'wrong-vni', datagram: vxlan(HAS_VNI, WRONG_VNI, inner(honest)), stranger: false },
    { reason: 'malformed-tunnel', datagram: vxlan(0, VNI, inner(honest)), stranger: false },
    { reason: 'unknown-peer', datagram: vxlan(HAS_VNI, VNI, inner(honest)), stranger: true },
  ];
}

/** RFC 7348 section 5: flags, 24 reserved bits, VNI, 8 reserved bits. */
function vxlan(flags: number, vni: number, frame: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header[0] = flags;
  header.writeUIntBE(vni, 4, 3);
  return Buffer.concat([header, frame]);
}
