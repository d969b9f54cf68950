/*
 * gosolo_abi.h: the contract between the kernel (guest) and the gosolo command (host).
 *
 * Everything that one side writes and the other reads is here and nowhere else: the image
 * information that the packer fills in, the archive that becomes the root file system, the
 * kernel's command line, and the messages of the control port. All integers are little-endian.
 * Guest addresses are integers: neither side may treat the other's as pointers.
 *
 * Versioning: GOSOLO_ABI_VERSION changes whenever any layout or meaning here changes. The packer
 * refuses a kernel, and the kernel refuses an image, of another version.
 */
#pragma once

#include <stdint.h>

#define GOSOLO_ABI_VERSION 3u

typedef uint64_t gosolo_gva_t; /* guest virtual address */

/* ------------------------------------------------------------------ image information
 *
 * One object of this type, symbol `gosolo_image`, lies in the kernel's initialised data. In
 * kernel.elf magic, versions and the log's place are set; the packer fills in the rest.
 */
#define GOSOLO_IMAGE_MAGIC "GOSOLO-IMAGE-01" /* 15 characters and NUL */
#define GOSOLO_SEGMENTS_MAX 8u
#define GOSOLO_DEFAULTS_MAX 2048u

struct gosolo_segment {
	/* page aligned for every segment but where Go's linker says otherwise */
	gosolo_gva_t vaddr;
	uint64_t file_bytes; /* present in the image at vaddr (guest physical = virtual) */
	uint64_t mem_bytes; /* >= file_bytes; what lies beyond is zero */
	uint32_t flags; /* PF_X 1, PF_W 2, PF_R 4 */
	uint32_t reserved;
};

struct gosolo_image {
	char magic[16];
	uint32_t abi_version;
	uint32_t struct_bytes; /* sizeof(struct gosolo_image) */
	gosolo_gva_t go_entry; /* Go's own e_entry; 0: nothing was packed */
	gosolo_gva_t phdr_va; /* AT_PHDR: program headers in memory */
	uint32_t phdr_count;
	uint32_t segment_count;
	struct gosolo_segment segments[GOSOLO_SEGMENTS_MAX]; /* Go's PT_LOADs, ascending vaddr */
	gosolo_gva_t archive_va; /* struct gosolo_archive; 0: none */
	uint64_t archive_bytes;
	gosolo_gva_t pclntab_va; /* Go's function table, for reports; 0: not found */
	uint64_t pclntab_bytes;
	gosolo_gva_t text_va; /* Go's runtime.text */
	uint64_t text_bytes;
	gosolo_gva_t image_end; /* first address past the last file-backed page */
	uint64_t log_pa; /* struct gosolo_log_ring in the running machine's memory */
	uint64_t log_bytes; /* of it, the ring included */
	uint32_t default_mem_mib; /* -m given to build; 0: none */
	uint32_t default_cpus; /* -c given to build; 0: none */
	char go_version[32]; /* "go1.26.8"; "unknown" when the binary does not say */
	char program[64]; /* base name of the program, for reports and argv[0] */
	char defaults
		[GOSOLO_DEFAULTS_MAX]; /* command-line words put before the real command line */
};

/* ------------------------------------------------------------------ archive (root file system)
 *
 * header | nodes | names | data. Node 0 is the root directory. The children of a directory are
 * consecutive nodes, sorted by name (bytes compared as unsigned, a prefix first), so that a
 * look-up is a binary search and nothing has to be unpacked at boot. Data of regular files of
 * 4096 bytes or more begins on a page of the archive, which itself begins on a page.
 */
#define GOSOLO_ARCHIVE_MAGIC "GSARCH01" /* 8 characters, no NUL */

struct gosolo_archive {
	char magic[8];
	uint32_t node_count;
	uint32_t names_bytes;
	uint64_t nodes_off; /* all offsets are from the start of this header */
	uint64_t names_off;
	uint64_t data_off;
	uint64_t total_bytes;
};

struct gosolo_archive_node {
	uint32_t name_off; /* from names_off; not NUL-terminated */
	uint16_t name_len; /* 0 for the root only */
	uint16_t mode; /* S_IFDIR | S_IFREG | S_IFLNK and 07777, as in stat(2) */
	uint32_t first_child; /* directories */
	uint32_t child_count; /* directories */
	uint64_t data_off; /* files, and the target of symbolic links; from the header */
	uint64_t size_bytes;
	int64_t mtime_ns;
	uint32_t uid;
	uint32_t gid;
};

