# tcpstorm: "make" builds build/tcpstorm; "make help" lists the rest.
#
# Every configuration has a build directory of its own: build/release, build/asan. Everything but main.o is one
# archive, which the program and the unit tests link.

# V=1 shows every command.
Q := $(if $(V),,@)

CONFIG    ?= release
BUILD     := build/$(CONFIG)
PREFIX        ?= /usr/local
MANDIR        ?= $(PREFIX)/share/man
COMPLETIONDIR ?= $(PREFIX)/share/bash-completion/completions

PKG_CONFIG ?= pkg-config
PACKAGES   := libevent_core libmnl

CSTD     := -std=gnu11 -D_GNU_SOURCE
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wwrite-strings -Wvla
ifeq ($(WERROR),1)
WARNINGS += -Werror
endif

CFLAGS_release  ?= -O2 -g -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fPIE
# Of unit tests: what they test is in the library, as fast as it is built.
CFLAGS_test  ?= $(if $(filter release,$(CONFIG)),-O0 -g1 -fPIE,$(CFLAGS_$(CONFIG)))
LDFLAGS_release ?= -pie -Wl,-z,relro,-z,now
CFLAGS_asan     ?= -O0 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
LDFLAGS_asan    ?= -fsanitize=address,undefined

CFLAGS_fuzz  ?= -O1 -Wno-format-nonliteral -Wno-missing-field-initializers -g1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
LDFLAGS_fuzz ?= -fsanitize=fuzzer,address,undefined

# Goals that compile nothing must work on a machine without the libraries.
GOALS := $(or $(MAKECMDGOALS),all)
ifneq ($(filter-out clean help bpf,$(GOALS)),)
ifeq ($(shell command -v $(PKG_CONFIG)),)
$(error pkg-config is missing: install it with "apt-get install pkg-config", or let scripts/quickstart do it)
endif
missing = $(if $(shell $(PKG_CONFIG) --exists $(1) && echo yes),,\
  $(error $(1) is missing: install it with "apt-get install $(2)", or let scripts/quickstart do it))
$(call missing,libevent_core,libevent-dev)
$(call missing,libmnl,libmnl-dev)
# What is there is used: "make OPENSSL=no" is a build without TLS.
ifneq ($(OPENSSL),no)
ifeq ($(shell $(PKG_CONFIG) --exists 'openssl >= 3' && echo yes),yes)
PACKAGES += openssl
endif
endif
# "make LIBDW=no" is a build that names no lines of source.
ifneq ($(LIBDW),no)
ifeq ($(shell $(PKG_CONFIG) --exists libdw && echo yes),yes)
PACKAGES += libdw
endif
endif
# "make BPF=no" is a build that loads no programs into the kernel. Those here are for little endian; map_extra came with Linux 5.16.
ifneq ($(BPF),no)
bpf_headers := printf '\043include <linux/bpf.h>\nlittle __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__\n' | $(CC) -E -P - 2>/dev/null
ifeq ($(shell $(bpf_headers) | awk '/map_extra/ { fits = 1 } /little 1234 == 1234/ && fits { print "yes" }'),yes)
HAVE_BPF := -DHAVE_BPF
endif
endif
PKG_CFLAGS := $(shell $(PKG_CONFIG) --cflags $(PACKAGES)) $(if $(filter openssl,$(PACKAGES)),-DHAVE_OPENSSL) \
  $(if $(filter libdw,$(PACKAGES)),-DHAVE_LIBDW) $(HAVE_BPF)
PKG_LIBS   := $(shell $(PKG_CONFIG) --libs $(PACKAGES)) -lm
# All is compiled anew when a library has come or gone since.
$(shell mkdir -p $(BUILD); echo '$(PACKAGES) $(HAVE_BPF)' | cmp -s - $(BUILD)/packages || echo '$(PACKAGES) $(HAVE_BPF)' >$(BUILD)/packages)
endif

# Fuzz targets are of parsers: they need no room above those.
SOURCES := $(wildcard $(if $(filter fuzz,$(CONFIG)),src/base/*.c src/kernel/*.c src/model/*.c src/analysis/*.c src/control/*.c \
  src/audit/*.c src/code/*.c src/trace/*.c src/view/*.c,src/*/*.c))
