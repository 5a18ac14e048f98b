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
ZSHDIR        ?= $(PREFIX)/share/zsh/vendor-completions
FISHDIR       ?= $(PREFIX)/share/fish/vendor_completions.d
SCRIPTDIR     ?= $(PREFIX)/share/tcpstorm

PKG_CONFIG ?= pkg-config
PACKAGES   := libevent_core libmnl

CSTD     := -std=gnu11 -D_GNU_SOURCE
WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wformat=2 -Wwrite-strings -Wvla
ifeq ($(WERROR),1)
WARNINGS += -Werror
endif

CFLAGS_release  ?= -O2 -g -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fPIE
# Of unit tests: what they test is in the library, as fast as it is built. Sanitizers look at how it uses their memory.
CFLAGS_test  ?= $(if $(filter release,$(CONFIG)),-O0 -g1 -fPIE,$(CFLAGS_$(CONFIG):%,undefined=%))
LDFLAGS_release ?= -pie -Wl,-z,relro,-z,now
CFLAGS_asan     ?= -O0 -g1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=all
LDFLAGS_asan    ?= -fsanitize=address,undefined

CFLAGS_fuzz  ?= -O1 -Wno-format-nonliteral -Wno-missing-field-initializers -g1 -fno-omit-frame-pointer -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all
LDFLAGS_fuzz ?= -fsanitize=fuzzer,address,undefined

# Goals that compile nothing must work on a machine without the libraries.
GOALS := $(or $(MAKECMDGOALS),all)
ifneq ($(filter-out clean help bpf dist check-musl,$(GOALS)),)
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

# Fuzz targets are of parsers. What they link is a fifth of the whole, and to compile the rest for them takes as long as the release;
# where a name is missing here the linker tells it.
FUZZED := $(addprefix base/,array diag json_reader json_writer nearest number_set number_text options output parse printable screen \
    terminal text) \
  $(addprefix kernel/,act address cgroup descriptors epoll_set host_limits in_flight kernel_counters listen_socket packet_drop \
    proc_file proc_net_tcp process_limits ring_files sock_diag sysctl system_call tcp_life tcp_state thread_call thread_clock \
    unix_diag unix_place vanish wait_set witness) \
  $(addprefix code/,elf_symbols python_frames python_lines python_runtime python_threads) \
  $(addprefix model/,close_order script) $(addprefix control/,host_info message_table messages) \
  $(addprefix audit/,http_request proxy_backend) view/page_server