/* ------------------------------------------------------------------ the log in memory
 *
 * The kernel's messages lie in a ring that the host can read from the memory of a machine that says
 * nothing any more. Records lie back to back from first to end, which count bytes ever written; a
 * record's place is its count modulo ring_bytes. The header is followed by the ring.
 */
#define GOSOLO_LOG_MAGIC "GOSOLO-LOG-0001" /* 15 characters and NUL; set by the first message */

struct gosolo_log_ring {
	char magic[16];
	uint64_t first, end;
	uint32_t ring_bytes; /* a power of two */
	uint32_t reserved;
};

struct gosolo_log_record {
	uint16_t bytes; /* of text behind it, without newline */
	uint8_t level; /* enum gosolo_log_level */
	uint8_t reserved;
};

/* ------------------------------------------------------------------ kernel command line
 *
 * Words separated by spaces. In every word %XX (two hexadecimal digits) stands for that byte; the
 * command escapes space, '%', '"', control characters and bytes above 126. Order does not matter
 * save that "--" ends the options: the words after it are the program's arguments (argv[1]…).
 * A word that is not listed here is one line in the log. An empty argument is the word %00. The
 * whole line has at most GOSOLO_CMDLINE_BYTES_MAX bytes.
 *
 *   env=K=V                  one variable of the program's environment; may repeat, last one wins
 *   arg0=PATH                argv[0]; default "/" + gosolo_image.program
 *   cwd=DIR                  working directory; default "/"
 *   hostname=NAME            default "gosolo"
 *   ip=ADDR/LEN | dhcp | none   first network device; default dhcp when there is one
 *   gw=ADDR  dns=ADDR        with a static ip=; dns may repeat (three at most)
 *   ip6=ADDR/64 | auto | none   its IPv6 address, may repeat (four at most); default auto: from
 *                            router advertisements; nothing with ip=none
 *   gw6=ADDR                 with a static ip6=; default: from router advertisements
 *   tty=DIGITS               which of 0, 1, 2 are terminals on the host, for example tty=012
 *   log=LEVEL                error, warn, info (default), debug
 *   strace  strace=NAMES     trace system calls into the log (NAMES: comma-separated filter)
 *   stats                    send statistics before the exit record
 *   selftest=NAME           fail on purpose, for tests of the reports (kernel/selftest.h)
 *   torture=SEED            debug kernels: a scheduler driven mad by this seed
 *   tsc_khz=N                rate of the time stamp counter, when the host knows it
 *   ram=zero                 RAM reads as zero where neither loader nor firmware has written above
 *                            1 MiB outside the image and the modules: said by whoever knows the VMM
 *   memlimit=auto            GOMEMLIMIT from the size of memory, if the environment has none
 *   virtio_mmio.device=SIZE@ADDR:IRQ   a virtio-mmio transport (same syntax as Linux); may repeat
 */
#define GOSOLO_CMDLINE_BYTES_MAX 65535u /* without the NUL at its end */

/* ------------------------------------------------------------------ the virtio-serial device
 *
 * Ports are found by name (VIRTIO_CONSOLE_PORT_NAME), not by number.
 *   stdio    host -> guest: standard input; guest -> host: standard output. Raw bytes.
 *   stderr   guest -> host: standard error. Raw bytes.
 *   control  both ways: struct gosolo_msg, payload, struct gosolo_msg, …
 * A port without free buffers is back pressure, in both directions. The guest sends its EXIT
 * message only after the device has taken every byte of output: on EXIT the host reads what is
 * left of the other ports and may end the machine. The guest then resets the machine itself.
 */
#define GOSOLO_PORT_STDIO "org.gosolo.stdio"
#define GOSOLO_PORT_STDERR "org.gosolo.stderr"
#define GOSOLO_PORT_CONTROL "org.gosolo.control"

/* A message's payload never exceeds this; a longer one is a protocol error. */
#define GOSOLO_MSG_PAYLOAD_MAX 4096u

struct gosolo_msg {
	uint16_t type; /* enum gosolo_msg_type */
	uint16_t reserved; /* 0 */
	uint32_t payload_bytes; /* that follow this header */
};

