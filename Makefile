# gosolo: one Makefile for everything. `make help` lists the verbs.
#
# Switches: CONFIG=release|debug, CC=gcc|clang, OUT=folder, V=1. Each pair of configuration and
# compiler has its own OUT, so they can live side by side.
VERSION := 0.1.0

MAKEFLAGS += -rR
ifneq ($(filter default undefined,$(origin CC)),)
CC := gcc
endif
LD := ld
CONFIG ?= release
compiler := $(if $(findstring clang,$(notdir $(CC))),clang,gcc)
variant := $(subst gcc-release,,$(compiler)-$(CONFIG))
OUT ?= build$(if $(variant),/$(variant))
K := $(OUT)/kernel
Q := $(if $(V),,@)
PREFIX ?= /usr/local
export LC_ALL := C

# ---- third-party sources: pinned in tools/pins.txt, fetched into a cache shared by all clones
# and kept by `make clean`. A home folder with blanks in its name can't be used: make splits there.
cache_home := $(or $(XDG_CACHE_HOME),$(if $(HOME),$(HOME)/.cache))
CACHE ?= $(if $(filter 1,$(words $(cache_home))),$(cache_home)/gosolo,.cache)
pin = $(CACHE)/$(1)_$(shell awk '$$1 == "$(1)" { print $$2 }' tools/pins.txt)
LWIP := $(K)/lwip
BEARSSL := $(call pin,bearssl)
LWIP_SRCS := $(addprefix core/,def inet_chksum init ip mem memp netif pbuf stats tcp tcp_in \
	tcp_out timeouts udp) $(addprefix core/ipv4/,dhcp etharp icmp igmp ip4 ip4_addr ip4_frag) \
	$(addprefix core/ipv6/,ethip6 icmp6 inet6 ip6 ip6_addr ip6_frag mld6 nd6) netif/ethernet
BEARSSL_SRCS := symcipher/chacha20_ct hash/sha2small $(addprefix codec/,dec32be enc32be \
	dec32le enc32le)

