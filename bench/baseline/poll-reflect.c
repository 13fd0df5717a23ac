/*
 * What TAP I/O costs without io_uring: hands every packet of one TAP to the other and looks at none. poll(2) over
 * both, then a read and a write for each packet, at most 64 of one TAP before the other has its turn. Virtio header
 * and TSO on.
 *
 *     poll-reflect NETNS_A NETNS_B IFNAME      (paths of the namespaces; prints "ready")
 *
 * A baseline of `npm run bench -- node`; not a part of podwire.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { TURN = 64, BUFFER = 66048, VNET_HEADER = 12 };

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int open_tap(const char *netns, const char *name) {
  int ns = open(netns, O_RDONLY | O_CLOEXEC);
  if (ns < 0 || setns(ns, CLONE_NEWNET) < 0) fail(netns);
  close(ns);
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) fail("/dev/net/tun");
  struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  int header = VNET_HEADER;
  if (ioctl(fd, TUNSETIFF, &request) < 0) fail("TUNSETIFF");
  if (ioctl(fd, TUNSETVNETHDRSZ, &header) < 0) fail("TUNSETVNETHDRSZ");
  if (ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) < 0) fail("TUNSETOFFLOAD");
  return fd;
}

/* A write that fails is a lost packet: the other interface is down, or its queue is full. */
static void turn(int from, int to) {
  static char buffer[BUFFER];
  for (int packets = 0; packets < TURN; packets++) {
    ssize_t length = read(from, buffer, sizeof buffer);
    if (length < 0) return;
    if (write(to, buffer, length) < 0) continue;
  }
}

int main(int argc, char **argv) {
  if (argc != 4) {
    fprintf(stderr, "usage: poll-reflect NETNS_A NETNS_B IFNAME\n");
    return 2;
  }
  int taps[2] = {open_tap(argv[1], argv[3]), open_tap(argv[2], argv[3])};
  struct pollfd waiting[2] = {{.fd = taps[0], .events = POLLIN}, {.fd = taps[1], .events = POLLIN}};
  puts("ready");
  fflush(stdout);
  for (;;) {
    if (poll(waiting, 2, -1) < 0 && errno != EINTR) fail("poll");
    for (int tap = 0; tap < 2; tap++)
      if (waiting[tap].revents & POLLIN) turn(taps[tap], taps[1 - tap]);
  }
}
