/*
 * What TAP I/O in user space can do at most: hands every packet of one TAP to the other and looks at none.
 * io_uring with 64 reads in flight for each TAP, virtio header and TSO on.
 *
 *     uring-reflect NETNS_A NETNS_B IFNAME      (paths of the namespaces; prints "ready")
 *
 * A baseline of `npm run bench -- node`; not a part of podwire.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <liburing.h>
#include "tap.h"

enum { READS = 64, ENTRIES = 1024, WRITE = 1 << 16 };

static struct io_uring_sqe *next_sqe(struct io_uring *ring) {
  struct io_uring_sqe *sqe = io_uring_get_sqe(ring);
  if (sqe) return sqe;
  io_uring_submit(ring);
  return io_uring_get_sqe(ring);
}

int main(int argc, char **argv) {
  int files[2];
  open_taps(files, argc, argv, 0);
  char *memory = aligned_alloc(4096, (size_t)2 * READS * BUFFER);
  struct io_uring ring;
  struct io_uring_params parameters = {0};
  if (!memory || io_uring_queue_init_params(ENTRIES, &ring, &parameters) < 0) fail("io_uring");
  if (io_uring_register_files(&ring, files, 2) < 0) fail("register files");

  for (unsigned id = 0; id < 2 * READS; id++) {
    struct io_uring_sqe *sqe = next_sqe(&ring);
    io_uring_prep_read(sqe, id / READS, memory + (size_t)id * BUFFER, BUFFER, 0);
    sqe->flags |= IOSQE_FIXED_FILE;
    sqe->user_data = id;
  }
  puts("ready");
  fflush(stdout);

  for (;;) {
    int submitted = io_uring_submit_and_wait(&ring, 1);
    if (submitted < 0 && submitted != -EINTR) return 1;
    struct io_uring_cqe *cqe;
    unsigned head, seen = 0;
    io_uring_for_each_cqe(&ring, head, cqe) {
      unsigned id = cqe->user_data & (WRITE - 1), tap = id / READS;
      char *buffer = memory + (size_t)id * BUFFER;
      struct io_uring_sqe *sqe = next_sqe(&ring);
      seen++;
      if (!(cqe->user_data & WRITE) && cqe->res > 0) {
        io_uring_prep_write(sqe, 1 - tap, buffer, cqe->res, 0);
        sqe->user_data = id | WRITE;
      } else {
        io_uring_prep_read(sqe, tap, buffer, BUFFER, 0);
        sqe->user_data = id;
      }
      sqe->flags |= IOSQE_FIXED_FILE;
    }
    io_uring_cq_advance(&ring, seen);
  }
}