SOURCES := $(if $(filter fuzz,$(CONFIG)),$(FUZZED:%=src/%.c),$(wildcard src/*/*.c))
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
.PHONY: all program check check-unit check-cli check-net check-tty check-scripts check-real check-kernels asan asan-core torture fuzz fuzz-targets bench lint format results results-1m results-3m install dist deb check-musl clean help bpf

# Guides are written in Markdown, src/man/NAME.SECTION.md; lowdown makes man pages of them.
GUIDES_DATE := 2026-11-26
LOWDOWN     ?= lowdown
MAN_PAGES   := $(if $(shell command -v $(LOWDOWN)),$(patsubst src/man/%.md,build/%,$(wildcard src/man/*.[1-8].md)))

# Of another configuration: its program, which is run from where it is built.
ifeq ($(CONFIG),release)
all: build/tcpstorm $(MAN_PAGES)
	$(if $(MAN_PAGES),,@echo 'Man pages are left out: lowdown is missing ("apt-get install lowdown"). They can be read in src/man/.')
else
all: program
endif

help:
	@echo 'make            the release program, build/tcpstorm, and its man pages'
	@echo 'make check      all tests: check-unit, check-cli, check-net, check-tty, check-scripts (libcmocka-dev, bats, tmux, jq)'
	@echo 'make check-real tests with real browsers, servers, Prometheus, Slurm and containers; they are big'
	@echo 'make check-kernels  the exact witness, in virtual machines with kernels of Debian (qemu-system-x86; an hour for each kernel)'
	@echo 'make asan       the same tests under the address and undefined-behaviour sanitizers; asan-core: the core of them'
	@echo 'make torture    eleven scenarios with one failing call each; TORTURE_ARGS="--shallow N --seed S" plays N (python3)'
	@echo 'make fuzz       FUZZ_S=10 seconds of fuzzing for each parser of bytes from elsewhere (clang, libclang-rt-dev)'
	@echo 'make bench      speed against raw system calls, against ss, and against tcpkali where it is installed'
	@echo 'make torture-signals  kill, stop and interrupt its processes at random moments (python3, root); TORTURE_ARGS=--tries N --seed S'
	@echo 'make docs       writes the tables of the program into the guides: options, orders, columns, metrics and others (python3)'
	@echo 'make transcripts  plays what README and guides show, and writes what is printed now into them'
	@echo 'make lint       format, static analysis, shell scripts, direction of includes'
	@echo 'make bpf        builds the programs that --witness events loads into the kernel (clang, bpftool, libbpf-dev)'
	@echo 'make format     lets clang-format rewrite the sources'
	@echo 'make results    the reference runs in results/: CSV, pictures, reports (needs python3-matplotlib and python3-jinja2; 20 minutes)'
	@echo 'make results-1m three orders at 1,000,000 connections (needs 8 GiB of memory)'
	@echo 'make results-3m server-first at 3,000,000 connections (needs 24 GiB of memory; with less, at the most that fit)'
	@echo 'make install    PREFIX=/usr/local, DESTDIR='
	@echo 'make deb        build/tcpstorm_VERSION_ARCH.deb (dpkg-dev, lowdown)'
	@echo 'make dist       build/tcpstorm-VERSION.tar.gz, the sources'
	@echo 'make check-musl do the sources compile with the headers of musl, as on Alpine? (musl-tools)'
	@echo 'WERROR=1        warnings are errors'

program: $(PROGRAM)

build/tcpstorm: build/release/tcpstorm
	@cp -f $< $@

ifneq ($(CONFIG),release)
build/release/tcpstorm:
	$(MAKE) CONFIG=release program
endif

build/%: src/man/%.md scripts/lib/man-page src/base/version.h Makefile
	@mkdir -p $(@D)
	@echo '  MAN   $@'
	$(Q)scripts/lib/man-page $< "$$(sed -n 's/.*TCPSTORM_VERSION "\(.*\)".*/\1/p' src/base/version.h)" $(GUIDES_DATE) >$@

# The tables in the guides and in the README are those of the program.
.PHONY: docs
docs: build/tcpstorm
	scripts/lib/guides.py build/tcpstorm

# What the README and the guides show is played, and what is printed now is written into them.
.PHONY: transcripts
transcripts: build/tcpstorm
	tests/net/guides/rewrite build/tcpstorm

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
NET_HELPERS := $(BUILD)/fail_call.so $(BUILD)/one_failure $(BUILD)/allocations.so $(BUILD)/floor $(BUILD)/traced $(BUILD)/counted $(BUILD)/crowd

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

check-real: $(PROGRAM) $(NET_HELPERS)
	tests/run-bats $(PROGRAM) tests/real

# In virtual machines with kernels of Debian: make check-kernels KERNELS_ARGS='--kernels 6.1 --conns 1000'
check-kernels: $(PROGRAM)
	tests/kernels/run $(PROGRAM) $(KERNELS_ARGS)

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

bench: build/tcpstorm $(BUILD)/floor $(BUILD)/traced $(BUILD)/counted $(BUILD)/crowd
	tests/bench/run build/tcpstorm $(BUILD)/floor results/bench.csv
	tests/bench/readme_table results/bench.csv src/man/tcpstorm-limits.7.md

$(BUILD)/floor $(BUILD)/traced $(BUILD)/counted $(BUILD)/crowd: $(BUILD)/%: tests/bench/%.c $(LIBRARY) Makefile
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
PYTHON_FILES := scripts/plot scripts/report $(wildcard scripts/lib/*.py scripts/lib/*/*.py)
SHELL_FILES := $(filter-out scripts/lib scripts/lib/plot scripts/lib/report scripts/lib/__pycache__ scripts/lib/monitor $(PYTHON_FILES) %.awk %.py %Containerfile,$(wildcard scripts/* scripts/lib/* tests/run-* tests/lint/* tests/bench/run tests/bench/*_* tests/kernels/* tests/*.bash tests/net/guides/*.bash tests/net/guides/rewrite tests/*/*.bash tests/scripts/*.bats tests/real/*.bats .ci/run))

lint: build/tcpstorm $(MAN_PAGES)
	@tests/run-all \
	  'lint: format' 'clang-format --dry-run --Werror $(C_FILES)' \
	  'lint: direction of includes' tests/lint/include-direction \
	  'lint: links' tests/lint/links \
	  'lint: programs of the kernel' tests/lint/bpf-programs \
	  'lint: static analysis' 'cppcheck -j 2 --quiet --std=c11 --enable=warning,performance,portability --inline-suppr --error-exitcode=1 -Isrc -isrc/events/bpf -D_GNU_SOURCE src' \
	  'lint: shell scripts' 'shellcheck -x $(SHELL_FILES)' \
	  'lint: guides' 'scripts/lib/guides.py --check build/tcpstorm' \
	  'lint: Python' 'pyflakes3 $(PYTHON_FILES)' \
	  'lint: man pages' '$(if $(MAN_PAGES),mandoc -T lint -W warning $(MAN_PAGES),echo "lowdown is missing"; false)'

format:
	clang-format -i $(C_FILES)

# ---- use ----

results: build/tcpstorm
	scripts/results

results-1m: build/tcpstorm
	scripts/results orders-1m

results-3m: build/tcpstorm
	scripts/results orders-3m

# tcpstorm-plot and tcpstorm-report, which find their library beside what the link leads to.
SCRIPT_FILES := plot report $(patsubst scripts/%,%,$(wildcard scripts/lib/*.py scripts/lib/plot/*.py scripts/lib/report/*.py scripts/lib/report/templates/*))

install: all
	install -D -m 755 build/tcpstorm $(DESTDIR)$(PREFIX)/bin/tcpstorm
	for page in $(MAN_PAGES); do install -D -m 644 $$page $(DESTDIR)$(MANDIR)/man$${page##*.}/$${page##*/} || exit 1; done
	install -D -m 644 src/completion/tcpstorm.bash $(DESTDIR)$(COMPLETIONDIR)/tcpstorm
	install -D -m 644 src/completion/_tcpstorm $(DESTDIR)$(ZSHDIR)/_tcpstorm
	install -D -m 644 src/completion/tcpstorm.fish $(DESTDIR)$(FISHDIR)/tcpstorm.fish
	for file in $(SCRIPT_FILES); do install -D -m 644 scripts/$$file $(DESTDIR)$(SCRIPTDIR)/$$file || exit 1; done
	for name in plot report; do chmod 755 $(DESTDIR)$(SCRIPTDIR)/$$name && \
	  ln -srfn $(DESTDIR)$(SCRIPTDIR)/$$name $(DESTDIR)$(PREFIX)/bin/tcpstorm-$$name || exit 1; done

# What is committed, as a tarball that builds without git.
DIST := tcpstorm-$(shell sed -n 's/^\#define TCPSTORM_VERSION "\(.*\)"/\1/p' src/base/version.h)

dist:
	@mkdir -p build
	git archive --prefix=$(DIST)/ HEAD | gzip -9n >build/$(DIST).tar.gz
	@echo build/$(DIST).tar.gz

deb:
	scripts/lib/make-deb

check-musl:
	scripts/lib/check-musl

clean:
	rm -rf build
