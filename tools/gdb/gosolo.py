"""gosolo.py: gdb commands for a machine that gosolo runs.

    gosolo-threads [TID]   every thread: state, the call it is in, kernel and Go stack by name
    gosolo-runq            what each CPU runs, and who waits for it
    gosolo-maps            the program's mappings
    gosolo-locks           the locks that are held now
    gosolo-log             the kernel's messages
    gosolo                 all of them
    gosolo-attach :PORT KERNEL.ELF

They read the guest's memory and never run code in it. `gosolo run --gdb` prints a line that loads
this file; by hand: gdb -x gosolo.py IMAGE -ex 'gosolo-attach :1234 build/kernel/kernel.elf'.
"""
import re

import gdb

DIRECT_MAP = 0xFFFF888000000000
TRAP_CALL = 0x100
FRAMES_MAX = 32
STATES = ["running", "runnable", "parked", "waking", "dead"]
LOCKS = [
    ("kernel/sched/thread.c", "threads.lock"), ("kernel/mm/vm.c", "vm.lock"),
    ("kernel/mm/pmm.c", "pmm.lock"), ("kernel/mm/kmem.c", "kmem.lock"),
    ("kernel/log.c", "logger.lock"), ("kernel/signal/signal.c", "signals.lock"),
    ("kernel/entropy.c", "entropy.lock"), ("kernel/time/clock.c", "clk.lock"),
    ("fs/vfs.c", "tree.lock"), ("fs/fdtable.c", "fdtable.lock"), ("net/net.c", "net.lock"),
    ("drivers/virtio/console.c", "console.lock"), ("drivers/virtio/console_outbox.c", "outbox.lock"),
]


def evaluate(text):
    return gdb.parse_and_eval(text)


def number(value):
    return int(value) & 0xFFFFFFFFFFFFFFFF


def field(struct, *names):
    """struct.a.b as a number."""
    for name in names:
        struct = struct[name]
    return number(struct)


def read(address, size):
    try:
        return bytes(gdb.selected_inferior().read_memory(address, size))
    except gdb.error:
        return None


def read_u64(address):
    data = read(address, 8)
    return int.from_bytes(data, "little") if data else None


def function_at(address, is_return):
    """NAME+OFFSET. A return address belongs to the call before it."""
    text = gdb.execute("info symbol %#x" % (address - is_return), to_string=True)
    if text.startswith("No symbol"):
        return "?"
    words = text.split(" in section")[0].split()
    offset = int(words[2]) if len(words) >= 3 and words[1] == "+" else 0
    # Some gdb print Go's runtime.futex as runtime[futex].
    return "%s+%#x" % (re.sub(r"\[(\w+)\]", r".\1", words[0]), offset + is_return)


def print_stack(whose, pc, fp):
    print("  %s:" % whose)
    for depth in range(FRAMES_MAX):
        if not pc:
            return
        print("    %#018x %s" % (pc, function_at(pc, depth > 0)))
        up, pc = (read_u64(fp), read_u64(fp + 8)) if fp and fp % 8 == 0 else (None, None)
        fp = up if up and up > fp else 0


def each_thread():
    thread = evaluate("'kernel/sched/thread.c'::threads.all.tqh_first")
    while number(thread):
        yield thread.dereference()
        thread = thread["all_link"]["tqe_next"]


def each_cpu():
    for i in range(number(evaluate("cpu_count"))):
        yield i, evaluate("cpus[%d]" % i)


def cpu_of(thread):
    """The CPU that runs it now, or None."""
    for i, cpu in each_cpu():
        if number(cpu["current"]) == number(thread.address):
            return i
    return None


def frame_of(thread):
    """The program's registers at its last entry to the kernel."""
    size = gdb.lookup_type("struct trapframe").sizeof
    top = field(thread, "kstack") + 16384
    return gdb.Value(top - size).cast(gdb.lookup_type("struct trapframe").pointer()).dereference()


def call_name(nr):
    try:
        return evaluate("'abi/linux/dispatch.c'::entries[%d].name" % nr).string()
    except gdb.error:
        return "call %d" % nr


def registers_of_cpu(index):
    """RIP, RBP and RSP of a CPU: gdb's thread INDEX+1 under QEMU."""
    selected = gdb.selected_thread()
    for t in gdb.selected_inferior().threads():
        if t.num != index + 1:
            continue
        t.switch()
        frame = gdb.newest_frame()
        values = [number(frame.read_register(r)) for r in ("rip", "rbp", "rsp")]
        selected.switch()
        return values
    return None


def is_kernel_text(pc):
    return number(evaluate("&kernel_text_start")) <= pc < number(evaluate("&kernel_text_end"))


