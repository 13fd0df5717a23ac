/**
 * TAPs of virtual machines. The monitor (QEMU and the like) opens one by its name and has the guest's end, as a pod's
 * kernel has that of a pod's interface; podwire is at the other end, which is an interface of this host, with a packet
 * socket (raw.ts).
 *
 *     guest: eth0 ══ monitor: descriptor of tap0 ── host: tap0 ── packet socket ── switch
 *
 * - The TAP is persistent: monitors and daemons come and go. Without a reader it has no carrier, and loses what is sent.
 * - Its own MAC address is the guest's with `fe` before it, as libvirt has it: it must not be the guest's, and by it the
 *   TAP is known as podwire's.
 * - The host's kernel sees what the guest sends, too, after the packet socket has, and must do nothing with it. So the
 *   interface has no addresses, no ARP, no IPv6, and reverse path filtering: without an address on it no IPv4 packet
 *   passes that (net/ipv4/fib_frontend.c, __fib_validate_source), so none is delivered or routed past the switch.
 */
import { close } from 'node:fs';
import { promisify } from 'node:util';
import { LinuxError } from '../../linux/errno.js';
import { closeTap, openTap, setHardwareAddress, setOwner, setPersistent, type Tap } from '../../linux/tun.js';
import { PodwireError } from '../errors.js';
import { inside } from './inside.js';
import { runBatch } from './iproute2.js';
import { closeRaw, openRaw, type RawLink } from './raw.js';
import { ignorePackets } from './sysctl.js';

export interface GuestTapWish {
  /** Name of the TAP. */
  readonly tap: string;
  /** Who may open it beside root. Default: nobody. */
  readonly owner?: number;
  /** The guest's. */
  readonly mac: string;
  readonly mtu: number;
  /** What the data plane's driver needs of the socket. */
  readonly nonBlocking: boolean;
}

export interface GuestTap {
  readonly link: RawLink;
  /** Of one that was made just now and vanishes with it; undefined of one that was there. */
  readonly maker: Tap | undefined;
}

/** What the TAP itself has, the guest having `mac`. */
export function tapMac(mac: string): string {
  const first = mac.startsWith('fe') ? 'fa' : 'fe';
  return first + mac.slice(2);
}

/**
 * Makes a TAP that vanishes with its descriptor until it is kept, and the packet socket on it.
 * @throws LinuxError INTERFACE_EXISTS, PodwireError
 */
export async function createGuestTap(namespace: number, wish: GuestTapWish): Promise<GuestTap> {
  const maker = inside(namespace, () => openTap({ name: wish.tap, mode: 'create', vnetHeader: false }));
  try {
    setOwner(maker.fd, wish.owner ?? process.geteuid?.() ?? 0);
    setHardwareAddress(maker.fd, Buffer.from(tapMac(wish.mac).replaceAll(':', ''), 'hex'));
    return { maker, link: await open(namespace, wish) };
  } catch (error) {
    closeTap(maker);
    throw error;
  }
}

/**
 * Takes up the TAP that an earlier daemon left, whether or not a monitor has it, or makes it anew where it is gone.
 * @throws PodwireError INTERFACE_EXISTS where another interface has the name
 */
export async function restoreGuestTap(namespace: number, wish: GuestTapWish): Promise<GuestTap> {
  const mac = macOf(namespace, wish.tap);
  if (mac === undefined) return createGuestTap(namespace, wish);
  if (mac === tapMac(wish.mac)) return { maker: undefined, link: await open(namespace, wish) };
  throw new PodwireError(
    'INTERFACE_EXISTS',
    `${wish.tap} is another interface (${mac} instead of ${tapMac(wish.mac)}), which is not podwire's`,
  );
}

/** One that was made just now goes; the packet socket is whose port it has become. */
export function forgoGuestTap({ maker }: GuestTap): void {
  if (maker) closeTap(maker);
}

/** From now on it is there without us, for a monitor to open. */
export async function keepGuestTap({ maker }: GuestTap): Promise<void> {
  if (maker === undefined) return;
  setPersistent(maker.fd, true);
  await promisify(close)(maker.fd);
}

/** Takes it away, also from a monitor that has it. One that is gone, or is not podwire's any more, is left alone. */
export async function removeGuestTap(
  namespace: number,
  { tap, mac }: Pick<GuestTapWish, 'tap' | 'mac'>,
): Promise<void> {
  if (macOf(namespace, tap) !== tapMac(mac)) return;
  try {
    await runBatch([`link delete dev ${tap}`], namespace);
  } catch (error) {
    if (macOf(namespace, tap) !== undefined) throw error;
  }
}

async function open(namespace: number, { tap, mac, mtu, nonBlocking }: GuestTapWish): Promise<RawLink> {
  inside(namespace, () => ignorePackets(tap));
  const settings = `address ${tapMac(mac)} mtu ${mtu} arp off multicast off`;
  await runBatch([`link set dev ${tap} ${settings}`, `link set dev ${tap} up`], namespace);
  return openRaw(namespace, { ifname: tap, nonBlocking });
}

/** Of the interface of that name; undefined where there is none. */
function macOf(namespace: number, ifname: string): string | undefined {
  try {
    const link = openRaw(namespace, { ifname, nonBlocking: true, mayBeDown: true });
    closeRaw(link);
    return link.mac;
  } catch (error) {
    if (error instanceof LinuxError && error.code === 'INTERFACE_NOT_FOUND') return undefined;
    if (error instanceof LinuxError && error.code === 'INTERFACE_NOT_ETHERNET') return 'no Ethernet';
    throw error;
  }
}