enum gosolo_msg_type {
	/* guest -> host */
	GOSOLO_MSG_HELLO = 1, /* struct gosolo_hello; always first */
	GOSOLO_MSG_LOG = 2, /* u32 level, then text without newline */
	GOSOLO_MSG_EXIT = 3, /* struct gosolo_exit; always last */
	GOSOLO_MSG_STATS = 4, /* text, "name value unit\n" lines; may repeat */
	GOSOLO_MSG_TIME_QUERY = 5, /* empty: the host answers with TIME at once */
	GOSOLO_MSG_SET_TERMINAL = 6, /* struct gosolo_terminal_wish */
	/* host -> guest */
	GOSOLO_MSG_TIME = 16, /* i64: the host's CLOCK_REALTIME in ns; answers HELLO, TIME_QUERY */
	GOSOLO_MSG_SIGNAL = 17, /* u32: a Linux signal number for the program */
	GOSOLO_MSG_EOF = 18, /* u64: standard input ended after that many bytes in all */
	GOSOLO_MSG_WINSIZE = 19, /* u16 rows, u16 columns: window size of the host's terminal */
	GOSOLO_MSG_TERMINAL = 20, /* struct gosolo_terminal: what the host's terminal is set to */
};

/* Flags and characters of Linux's struct termios on x86-64, in its order. */
#define GOSOLO_TERMINAL_CHARS 19u
struct gosolo_terminal {
	uint32_t input, output, control, local; /* c_iflag, c_oflag, c_cflag, c_lflag */
	uint8_t chars[GOSOLO_TERMINAL_CHARS]; /* c_cc */
	uint8_t reserved;
};

/* What the program wants the terminal to be, once this much of its output has been shown. */
struct gosolo_terminal_wish {
	uint64_t stdout_bytes, stderr_bytes; /* in all */
	struct gosolo_terminal terminal;
	uint32_t reserved;
};

struct gosolo_hello {
	uint32_t abi_version;
	uint32_t reserved;
	char kernel_version[32];
};

enum gosolo_exit_kind {
	GOSOLO_EXIT_CODE = 0, /* value: the program's exit code, 0…255 */
	GOSOLO_EXIT_SIGNAL = 1, /* value: the signal that ended the program */
	GOSOLO_EXIT_NO_MEMORY = 2, /* the machine ran out of memory; text says where */
	GOSOLO_EXIT_KERNEL_FAULT = 3, /* the kernel failed; the report is in the log */
	GOSOLO_EXIT_BAD_IMAGE = 4, /* the image cannot run on this machine; text says why */
	GOSOLO_EXIT_REPORTED = 5, /* an NMI asked for a report, which is in the log */
};

struct gosolo_exit {
	uint32_t kind; /* enum gosolo_exit_kind */
	uint32_t value;
	char text[248]; /* one line, NUL-terminated; may be empty */
};

enum gosolo_log_level {
	GOSOLO_LOG_ERROR = 0,
	GOSOLO_LOG_WARN = 1,
	GOSOLO_LOG_INFO = 2,
	GOSOLO_LOG_DEBUG = 3,
};

/* Early output: before the channel is up, bytes written here (QEMU's isa-debugcon) are log text. */
#define GOSOLO_DEBUG_PORT 0xe9

/* Exit codes of the command itself (DESIGN: as container tools have them). */
enum gosolo_exit_code {
	GOSOLO_CODE_FAILED = 125, /* gosolo's own failure, or a machine without an exit record */
	GOSOLO_CODE_UNUSABLE = 126, /* the binary cannot be used */
	GOSOLO_CODE_NOT_FOUND = 127, /* the binary or package cannot be found */
};

_Static_assert(sizeof(struct gosolo_segment) == 32, "image layout");
_Static_assert(sizeof(struct gosolo_log_ring) == 40, "log layout");
_Static_assert(sizeof(struct gosolo_log_record) == 4, "log layout");
_Static_assert(sizeof(struct gosolo_archive) == 48, "archive layout");
_Static_assert(sizeof(struct gosolo_archive_node) == 48, "archive layout");
_Static_assert(sizeof(struct gosolo_msg) == 8, "control protocol");
_Static_assert(sizeof(struct gosolo_hello) == 40, "control protocol");
_Static_assert(sizeof(struct gosolo_exit) == 256, "control protocol");
_Static_assert(sizeof(struct gosolo_terminal) == 36, "control protocol");
_Static_assert(sizeof(struct gosolo_terminal_wish) == 56, "control protocol");