def describe(thread):
    cpu = cpu_of(thread)
    state = "on cpu %d" % cpu if cpu is not None else STATES[field(thread, "state")]
    name = thread["name"].string() or "-"
    is_program = field(thread, "arch", "fpu") != 0
    frame = frame_of(thread) if is_program else None
    entry = "kernel thread"
    if is_program and field(frame, "vector") == TRAP_CALL:
        entry = "%s(%#x, %#x, %#x)" % (call_name(field(frame, "error")), field(frame, "rdi"),
                                       field(frame, "rsi"), field(frame, "rdx"))
    elif is_program:
        entry = "vector %d" % field(frame, "vector")
    print("thread %d %s: %s, last entry: %s" % (int(thread["tid"]), name, state, entry))
    registers = registers_of_cpu(cpu) if cpu is not None else None
    if registers and not is_kernel_text(registers[0]):
        print_stack("Go", registers[0], registers[1])
        return
    if registers:
        print_stack("kernel", registers[0], registers[1])
    else:
        ksp = field(thread, "arch", "ksp")  # r15 r14 r13 r12 rbx rbp rip, as switch_stacks left them
        if ksp:
            print_stack("kernel", read_u64(ksp + 48), read_u64(ksp + 40))
    if is_program:
        print_stack("Go", field(frame, "rip"), field(frame, "rbp"))


class Attach(gdb.Command):
    """gosolo-attach [HOST]:PORT [KERNEL.ELF]: the kernel's symbols, then the machine."""

    def __init__(self):
        super().__init__("gosolo-attach", gdb.COMMAND_RUNNING)

    def invoke(self, argument, from_tty):
        target, *kernel = gdb.string_to_argv(argument)
        gdb.execute("set confirm off")
        if kernel:
            gdb.execute("add-symbol-file " + kernel[0])
        gdb.execute("target remote " + target)


class Threads(gdb.Command):
    """gosolo-threads [TID]: threads with their kernel and Go stacks."""

    def __init__(self):
        super().__init__("gosolo-threads", gdb.COMMAND_STACK)

    def invoke(self, argument, from_tty):
        for thread in each_thread():
            if not argument or int(argument) == int(thread["tid"]):
                describe(thread)


class RunQueues(gdb.Command):
    """gosolo-runq: what each CPU runs, and who waits for it."""

    def __init__(self):
        super().__init__("gosolo-runq", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        for i, cpu in each_cpu():
            is_idle = number(cpu["current"]) == number(cpu["idle"])
            runs = "nothing" if is_idle else "thread %d" % int(cpu["current"]["tid"])
            waiting = [str(int(t["tid"])) for t in each_thread()
                       if field(t, "state") == 1 and field(t, "cpu") == i]
            print("cpu %d runs %s; ready: %s" % (i, runs, " ".join(waiting) or "none"))


def mappings(node):
    if number(node):
        yield from mappings(node["node"]["rbe_left"])
        yield node.dereference()
        yield from mappings(node["node"]["rbe_right"])


class Mappings(gdb.Command):
    """gosolo-maps: the program's mappings, as /proc/self/maps has them."""

    def __init__(self):
        super().__init__("gosolo-maps", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        for v in mappings(evaluate("vm.tree.rbh_root")):
            prot = field(v, "prot")
            letters = "".join(c if prot & bit else "-" for c, bit in (("r", 1), ("w", 2), ("x", 4)))
            print("%016x-%016x %s%s %s" % (field(v, "start"), field(v, "end"), letters,
                                           "s" if field(v, "flags") & shared_flag() else "p",
                                           "object %#x" % field(v, "object") if field(v, "object") else ""))


def shared_flag():
    return number(evaluate("VM_SHARED"))


class Locks(gdb.Command):
    """gosolo-locks: the spinlocks that are held; in a debug kernel also in which order."""

    def __init__(self):
        super().__init__("gosolo-locks", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        held = 0
        for path, name in LOCKS:
            held += self.show(name, "'%s'::%s" % (path, name)) or self.show(name, name)
        for i, cpu in each_cpu():
            held += self.show("cpus[%d].rq_lock" % i, "cpus[%d].rq_lock" % i)
            for n in range(field(cpu, "locks_held")):
                lock = cpu["lock_stack"][n]
                print("cpu %d holds %#x, rank %d" % (i, number(lock), field(lock.dereference(), "rank")))
        if not held:
            print("no lock is held")

    @staticmethod
    def show(name, expression):
        try:
            owner = number(evaluate("%s.owner" % expression))
        except gdb.error:
            return 0  # not in this kernel, or not by this name
        if owner:
            print("%s is held by cpu %d" % (name, owner - 1))
        return 1 if owner else 0


class Log(gdb.Command):
    """gosolo-log: the kernel's messages, as far as the ring still has them."""

    def __init__(self):
        super().__init__("gosolo-log", gdb.COMMAND_DATA)

    def invoke(self, argument, from_tty):
        head = evaluate("log_memory.head")
        at, end, size = field(head, "first"), field(head, "end"), field(head, "ring_bytes")
        base = number(evaluate("&log_memory.ring"))
        if not size:
            print("nothing was logged yet")
            return
        ring = read(base, size)
        take = lambda start, n: bytes(ring[(start + k) % size] for k in range(n))
        while at + 4 <= end:
            n = int.from_bytes(take(at, 2), "little")
            print(take(at + 4, n).decode("utf-8", "replace"))
            at += 4 + n


class All(gdb.Command):
    """gosolo: threads, run queues, mappings, locks and log."""

    def __init__(self):
        super().__init__("gosolo", gdb.COMMAND_STATUS)

    def invoke(self, argument, from_tty):
        for name in ("gosolo-runq", "gosolo-threads", "gosolo-maps", "gosolo-locks", "gosolo-log"):
            print("--- %s" % name)
            gdb.execute(name)


for command in (Attach, Threads, RunQueues, Mappings, Locks, Log, All):
    command()
