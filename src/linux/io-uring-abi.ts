/**
 * Numbers and layouts of linux/io_uring.h, under their names there. The same on x86-64 and arm64, also the
 * system call numbers. Structures are arrays of 32-bit words here; 64-bit fields are low word, high word.
 */

export const Syscall = { io_uring_setup: 425, io_uring_enter: 426, io_uring_register: 427 } as const;

/** io_uring_params.flags */
export const SetupFlags = {
  IORING_SETUP_CQSIZE: 1 << 3,
  IORING_SETUP_CLAMP: 1 << 4,
  /** Linux 5.18: a request refused at submission does not stop the ones behind it. */
  IORING_SETUP_SUBMIT_ALL: 1 << 7,
  /** Linux 5.19: completions do not interrupt the thread; it must enter the kernel to find them. */
  IORING_SETUP_COOP_TASKRUN: 1 << 8,
  /** Linux 6.0: only the thread that made the ring enters and registers. */
  IORING_SETUP_SINGLE_ISSUER: 1 << 12,
  /** Linux 6.1, with SINGLE_ISSUER: completions are produced only while the thread waits for them. */
  IORING_SETUP_DEFER_TASKRUN: 1 << 13,
} as const;

/** io_uring_params.features */
export const Features = {
  IORING_FEAT_SINGLE_MMAP: 1 << 0,
  IORING_FEAT_NODROP: 1 << 1,
  IORING_FEAT_EXT_ARG: 1 << 8,
} as const;

export const Opcode = {
  IORING_OP_NOP: 0,
  IORING_OP_READV: 1,
  IORING_OP_WRITEV: 2,
  IORING_OP_POLL_ADD: 6,
  IORING_OP_POLL_REMOVE: 7,
  IORING_OP_SENDMSG: 9,
  IORING_OP_RECVMSG: 10,
  IORING_OP_TIMEOUT: 11,
  IORING_OP_TIMEOUT_REMOVE: 12,
  IORING_OP_ASYNC_CANCEL: 14,
  IORING_OP_READ: 22,
  IORING_OP_WRITE: 23,
  IORING_OP_SEND: 26,
  IORING_OP_RECV: 27,
} as const;

/** io_uring_sqe.flags */
export const SqeFlags = {
  /** The descriptor is an index of the registered files. */
  IOSQE_FIXED_FILE: 1 << 0,
  IOSQE_IO_LINK: 1 << 2,
  IOSQE_ASYNC: 1 << 4,
  IOSQE_CQE_SKIP_SUCCESS: 1 << 6,
} as const;

/** Flags of single operations (the union at word 7 of an SQE, or `len` for poll). */
export const OpFlags = {
  /** rw_flags (linux/fs.h): end with -EAGAIN instead of waiting for data. */
  RWF_NOWAIT: 0x8,
  IORING_POLL_ADD_MULTI: 1 << 0,
  IORING_ASYNC_CANCEL_ALL: 1 << 0,
  IORING_ASYNC_CANCEL_FD: 1 << 1,
  IORING_ASYNC_CANCEL_FD_FIXED: 1 << 3,
} as const;

/** io_uring_cqe.flags */
export const CqeFlags = {
  /** More completions of this request follow. */
  IORING_CQE_F_MORE: 1 << 1,
} as const;

export const EnterFlags = { IORING_ENTER_GETEVENTS: 1 << 0, IORING_ENTER_EXT_ARG: 1 << 3 } as const;

export const RegisterOp = {
  IORING_REGISTER_FILES: 2,
  IORING_UNREGISTER_FILES: 3,
  IORING_REGISTER_FILES_UPDATE: 6,
  IORING_REGISTER_PROBE: 8,
} as const;

/** The sq flags word of the ring. */
export const IORING_SQ_CQ_OVERFLOW = 1 << 1;

export const IORING_OFF_SQ_RING = 0;
export const IORING_OFF_SQES = 0x10000000;

/** struct io_uring_params: word indices; sq_off and cq_off begin at words 10 and 20. */
export const PARAMS_WORDS = 30;
export const Params = {
  sq_entries: 0,
  cq_entries: 1,
  flags: 2,
  features: 5,
  sq_head: 10,
  sq_tail: 11,
  sq_flags: 14,
  sq_array: 16,
  cq_head: 20,
  cq_tail: 21,
  cq_overflow: 24,
  cq_cqes: 25,
} as const;

export const SQE_BYTES = 64;
export const CQE_BYTES = 16;

/** Word offsets in struct io_uring_sqe. Word 0 is opcode, flags (8 bits each) and ioprio (16). */
export const Sqe = {
  opcode: 0,
  fd: 1,
  off: 2,
  addr: 4,
  len: 6,
  op_flags: 7,
  user_data: 8,
  buf_index: 10,
  file_index: 11,
} as const;

/** Word offsets in struct io_uring_cqe. */
export const Cqe = { user_data: 0, res: 2, flags: 3 } as const;

/** struct io_uring_getevents_arg { u64 sigmask; u32 sigmask_sz, min_wait_usec; u64 ts; } */
export const GETEVENTS_ARG_BYTES = 24;
export const GETEVENTS_ARG_TS = 4;

/** struct io_uring_probe: 16 bytes { u8 last_op, ops_len; … }, then 8 bytes { u8 op, resv; u16 flags; u32 } each. */
export const PROBE_OPS = 256;
export const PROBE_HEADER_BYTES = 16;
export const PROBE_OP_BYTES = 8;
export const IO_URING_OP_SUPPORTED = 1 << 0;
