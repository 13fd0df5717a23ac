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
#include <poll.h>
#include "tap.h"

enum { TURN = 64 };

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
  int taps[2];
  open_taps(taps, argc, argv, O_NONBLOCK);
  struct pollfd waiting[2] = {{.fd = taps[0], .events = POLLIN}, {.fd = taps[1], .events = POLLIN}};
  puts("ready");
  fflush(stdout);
  for (;;) {
    if (poll(waiting, 2, -1) < 0 && errno != EINTR) fail("poll");
    for (int tap = 0; tap < 2; tap++)
      if (waiting[tap].revents & POLLIN) turn(taps[tap], taps[1 - tap]);
  }
}