OBJECTS := $(SOURCES:src/%.c=$(BUILD)/%.o)
LIBRARY := $(BUILD)/libtcpstorm.a
PROGRAM := $(BUILD)/tcpstorm
COMPILE_WITH  = $(CC) $(CSTD) $(WARNINGS) $(1) $(CPPFLAGS) $(CFLAGS) $(PKG_CFLAGS) -Isrc -MMD -MP
COMPILE       = $(call COMPILE_WITH,$(CFLAGS_$(CONFIG)))
LINK     = $(CC) $(LDFLAGS_$(CONFIG)) $(LDFLAGS)

FUZZ_SOURCES := $(wildcard tests/fuzz/*_fuzz.c)
FUZZ_TARGETS := $(FUZZ_SOURCES:tests/fuzz/%.c=$(BUILD)/run/%)

UNIT_SOURCES := $(wildcard tests/unit/*/*_test.c)
UNIT_TESTS   := $(UNIT_SOURCES:tests/unit/%.c=$(BUILD)/unit/%)

.DELETE_ON_ERROR:
.PHONY: all program check check-unit check-cli check-net check-tty check-scripts check-real asan asan-core torture fuzz fuzz-targets bench lint format results results-1m install clean help bpf

GUIDES := $(patsubst src/man/%.md,build/%,$(wildcard src/man/*.[1-8].md))

# Of another configuration: its program, which is run from where it is built.
ifeq ($(CONFIG),release)
all: build/tcpstorm build/tcpstorm.1 $(GUIDES)
else
all: program
endif

help:
	@echo 'make            the release program, build/tcpstorm, and its man pages'
	@echo 'make check      all tests: check-unit, check-cli, check-net, check-tty, check-scripts (libcmocka-dev, bats, tmux, jq)'
	@echo 'make check-real tests with real browsers and servers (chromium, chromium-driver, prometheus, curl)'
	@echo 'make asan       the same tests under the address and undefined-behaviour sanitizers; asan-core: the core of them'
	@echo 'make torture    eleven scenarios with one failing call each; TORTURE_ARGS="--shallow N --seed S" plays N (python3)'
	@echo 'make fuzz       FUZZ_S=10 seconds of fuzzing for each parser of bytes from elsewhere (clang, libclang-rt-dev)'
	@echo 'make bench      speed against raw system calls, against ss, and against tcpkali where it is installed'
	@echo 'make torture-signals  kill, stop and interrupt its processes at random moments (python3, root); TORTURE_ARGS=--tries N --seed S'
	@echo 'make lint       format, static analysis, shell scripts, direction of includes'
	@echo 'make bpf        builds the programs that --witness events loads into the kernel (clang, bpftool, libbpf-dev)'
	@echo 'make format     lets clang-format rewrite the sources'
	@echo 'make results    the reference runs in results/: CSV, pictures, reports (needs gnuplot and jq; 20 minutes)'
	@echo 'make results-1m three orders at 1,000,000 connections (needs 6.5 GiB of memory)'
	@echo 'make install    PREFIX=/usr/local, DESTDIR='
	@echo 'WERROR=1        warnings are errors'

program: $(PROGRAM)

build/tcpstorm: build/release/tcpstorm
	@cp -f $< $@

ifneq ($(CONFIG),release)
build/release/tcpstorm:
	$(MAKE) CONFIG=release program
endif

# A line such as "@orders --man@" stands for what the program says to these words.
build/tcpstorm.1: src/man/tcpstorm.1.in build/tcpstorm
	awk -v version="$$(build/tcpstorm --version | cut -d' ' -f2)" '{ gsub(/@VERSION@/, version) } \
	  /^@.*@$$/ { fflush(); if (system("build/tcpstorm " substr($$0, 2, length($$0) - 2)) != 0) exit 1; next } \
	  { print }' $< > $@

# Guides are written in Markdown: src/man/NAME.SECTION.md. They have the date of the man page of the program.
build/%: src/man/%.md src/man/markdown.awk src/man/tcpstorm.1.in build/tcpstorm
	awk -v name="$(basename $*)" -v section="$(subst .,,$(suffix $*))" -v version="$$(build/tcpstorm version | cut -d' ' -f2)" \
	  -v date="$$(awk '/^\.TH/ { print $$4; exit }' src/man/tcpstorm.1.in)" -f src/man/markdown.awk $< > $@

$(PROGRAM): $(BUILD)/main.o $(LIBRARY)
	@echo '  LINK  $@'
	$(Q)$(LINK) -o $@ $^ $(PKG_LIBS)

$(LIBRARY): $(OBJECTS)
	@echo '  AR    $@'
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

$(BUILD)/%.o: src/%.c Makefile $(BUILD)/packages
	@mkdir -p $(@D)
	@echo '  CC    $<'
	$(Q)$(COMPILE) -c -o $@ $<

$(BUILD)/unit/%: tests/unit/%.c $(LIBRARY) Makefile
	@mkdir -p $(@D)
	@$(PKG_CONFIG) --exists cmocka || { echo 'cmocka is missing: install it with "apt-get install libcmocka-dev", or run scripts/check' >&2; exit 1; }
	@echo '  CC    $<'
	$(Q)$(call COMPILE_WITH,$(CFLAGS_test)) $(shell $(PKG_CONFIG) --cflags cmocka) -o $@ $< $(LIBRARY) $(LDFLAGS_$(CONFIG)) $(LDFLAGS) $(PKG_LIBS) $(shell $(PKG_CONFIG) --libs cmocka)

# libFuzzer has a main() of its own, and comes with clang.
$(BUILD)/run/%: tests/fuzz/%.c $(LIBRARY) Makefile
	@mkdir -p $(@D)
	@echo '  CC    $<'
	$(Q)$(COMPILE) -o $@ $< $(LIBRARY) $(LDFLAGS_$(CONFIG)) $(LDFLAGS) $(PKG_LIBS)

-include $(OBJECTS:.o=.d) $(BUILD)/main.d $(UNIT_TESTS:=.d) $(FUZZ_TARGETS:=.d)

# ---- tests ----

.PHONY: tests check-bats

# What the tests of networks run beside the program; some let calls fail.
NET_HELPERS := $(BUILD)/fail_call.so $(BUILD)/one_failure $(BUILD)/allocations.so $(BUILD)/floor $(BUILD)/traced

# All that the tests need of a build.
tests: $(PROGRAM) $(UNIT_TESTS) $(NET_HELPERS)

# Part after part, whatever came of those before; what failed is named at the end.
check:
	@tests/run-all 'unit tests' '$(MAKE) --no-print-directory check-unit' 'bats' '$(MAKE) --no-print-directory check-bats'

check-unit: $(UNIT_TESTS)
	@tests/run-unit $(UNIT_TESTS)

# The scripts are the same in every configuration: their tests run in one. make check-bats BATS_TESTS='tests/net/flow tests/net/audit/audit.bats ...'
# runs some.
BATS_TESTS ?= $(addprefix tests/,cli net tty events $(if $(filter release,$(CONFIG)),scripts))

check-bats: $(PROGRAM) $(NET_HELPERS)
	tests/run-bats $(PROGRAM) $(BATS_TESTS)

check-cli: $(PROGRAM)
	tests/run-bats $(PROGRAM) tests/cli

# make check-net NET_TESTS='tests/net/flow ...' runs some of them.
NET_TESTS ?= tests/net

check-net: $(PROGRAM) $(NET_HELPERS)
	tests/run-bats $(PROGRAM) $(NET_TESTS)

check-tty: $(PROGRAM)
	tests/run-bats $(PROGRAM) tests/tty

check-scripts: $(PROGRAM)
	tests/run-bats $(PROGRAM) tests/scripts

check-real: $(PROGRAM)
	tests/run-bats $(PROGRAM) tests/real

# Makes a chosen system call fail, for the tests of faults (LD_PRELOAD).
$(BUILD)/fail_call.so: tests/net/fail_call.c Makefile
	@mkdir -p $(@D)
	$(CC) $(CSTD) $(WARNINGS) -O2 -shared -fPIC -o $@ $< -ldl

asan:
	$(MAKE) CONFIG=asan check

# A part of each room, in files that run side by side; the rest goes through the same code once more, or mostly waits.
ASAN_CORE := storm/server_cause.bats hosts/host_lies.bats audit/audit_orders.bats audit/audit_proxies.bats
asan-core:
	$(MAKE) CONFIG=asan check BATS_TESTS='$(addprefix tests/net/,$(ASAN_CORE))'

# ---- torture ----

FUZZ_CC ?= clang
FUZZ_S  ?= 10

# FUZZ_S seconds for each parser of bytes that others have written.
fuzz:
	$(MAKE) CONFIG=fuzz CC=$(FUZZ_CC) fuzz-targets
	tests/fuzz/run $(FUZZ_S) build/fuzz/run

fuzz-targets: $(FUZZ_TARGETS)

# One call of one process fails at a time, in eight scenarios: TORTURE_ARGS="--shallow N --seed S" plays N of some 20,000.
torture: $(PROGRAM) $(BUILD)/one_failure $(BUILD)/allocations.so
	tests/torture/run $(PROGRAM) $(TORTURE_ARGS)

$(BUILD)/one_failure: tests/torture/one_failure.c tests/torture/calls.h Makefile
	@mkdir -p $(@D)
	@echo '  CC    $<'
	$(Q)$(CC) $(CSTD) $(WARNINGS) -O2 -g -o $@ $<

# The sanitizers have an allocator of their own, which does not fail for us.
$(BUILD)/allocations.so: tests/torture/allocations.c tests/torture/calls.h Makefile
	@mkdir -p $(@D)
	@echo '  CC    $<'
	$(Q)$(CC) $(CSTD) $(WARNINGS) -O2 -shared -fPIC $(if $(filter asan,$(CONFIG)),-DWITHOUT_ALLOCATIONS) -o $@ $<

# ---- benchmarks ----

bench: build/tcpstorm $(BUILD)/floor $(BUILD)/traced
	tests/bench/run build/tcpstorm $(BUILD)/floor results/bench.csv
	tests/bench/readme_table results/bench.csv README.md

$(BUILD)/floor $(BUILD)/traced: $(BUILD)/%: tests/bench/%.c $(LIBRARY) Makefile
	@echo '  CC    $<'
	$(Q)$(COMPILE) -o $@ $< $(LIBRARY) $(LDFLAGS_$(CONFIG)) $(LDFLAGS) $(PKG_LIBS)

# ---- torture ----

# Kills, stops and interrupts each process of runs at random moments: make torture-signals TORTURE_ARGS='--tries 20 --seed 3'
.PHONY: torture-signals
torture-signals: $(PROGRAM)
	tests/torture/signals $(PROGRAM) $(TORTURE_ARGS)

# ---- the kernel's programs ----

# Their headers are committed: only whoever changes src/events/bpf/events.bpf.c needs clang, bpftool and libbpf-dev.
bpf:
	scripts/lib/make-bpf

# ---- style ----

# But for what is generated, or comes from elsewhere as it is.
C_FILES     := $(filter-out %.lskel.h %/skel_internal.h,$(wildcard src/*.c src/*/*.[ch] src/events/bpf/*.[ch] tests/*/*.[ch] tests/*/*/*.[ch]))
SHELL_FILES := $(filter-out scripts/lib scripts/lib/plot scripts/lib/report %.awk,$(wildcard scripts/* scripts/lib/* tests/run-* tests/lint/* tests/bench/run tests/bench/*_* tests/*.bash tests/*/*.bash tests/scripts/*.bats tests/real/*.bats .ci/run))

lint: build/tcpstorm.1 $(GUIDES)
	@tests/run-all \
	  'lint: format' 'clang-format --dry-run --Werror $(C_FILES)' \
	  'lint: direction of includes' tests/lint/include-direction \
	  'lint: links' tests/lint/links \
	  'lint: programs of the kernel' tests/lint/bpf-programs \
	  'lint: static analysis' 'cppcheck -j 2 --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 -Isrc -isrc/events/bpf -D_GNU_SOURCE src' \
	  'lint: shell scripts' 'shellcheck -x $(SHELL_FILES)' \
	  'lint: man pages' 'mandoc -T lint -W warning build/tcpstorm.1 $(GUIDES)'

format:
	clang-format -i $(C_FILES)

# ---- use ----

results: build/tcpstorm
	scripts/results

results-1m: build/tcpstorm
	scripts/results orders-1m

install: all
	install -D -m 755 build/tcpstorm $(DESTDIR)$(PREFIX)/bin/tcpstorm
	install -D -m 644 build/tcpstorm.1 $(DESTDIR)$(MANDIR)/man1/tcpstorm.1
	for page in $(GUIDES); do install -D -m 644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/} || exit 1; done
	install -D -m 644 src/completion/tcpstorm.bash $(DESTDIR)$(COMPLETIONDIR)/tcpstorm

clean:
	rm -rf build