# ---- our sources. Rooms are a fixed list, their files are found: a new file needs no edit here,
# so that work in different rooms never meets in this file. A new room does.
ROOMS := lib arch platform kernel drivers fs net abi boot
files = $(sort $(shell find $(1) -name '*.[cS]' 2>/dev/null))
VDSO_SRCS := $(sort $(wildcard abi/linux/vdso/*.c))
sources = $(filter-out $(VDSO_SRCS),$(call files,$(1)))
objects = $(patsubst %,$(K)/obj/%.o,$(call sources,$(1)))
CLI_OBJS := $(patsubst %,$(OUT)/cli/obj/%.o,$(call files,cli))
UNIT_TESTS := $(patsubst test/unit/%.c,$(OUT)/unit/%,$(wildcard test/unit/*_test.c))
HEADERS := $(shell find include $(ROOMS) cli test -name '*.h' 2>/dev/null)

# ---- flags
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wundef \
	-Wvla -Werror
THIRD_INC := -Inet/lwip_port -isystem $(LWIP)/src/include -isystem $(BEARSSL)/inc
COMMON := -std=c11 -g -ffile-prefix-map=$(CURDIR)=. -ffile-prefix-map=$(CACHE)=third-party -ffile-prefix-map=$(K)=third-party -I. -Iinclude \
	-DGOSOLO_VERSION='"$(VERSION)"' \
	$(if $(filter debug,$(CONFIG)),-Og -DGOSOLO_DEBUG,-O2)
CODEGEN := -ffreestanding -mno-red-zone -mgeneral-regs-only -mcmodel=small -fno-pie -fno-common \
	-fno-omit-frame-pointer -fno-stack-protector -fcf-protection=none -fno-strict-aliasing \
	-fno-asynchronous-unwind-tables -ffunction-sections -fdata-sections -fwrapv
KFLAGS := $(COMMON) $(CODEGEN) $(WARN) $(THIRD_INC) -I$(K) -MMD -MP
VDSO_FLAGS := $(filter-out -fno-pie -mcmodel=small -ffunction-sections -fdata-sections,$(KFLAGS)) \
	-O2 -fPIC -fvisibility=hidden
# Not our code, so not our warnings. The codegen flags are those of the kernel. __NO_INLINE__: libc's
# headers declare the functions that lib/ has (atoi), but must not bring bodies that need others.
THIRD_FLAGS := $(COMMON) $(CODEGEN) -w -D__NO_INLINE__ $(THIRD_INC) -I$(BEARSSL)/src -DBR_SSE2=0 \
	-DBR_AES_X86_NI=0 -DBR_RDRAND=0 -MMD -MP
# `-D_GNU_SOURCE=`: the same text as a source's own `#define _GNU_SOURCE`, hence no clash.
CLI_FLAGS := $(COMMON) $(WARN) -D_GNU_SOURCE= -fstack-protector-strong -D_FORTIFY_SOURCE=2 -MMD -MP
UNIT_FLAGS := -Itest/unit/shim $(filter-out -O2 -Og,$(COMMON)) -O1 $(WARN) -D_GNU_SOURCE= \
	-DGOSOLO_DEBUG -DGOSOLO_UNIT_TEST $(THIRD_INC) -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all

all: $(OUT)/gosolo ## the command, with the kernel inside
kernel: $(K)/kernel.elf
# ---- kernel: sources -> one object per room -> kernel.elf
$(K)/obj/%.c.o: %.c Makefile | $(K)/third-party.ok
	@mkdir -p $(@D)
	$(if $(V),,@echo "  cc   $<")
	$(Q)$(CC) $(KFLAGS) -c $< -o $@

$(K)/obj/%.S.o: %.S Makefile | $(K)/third-party.ok
	@mkdir -p $(@D)
	$(if $(V),,@echo "  as   $<")
	$(Q)$(CC) $(KFLAGS) -c $< -o $@

# $(1) room, $(2) its objects. `ld -r` keeps the room's border visible: check-symbols reads it.
define ROOM
$(K)/$(1).o: $(2)
	@mkdir -p $$(@D)
	$(Q)$(LD) -r -o $$@ $(2)
endef
LIVE_ROOMS := $(foreach r,$(ROOMS),$(if $(call sources,$(r)),$(r)))
$(foreach r,$(LIVE_ROOMS),$(eval $(call ROOM,$(r),$(call objects,$(r)))))
THIRD_ROOMS := lwip bearssl
$(eval $(call ROOM,lwip,$(LWIP_SRCS:%=$(K)/obj/third-party/lwip/%.o)))
$(eval $(call ROOM,bearssl,$(BEARSSL_SRCS:%=$(K)/obj/third-party/bearssl/%.o)))
ROOM_OBJS := $(patsubst %,$(K)/%.o,$(LIVE_ROOMS) $(THIRD_ROOMS))

$(K)/third-party.ok: tools/pins.txt tools/fetch-source.sh tools/patch-source.sh $(wildcard net/lwip_port/patches/*)
	@mkdir -p $(@D)
	@for name in $(THIRD_ROOMS); do tools/fetch-source.sh $$name $(CACHE) >/dev/null || exit; done
	@tools/patch-source.sh $(call pin,lwip) net/lwip_port/patches $(LWIP) && touch $@

$(K)/obj/third-party/lwip/%.o: $(K)/third-party.ok Makefile $(wildcard net/lwip_port/*.h net/lwip_port/*/*.h)
	@mkdir -p $(@D)
	$(Q)$(CC) $(THIRD_FLAGS) -c $(LWIP)/src/$*.c -o $@
$(K)/obj/third-party/bearssl/%.o: $(K)/third-party.ok Makefile
	@mkdir -p $(@D)
	$(Q)$(CC) $(THIRD_FLAGS) -c $(BEARSSL)/src/$*.c -o $@

# max-page-size: an image's file offset is its address less 2 MiB, in every segment. Linked twice:
# the second time with the table of functions that the first one gave, which must not move any.
LINK = $(LD) -nostdlib -static -no-pie -T boot/linker.ld --gc-sections --build-id=none \
	-z noexecstack -z max-page-size=0x200000
functions = nm -n --defined-only $(1) | sed '/kernel_text_end/q'
$(K)/unnamed.elf: boot/linker.ld $(ROOM_OBJS) Makefile
	$(Q)$(LINK) -o $@ $(ROOM_OBJS)
$(K)/symbols.o: $(K)/unnamed.elf tools/kernel-symbols.sh
	$(Q)tools/kernel-symbols.sh $< >$(K)/symbols.S && $(CC) -c $(K)/symbols.S -o $@
$(K)/kernel.elf: $(K)/symbols.o
	$(if $(V),,@echo "  ld   $@")
	$(Q)$(LINK) -Map $(K)/kernel.map -o $@.new $(ROOM_OBJS) $<
	$(Q)[ "$$($(call functions,$(K)/unnamed.elf))" = "$$($(call functions,$@.new))" ]
	$(Q)mv $@.new $@

# ---- vDSO: a shared object of its own, embedded by abi/linux/vdso/vdso_blob.S
VDSO_OBJS := $(VDSO_SRCS:%.c=$(K)/vdso/%.o)
$(K)/vdso/%.o: %.c Makefile | $(K)/third-party.ok
	@mkdir -p $(@D)
	$(Q)$(CC) $(VDSO_FLAGS) -c $< -o $@

$(K)/vdso.so: abi/linux/vdso/vdso.ld $(VDSO_OBJS)
	$(Q)$(LD) -shared -nostdlib -T $< -soname linux-vdso.so.1 --hash-style=both --build-id=none \
		-z noexecstack -z max-page-size=4096 --fatal-warnings -o $@ $(VDSO_OBJS)

$(K)/obj/abi/linux/vdso/vdso_blob.S.o: $(K)/vdso.so

# ---- the command, with the kernel inside so that it is one file
$(OUT)/cli/obj/%.c.o: %.c Makefile
	@mkdir -p $(@D)
	$(if $(V),,@echo "  cc   $<")
	$(Q)$(CC) $(CLI_FLAGS) -c $< -o $@

$(OUT)/cli/kernel_blob.S: Makefile
	@mkdir -p $(@D); printf '%s\n' '.section .rodata' '.balign 4096' '.globl gosolo_kernel_start, gosolo_kernel_end' \
		'gosolo_kernel_start: .incbin "kernel.elf"' 'gosolo_kernel_end:' \
		'.section .note.GNU-stack,"",@progbits' >$@

$(OUT)/cli/kernel_blob.o: $(OUT)/cli/kernel_blob.S $(K)/kernel.elf
	$(Q)$(CC) -c -Wa,-I$(K) $< -o $@

$(OUT)/gosolo: $(CLI_OBJS) $(OUT)/cli/kernel_blob.o
	$(if $(V),,@echo "  ld   $@")
	$(Q)$(CC) -o $@ $^

# ---- unit tests: kernel sources on the host, under sanitizers. A test names the sources it is
# linked with in a comment: /* sources: kernel/mm/vm.c lib/string.c */ (may span lines).
unit_sources = $(shell awk '/sources:/ { on = 1; sub(/.*sources:/, "") } on { end = sub(/\*\/.*/, ""); \
	gsub(/\*/, " "); print; if (end) exit }' $(1))
define UNIT
$(OUT)/unit/$(1): test/unit/$(1).c $(call unit_sources,test/unit/$(1).c) $(HEADERS) Makefile \
		$(K)/third-party.ok
	@mkdir -p $$(@D)
	$(Q)$(CC) $(UNIT_FLAGS) $$(filter %.c,$$^) -o $$@
endef
$(foreach t,$(notdir $(UNIT_TESTS)),$(eval $(call UNIT,$(t))))

# The same for fuzz targets: without libFuzzer they run seeds and past crashers (test/fuzz.sh fuzzes).
# A source that a target includes, to reach what is static in it, is no object of its own.
included_sources = $(shell sed -n 's/^\#include "\(.*\.c\)"/\1/p' $(1))
FUZZ_REPLAYS := $(patsubst test/fuzz/%.c,$(OUT)/replay/%,$(wildcard test/fuzz/*_fuzz.c))
define REPLAY
$(OUT)/replay/$(1): test/fuzz/$(1).c test/fuzz/replay.c $(patsubst build:%,$(OUT)/%,$(call unit_sources,test/fuzz/$(1).c)) \
		$(call included_sources,test/fuzz/$(1).c) $(HEADERS) Makefile $(K)/third-party.ok
	@mkdir -p $$(@D)
	$(Q)$(CC) $(UNIT_FLAGS) -fno-sanitize=alignment $(if $(filter elf_fuzz channel_fuzz,$(1)),,-fwrapv) \
		$$(filter-out $(call included_sources,test/fuzz/$(1).c),$$(filter %.c %.o,$$^)) -o $$@
endef
$(foreach t,$(notdir $(FUZZ_REPLAYS)),$(eval $(call REPLAY,$(t))))

# ---- verbs. Those whose work is a script only call it. $(go) puts a Go that is new enough first.
jobs = --no-print-directory $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
go = go=$$(tools/check-go.sh) && export PATH="$$go:$$PATH" &&
CHECKS := $(addprefix check-,checkers layers comments headers format length models build symbols analysis rebuild docs)
.PHONY: all kernel deps run test unit check $(CHECKS) bench bench-quick \
	fuzz nightly soak std std-subset gdb size docs install clean help
deps: ## install what building and running need (Debian packages, by name, saying what for)
	@tools/install-deps.sh build run

run: ## build everything, boot examples/httpd in QEMU, publish port 8080
	@tools/install-deps.sh build run && $(go) true && $(MAKE) $(jobs) all
	@echo "examples/httpd is starting: open http://localhost:8080/ (Ctrl-C ends it)"
	@$(go) exec $(OUT)/gosolo run -p 8080:8080 ./examples/httpd
test: ## all tests, from a fresh machine on
	@tools/install-deps.sh build run test && $(go) true && $(MAKE) $(jobs) all unit
	@$(go) exec env OUT=$(OUT) test/run.sh
unit: $(UNIT_TESTS) $(FUZZ_REPLAYS) ## unit tests only (host, ASan and UBSan)
	@for t in $(UNIT_TESTS); do $$t || { echo "FAILED: $$t" >&2; exit 1; }; done
	@for t in $(notdir $(FUZZ_REPLAYS)); do ASAN_OPTIONS=detect_leaks=0 $(OUT)/replay/$$t \
		$$(ls -d test/fuzz/seeds/$$t test/fuzz/crashers/$$t 2>/dev/null) || { echo "FAILED: $$t" >&2; exit 1; }; done
	@echo "unit: $(words $(UNIT_TESTS)) programs passed"

check: ## comments, layers, symbols, headers, format, length, models, gcc and clang, analyzers, same bytes again
	@tools/install-deps.sh build check && for c in $(CHECKS); do $(MAKE) $(jobs) $$c || failed=1; done; exit $$failed
check-build:
	@for v in "CC=gcc" "CC=clang" "CC=gcc CONFIG=debug"; do $(MAKE) $(jobs) $$v all || exit; done
check-layers check-format check-length check-comments check-checkers check-models: ; @V=$(V) tools/$@.sh
check-symbols: kernel
	@tools/check-symbols.sh $(ROOM_OBJS)
check-rebuild: all
	@tools/$@.sh $(OUT)/gosolo
check-headers: $(K)/third-party.ok
	@tools/check-headers.sh $(CC) $(KFLAGS)
check-analysis: $(K)/third-party.ok
	@V=$(V) tools/check-analysis.sh $(KFLAGS) -- $(CLI_FLAGS)

bench bench-quick fuzz nightly soak: all ## measurements; the long jobs
	@tools/install-deps.sh build run $(filter bench fuzz,$@) && $(go) exec env OUT=$(OUT) $(if $(filter fuzz nightly soak,$@),test/$@.sh,bench/$(patsubst bench-%,%,$@).sh)
std std-subset: all ## the tests of Go's own packages on both sides: all (hours, goes on where it stopped); a quick part
	@tools/install-deps.sh build run && $(go) exec env OUT=$(OUT) test/std.sh $(if $(filter std,$@),-full)
gdb: all ## boot APP (default examples/hello) stopped, with gdb attached
	@tools/install-deps.sh gdb && $(go) exec env OUT=$(OUT) tools/gdb.sh $(or $(APP),./examples/hello)
size: kernel; @size $(ROOM_OBJS) $(K)/kernel.elf ## what is how big
docs: ; tools/syscalls-doc.sh >docs/syscalls.md ## make the pages that are made from the source
check-docs: ; @tools/syscalls-doc.sh | cmp - docs/syscalls.md || { echo "run: make docs" >&2; exit 1; }
install: all ## put the command into PREFIX/bin (/usr/local), its gdb commands into PREFIX/share/gosolo
	install -D -m 755 $(OUT)/gosolo $(DESTDIR)$(PREFIX)/bin/gosolo
	install -D -m 644 tools/gdb/gosolo.py $(DESTDIR)$(PREFIX)/share/gosolo/gosolo.py
clean: ; rm -rf build ## remove build/; the cache of fetched sources stays
help: ## this list
	@sed -n 's/^\([a-z][a-z -]*\):[^#]*## \(.*\)/  \1: \2/p' Makefile
-include $(shell find $(OUT)/kernel $(OUT)/cli -name '*.d' 2>/dev/null)
