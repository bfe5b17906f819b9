# ptybox: `make help` lists what there is to type.

## Targets:
##   make            build ./ptybox, static
##   make run        a shell in a daemon of its own and this terminal attached to it
##   make test       build and run every test; TESTS='shim pace:slow' runs only shim.test, and
##                   of pace.test the tests with "slow" in their names
##   make test-here  the tests that need no other architecture and boot no machine; about three minutes
##   make mutate     breaks the code in many places, one at a time: does a test fail for each?
##                   MUTATIONS='detach sock.c' picks by name or file
##   make check      linters, analyzers, sanitizers, every config, layers, fuzzing, some mutations
##   make cross      build generated/ARCH/ptybox, static, for each of ARCHES; a table of sizes
##   make cross-test  every test with these binaries, under qemu-user; sessions between them
##   make fuzz       run each fuzz target FUZZ_SECS=30 long
##   make bench      CPU time, latency and memory, beside dtach and others; ROWS='flood telnetd' selects;
##                   QUICK=1 a tenth of everything; BENCH=-w writes docs/performance.md
##   make initramfs  generated/initramfs/ARCH.gz: ptybox and busybox, which serve a shell on the network
##   make boot       such an initramfs on Debian's kernel in QEMU, and this terminal attached to it
##   make sizes      make cross and smaller configurations; writes the table of docs/building.md
##   make size       sections, and what each symbol gained since the last make size
##   make man        manual pages, and completions for bash and zsh, in generated/man and generated/complete
##   make install    manual pages and completions in $(DESTDIR)$(PREFIX)/share; binary and applets in .../bin
##   make clean      remove everything that was built
## Variables:
##   CONFIG=configs/defconfig  the applets and features to build
##   O=generated               directory of the objects; of the binary as well unless it is this one
##   CC=musl-gcc               the compiler; CFLAGS, LDFLAGS, HOSTCC as usual
##   CROSS_COMPILE=            prefix of another architecture's tools: aarch64-linux-musl-
##   ARCHES='amd64 i386 arm64 ...'  architectures for make cross, as Debian calls them; all ten;
##                                  for make cross-test also ARCH/CONFIG, as mipsel/tiny
##   EMULATED='arm64 mipsel s390x'  architectures that make test emulates, beside this machine
##   ARCH=amd64                make initramfs, boot: the machine, as Debian calls it
##   KERNEL=DIR MODULES=NAMES FILES=DIR  make initramfs: see scripts/initramfs; make boot: MODULES, FILES
##   PORT=4321                 make boot: the port of localhost that is forwarded to the machine
##   BOOT_ARCHES=amd64         make test: the architectures to boot; empty for none
##   PREFIX=/usr/local         with DESTDIR, where make install puts things

CONFIG = configs/defconfig
O = generated
PREFIX = /usr/local
FUZZ_SECS = 30
ARCH = amd64
BOOT_ARCHES ?= amd64
CROSS_COMPILE =
ARCHES = amd64 i386 arm64 armhf armel mipsel mips64el ppc64el s390x riscv64
# with TESTS no architecture is emulated
EMULATED = $(if $(TESTS),,arm64 mipsel s390x)
export BOOT_ARCHES KERNEL MODULES FILES TESTS MUTATIONS ROWS QUICK OLD
ifeq ($(origin CC),default)
CC = $(if $(CROSS_COMPILE),$(CROSS_COMPILE)gcc,musl-gcc)
endif
STRIP = $(CROSS_COMPILE)strip
STRIPFLAGS = -s -R .comment -R '.note*'
NM = $(CROSS_COMPILE)nm
HOSTCC = cc

# Every build needs BASE and has WARN; CFLAGS and LDFLAGS, for a small static binary, can be replaced by the caller.
BASE = -std=c11 -D_GNU_SOURCE -I$(O) -Ilibbb -Werror=implicit-function-declaration -isystem /usr/include/bearssl -ffunction-sections -fdata-sections
WARN = -Wall -Wextra -Wshadow -Wmissing-prototypes -Wstrict-prototypes -Wold-style-definition \
	-Wpointer-arith -Wwrite-strings -Wcast-qual -Wundef -Wvla
CFLAGS = -Oz -flto -flto-partition=one -fno-pie -fomit-frame-pointer -fmerge-all-constants \
	-fno-jump-tables -fno-inline-functions-called-once \
	-fno-asynchronous-unwind-tables -fno-unwind-tables -fno-stack-protector $(COMPILE_OPTIONS)
