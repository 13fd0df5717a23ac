/*
 * A TAP as the reflectors open it: in the network namespace of the other end, with virtio header and TSO, so that they
 * are given the packets that podwire is given. A program that includes this defines _GNU_SOURCE first.
 */
#ifndef PODWIRE_BASELINE_TAP_H
#define PODWIRE_BASELINE_TAP_H
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* Of a packet at most: 64 KiB and headers. */
enum { BUFFER = 66048, VNET_HEADER = 12 };

static void fail(const char *what) {
  perror(what);
  exit(1);
}

/* `flags` of open(2). The calling thread stays in the namespace. */
static int open_tap(const char *netns, const char *name, int flags) {
  int ns = open(netns, O_RDONLY | O_CLOEXEC);
  if (ns < 0 || setns(ns, CLONE_NEWNET) < 0) fail(netns);
  close(ns);
  int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | flags);
  if (fd < 0) fail("/dev/net/tun");
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  int header = VNET_HEADER;
  if (ioctl(fd, TUNSETIFF, &request) < 0) fail("TUNSETIFF");
  if (ioctl(fd, TUNSETVNETHDRSZ, &header) < 0) fail("TUNSETVNETHDRSZ");
  if (ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) < 0) fail("TUNSETOFFLOAD");
  return fd;
}

/* Opens both of `PROGRAM NETNS_A NETNS_B IFNAME`. */
static void open_taps(int taps[2], int argc, char **argv, int flags) {
  if (argc != 4) {
    fprintf(stderr, "usage: %s NETNS_A NETNS_B IFNAME\n", argv[0]);
    exit(2);
  }
  for (int tap = 0; tap < 2; tap++) taps[tap] = open_tap(argv[1 + tap], argv[3], flags);
}
#endif