LDFLAGS = -static -no-pie -Wl,--build-id=none,-z,noseparate-code,-z,norelro,-z,common-page-size=64 $(LINK_OPTIONS)
# what this compiler and this linker take of scripts/options
COMPILE_OPTIONS := $(shell scripts/options compile $(CC))
LINK_OPTIONS := $(shell scripts/options link $(CC))
# The full path of Debian's archive, because -L/usr/lib/TRIPLET would also find glibc's libraries.
BEARSSL = $(shell $(CC) -print-file-name=libbearssl.a 2>/dev/null)
LIBS = $(wildcard $(BEARSSL))

SRC = $(sort $(wildcard applets/*.c libbb/*.c libbb/*/*.c))
OBJ = $(SRC:%.c=$(O)/%.o)
BIN = $(if $(filter generated,$(O)),ptybox,$(O)/ptybox)
PEERS = $(patsubst scripts/tests/peers/%.c,$(O)/peers/%,$(wildcard scripts/tests/peers/*.c)) \
	$(patsubst scripts/tests/peers-go/%.go,$(O)/peers/%,$(wildcard scripts/tests/peers-go/*.go)) \
	$(patsubst scripts/tests/peers-musl/%.c,$(O)/peers/%,$(wildcard scripts/tests/peers-musl/*.c))
TESTED = PTYBOX="$(abspath $(BIN))" PTYBOX_UNIT="$(abspath $(O)/full/ptybox)" PEERS="$(abspath $(O)/peers)" \
	CONFIG_H="$(abspath $(O)/applets.h)" SIZE_OF="$(if $(STANDARD),$(shell dpkg --print-architecture)/$(notdir $(CONFIG)))"
# "yes" when no tool or flag is overridden: docs/building.md's table has the size of that build
STANDARD = $(if $(filter-out file,$(foreach v,CC CFLAGS LDFLAGS STRIPFLAGS,$(origin $v))),,yes)
APPLETS = $$(sed -n 's/^.APPLET(\([^,]*\),.*/\1/p' $(O)/applets.h)
FLAGS = $(CC) $(BASE) $(WARN) $(CFLAGS) $(LDFLAGS) $(LIBS) $(CONFIG) $(SRC)

all: $(BIN)

$(BIN): $(O)/ptybox.unstripped
	@$(STRIP) $(STRIPFLAGS) -o $@ $<
	@echo "  $@: $$(wc -c < $@) bytes"

$(O)/ptybox.unstripped: $(OBJ) scripts/ptybox.ld $(LIBS)
	@echo "  LINK $@"
	@$(CC) $(BASE) $(WARN) $(CFLAGS) $(OBJ) -o $@ -Wl,--gc-sections $(LDFLAGS) $(LIBS)

$(O)/%.o: %.c $(O)/applets.h $(O)/flags
	@echo "  CC $<"
	@mkdir -p $(@D)
	@$(CC) $(BASE) $(WARN) $(CFLAGS) -MMD -MP -c $< -o $@

# A change of flags, config or list of files rebuilds everything; a generated header with the same text rebuilds nothing.
$(O)/flags: FORCE
	@mkdir -p $(O)
	@echo '$(FLAGS)' | cmp -s - $@ || { scripts/can-link $(CC) $(CFLAGS) $(LDFLAGS) && echo '$(FLAGS)' > $@; }

$(O)/applets.stamp: $(SRC) $(CONFIG) scripts/applets.awk $(O)/flags
	@awk -f scripts/applets.awk $(SRC) config=1 $(CONFIG) > $(O)/applets.new
	@cmp -s $(O)/applets.new $(O)/applets.h || cp $(O)/applets.new $(O)/applets.h
	@touch $@

$(O)/applets.h: $(O)/applets.stamp ;

$(O)/peers/%: scripts/tests/peers/%.c $(wildcard scripts/tests/peers/*.h)
	@mkdir -p $(@D)
	@$(HOSTCC) -std=c11 -O1 -g -Wall -Wextra $< -o $@ -lutil

# peers that are linked with musl, to test its own functions
$(O)/peers/%: scripts/tests/peers-musl/%.c
	@mkdir -p $(@D)
	@musl-gcc -std=c11 -D_GNU_SOURCE -O1 -Wall -Wextra -static $< -o $@

# peers in Go, with libraries of Debian's packages; nothing is downloaded
$(O)/peers/%: scripts/tests/peers-go/%.go
	@mkdir -p $(@D)
	@GO111MODULE=off GOPATH=/usr/share/gocode GOCACHE="$(abspath $(O)/go-cache)" GOFLAGS= \
		go build -o $@ $<

# Made of the head comments and config that --help is made of, so that options are listed once.
$(O)/man/stamp: $(O)/applets.stamp scripts/man.awk libbb/libbb.h $(wildcard docs/man/*.in)
	@rm -rf $(@D) && mkdir -p $(@D)
	@awk -v pages=docs/man -v to=$(@D) -v version="$$(sed -n 's/^#define VERSION "\(.*\)"/\1/p' libbb/libbb.h)" \
		-f scripts/applets.awk -f scripts/man.awk $(SRC) config=1 $(CONFIG)
	@touch $@

$(O)/complete/stamp: $(O)/applets.stamp $(wildcard scripts/complete.*)
	@rm -rf $(@D) && mkdir -p $(@D)
	@awk -v to=$(@D) -v parts=scripts -f scripts/applets.awk -f scripts/complete.awk $(SRC) config=1 $(CONFIG)
	@touch $@

man: $(O)/man/stamp $(O)/complete/stamp

peers: $(PEERS)

run:
	@scripts/deps build
	@$(MAKE) -s all
	@scripts/run "$(abspath $(BIN))"

test:
	@scripts/deps test
	@$(MAKE) -s all peers
	@$(MAKE) -s all O=$(O)/full CONFIG=configs/full
	@$(if $(EMULATED),scripts/deps cross $(EMULATED) && scripts/cross tested $(EMULATED))
	@set -f; $(TESTED) scripts/tests/all 'here $(EMULATED)' $$TESTS

test-here:
	@$(MAKE) -s test EMULATED= BOOT_ARCHES=

mutate:
	@scripts/deps test
	@set -f; scripts/mutate $$MUTATIONS

check:
	@BOOT_ARCHES='amd64 arm64 mipsel s390x' scripts/deps check
	@scripts/check

cross:
	@scripts/deps cross $(ARCHES)
	@scripts/cross sizes $(ARCHES)

sizes:
	@scripts/deps cross $(ARCHES)
	@scripts/sizes write $(ARCHES)

cross-test:
	@scripts/deps test
	@scripts/deps cross $(ARCHES)
	@$(MAKE) -s all peers
	@scripts/cross tested $(ARCHES)
	@set -f; $(TESTED) scripts/tests/all '$(ARCHES)' $$TESTS

fuzz: $(O)/applets.h
	@scripts/fuzz/run $(O) $(FUZZ_SECS)

bench: $(BIN)
	@scripts/deps bench
	@scripts/bench.d/rivals || true
	@PTYBOX="$(abspath $(BIN))" CC='$(CC)' HOSTCC='$(HOSTCC)' scripts/bench $(BENCH)

initramfs:
	@scripts/deps initramfs
	@BIN="$(abspath $(BIN))" scripts/initramfs $(ARCH)
	@echo "  generated/initramfs/$(ARCH).gz: $$(wc -c < generated/initramfs/$(ARCH).gz) bytes," \
		"$$([ -e '$(FILES)/etc/ptybox.key' ] && echo 'a keyed port' || echo 'no key: a shell for its whole network')"

boot:
	@BOOT_ARCHES=$(ARCH) scripts/deps boot
	@$(MAKE) -s all
	@BIN="$(abspath $(BIN))" scripts/boot $(ARCH) $(PORT)

size: $(BIN)
	@scripts/size $(O) $(NM)

SHARE = $(DESTDIR)$(PREFIX)/share
BASH_COMPLETIONS = $(SHARE)/bash-completion/completions
ZSH_COMPLETIONS = $(SHARE)/zsh/site-functions

install: $(BIN) man
	mkdir -p $(DESTDIR)$(PREFIX)/bin $(SHARE)/man/man1 $(BASH_COMPLETIONS) $(ZSH_COMPLETIONS)
	install -m 755 $(BIN) $(DESTDIR)$(PREFIX)/bin/ptybox
	install -m 644 $(O)/man/*.1 $(SHARE)/man/man1
	install -m 644 $(O)/complete/ptybox $(BASH_COMPLETIONS)
	install -m 644 $(O)/complete/_ptybox $(ZSH_COMPLETIONS)
	for a in $(APPLETS); do ln -sf ptybox $(DESTDIR)$(PREFIX)/bin/$$a; ln -sf ptybox $(BASH_COMPLETIONS)/$$a; done

clean:
	rm -rf generated ptybox

help:
	@sed -n 's/^## \?//p' Makefile

.PHONY: all man peers run test test-here mutate check cross sizes cross-test fuzz bench initramfs boot size install clean help \
	FORCE
.DELETE_ON_ERROR:
-include $(OBJ:.o=.d)
