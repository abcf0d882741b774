# make                          build everything into build/
# make deps                     install what is missing (Debian packages); says what and why
# make pipeline                 a dataset of rendered hands, then the whole job on it: configs/demo.yaml, minutes on two cores
# make pipeline CONFIG=cnn.yaml DATA=DIR [WORK=DIR] [THREADS=N] [SET="key=value ..."]
# make report WORK=DIR [RUN=NAME]
# make test                     everything that must pass, in minutes; ends in "N passed, N failed"
# make bench [QUICK=1]          this engine beside PyTorch and onnxruntime, in turns; ratios, and unless QUICK, layers, stages, scaling, ResNet50
#                               [THREADS=N] [BATCH=N] [ROUNDS=N] [SECONDS=S] [ISA=AVX2] [WORK=DIR]
# make deps-bench               install those two
# make help                     this list
#
# make deps pipeline ...        on a fresh machine: set up, then run; make deps test likewise
# make unit                     build the unit tests alone, into build/tests/
# make unit-test                run them alone
# make tools                    build the programs that tests and proofs use, into build/tools/
# make format, format-check     clang-format all sources; or only say which need it
# make lint                     clang-tidy and cppcheck
# make check-layers             includes point down only
# make check-headers            every header compiles alone
# make proof-kills              kills each stage at every system call and at 200 moments: an hour or so
#                               [KILLS=N] [EVERY=N] [ONLY="STAGE ..."]
# make proof-manifest           changes cells of a manifest to what no stage writes, and runs every stage on it [CELLS=N]
# make fuzz                     arbitrary bytes for every reader of files from outside, a minute each [FUZZ_SECONDS=N]
# make check-resnet50           the whole ResNet50 against PyTorch, at full width (make deps-bench)
# make check-avx512             kernels for AVX-512, its bf16 and AMX on a plain model of the instructions, where the CPU has none
# make check-aarch64            the C of pipeline/ compiles for 64-bit ARM (a cross compiler, headers of this machine)
# make deps-lint                install what those need
# make clean                    remove build/
#
# SANITIZE=address,undefined or SANITIZE=thread builds and tests in a folder of its own; so may BUILD=DIR.
# CC=clang CXX=clang++ builds with clang; OPT="-O0 -g" for a debugger.

comma := ,
ifeq ($(origin BUILD),undefined)
BUILD := build$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
endif
ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin CXX),default)
CXX := g++
endif
OPT ?= -O2 -g

WARNINGS := -Wall -Wextra -Wshadow -Wpointer-arith -Wundef -Wvla -Werror
# Contraction of a*b+c into one rounding is off: the same bits on every instruction set, unless a kernel asks for FMA itself.
COMMON := $(OPT) -fPIE -fno-math-errno -ffp-contract=off -fopenmp -D_GNU_SOURCE -Ipipeline -I$(BUILD)/generated -isystem /usr/include/hdf5/serial -MMD -MP
CFLAGS += -std=c17 -Wstrict-prototypes -Wmissing-prototypes $(WARNINGS) $(COMMON) -include core/banned.h
CXXFLAGS += -std=c++17 $(WARNINGS) $(COMMON) -isystem /usr/include/opencv4
LDFLAGS += -fopenmp -pie
LDLIBS += -lopencv_imgproc -lopencv_core -lturbojpeg -lspng -lsqlite3 -ldnnl -lyaml -ljansson -lcrypto -lstdc++ -lm

ifneq ($(SANITIZE),)
# A finding ends the program. vptr would need the C++ half of clang's runtime, for one bridge without virtual functions.
COMMON += -fsanitize=$(SANITIZE) -fno-sanitize-recover=all -fno-omit-frame-pointer
CXXFLAGS += -fno-sanitize=vptr
LDFLAGS += -fsanitize=$(SANITIZE)
endif

LIB_SOURCES := $(shell find pipeline -name '*.c') $(shell find pipeline -name '*.cpp')
# uname: before `make deps` there is no compiler to ask.
MACHINE := $(firstword $(shell command -v $(CC) >/dev/null && $(CC) -dumpmachine | cut -d- -f1) $(shell uname -m))
ifneq ($(MACHINE),x86_64)
LIB_SOURCES := $(filter-out %_avx2.c %_avx512.c %_amx.c,$(LIB_SOURCES))
endif
HELPERS := $(basename $(notdir $(wildcard stages/helpers/*.c)))
STAGES := $(basename $(notdir $(wildcard stages/*.c)))
UNIT_TESTS := $(basename $(notdir $(wildcard tests/unit/*.c)))

LIB := $(BUILD)/libpipeline.a
LIB_OBJECTS := $(patsubst %,$(BUILD)/%.o,$(LIB_SOURCES))
STAGE_PROGRAMS := $(STAGES:%=$(BUILD)/stages/%)
HELPER_PROGRAMS := $(HELPERS:%=$(BUILD)/helpers/%)
UNIT_PROGRAMS := $(UNIT_TESTS:%=$(BUILD)/tests/%)
TOOLS := $(patsubst tests/tools/%.c,$(BUILD)/tools/%,$(wildcard tests/tools/*.c))

.DELETE_ON_ERROR:
.PHONY: all unit tools clean
all: $(LIB) $(STAGE_PROGRAMS) $(HELPER_PROGRAMS)

$(BUILD)/%.c.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) $(CPPFLAGS) -c $< -o $@

$(BUILD)/%.cpp.o: %.cpp $(BUILD)/flags
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) -c $< -o $@

$(LIB): $(LIB_OBJECTS)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/stages/%: $(BUILD)/stages/%.c.o $(LIB)
	$(CC) $(LDFLAGS) $< $(LIB) $(LDLIBS) -o $@

# Programs that a stage runs as processes of their own.
$(BUILD)/helpers/%: $(BUILD)/stages/helpers/%.c.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $< $(LIB) $(LDLIBS) -o $@

# libhdf5 and libcurl bring two dozen libraries: only programs that use them load those.
$(BUILD)/helpers/import_weights $(BUILD)/stages/export $(BUILD)/tests/test_hdf5 $(BUILD)/tools/make_weights: LDLIBS += -lhdf5_serial
$(BUILD)/stages/weights $(BUILD)/tests/test_download: LDLIBS += -lcurl

$(BUILD)/tests/%: $(BUILD)/tests/unit/%.c.o $(LIB)
	$(CC) $(LDFLAGS) $< $(LIB) $(LDLIBS) -lcmocka -o $@

# Programs that tests use: make_dataset draws a small set of images, make_manifest makes what a report can be drawn from.
$(BUILD)/tools/%: $(BUILD)/tests/tools/%.c.o $(LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $< $(LIB) $(LDLIBS) -o $@

# build/bench/image_bench: decoding and resizing against OpenCV's, where its decoder is there to be measured.
IMGCODECS := $(wildcard /usr/include/opencv4/opencv2/imgcodecs.hpp)
IMAGE_BENCH := $(BUILD)/tests/bench/image_bench.c.o $(BUILD)/tests/bench/median.c.o $(if $(IMGCODECS),$(BUILD)/tests/bench/image_peer.cpp.o)
-include $(IMAGE_BENCH:.o=.d)
$(BUILD)/tests/bench/image_bench.c.o: CFLAGS += $(if $(IMGCODECS),-DHAVE_PEER)
$(BUILD)/bench/image_bench: $(IMAGE_BENCH) $(LIB)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $(IMAGE_BENCH) $(LIB) $(if $(IMGCODECS),-lopencv_imgcodecs) $(LDLIBS) -o $@

# tests/bench: `ours` measures this engine; those that compare run it and its peers in turns.
BENCH_OURS := $(wildcard tests/bench/ours*.c) tests/bench/median.c
BENCH_TURNS := $(patsubst %,tests/bench/%.c,measure median rows samples settings)
BENCH_COMPARE := tests/bench/compare.c tests/bench/compare_resnet50.c
BENCH_PROGRAMS := $(BUILD)/bench/ours $(BENCH_COMPARE:tests/%.c=$(BUILD)/%)
$(BUILD)/bench/ours: $(BENCH_OURS:%=$(BUILD)/%.o) $(LIB)
$(BENCH_COMPARE:tests/%.c=$(BUILD)/%): $(BUILD)/bench/%: $(BUILD)/tests/bench/%.c.o $(BENCH_TURNS:%=$(BUILD)/%.o) $(LIB)
$(BENCH_PROGRAMS):
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) $^ $(LDLIBS) -o $@

# Vector loops (the engine's kernels, loops over pixels) are compiled for the instruction set that their names end in, and
# chosen when the program starts (engine/kernels/select.c, image/pixels.c). Lint sees the same flags.
VECTOR_LOOPS := $(if $(SANITIZE),-O1,-O3)
$(BUILD)/pipeline/engine/kernels/%.c.o: CFLAGS += $(VECTOR_LOOPS) -ffp-contract=fast
$(BUILD)/pipeline/image/pixels_%.c.o: CFLAGS += $(VECTOR_LOOPS)
$(BUILD)/pipeline/synth/draw_%.c.o: CFLAGS += $(VECTOR_LOOPS) -fno-trapping-math
$(BUILD)/pipeline/synth/post.c.o $(BUILD)/pipeline/synth/room.c.o $(BUILD)/pipeline/synth/texture.c.o: CFLAGS += $(VECTOR_LOOPS)
ifeq ($(MACHINE),x86_64)
$(BUILD)/%_avx2.c.o $(BUILD)/checked/%_avx2.c.tidy: CFLAGS += -mavx2 -mfma
$(BUILD)/%_avx512.c.o $(BUILD)/checked/%_avx512.c.tidy $(BUILD)/%_amx.c.o $(BUILD)/checked/%_amx.c.tidy: CFLAGS += -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma
$(BUILD)/%/bf16_avx512.c.o $(BUILD)/checked/%/bf16_avx512.c.tidy $(BUILD)/%_amx.c.o $(BUILD)/checked/%_amx.c.tidy: CFLAGS += -mavx512bf16 -mavx512vbmi2
$(BUILD)/%_amx.c.o $(BUILD)/checked/%_amx.c.tidy: CFLAGS += -mamx-tile -mamx-bf16
endif

# SQL text becomes a string in a generated header: tables and views travel inside the programs.
$(BUILD)/pipeline/store/db.c.o: $(BUILD)/generated/schema_sql.h $(BUILD)/generated/schema_2_sql.h $(BUILD)/generated/schema_3_sql.h $(BUILD)/generated/views_sql.h
$(BUILD)/generated/schema_sql.h: pipeline/store/schema.sql
$(BUILD)/generated/schema_2_sql.h: pipeline/store/schema_2.sql
$(BUILD)/generated/schema_3_sql.h: pipeline/store/schema_3.sql
$(BUILD)/generated/views_sql.h: reports/views.sql
$(BUILD)/generated/%_sql.h:
	@mkdir -p $(@D)
	@{ echo 'static const char $*_sql[] ='; sed 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$$/\\n"/' $<; echo ';'; } > $@

# So do the report's gnuplot scripts: {"page.gp", "..."}, ...
REPORT_SCRIPTS := $(sort $(wildcard reports/*.gp))
$(BUILD)/pipeline/report/drawing.c.o: $(BUILD)/generated/reports_gp.h
$(BUILD)/generated/reports_gp.h: $(REPORT_SCRIPTS)
	@mkdir -p $(@D)
	@{ echo 'static const struct { const char *name, *text; } report_scripts[] = {'; for script in $^; do \
	  echo "{\"$${script##*/}\","; sed 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$$/\\n"/' $$script; echo '},'; done; echo '};'; } > $@

# Objects are made anew when the flags change (SANITIZE=, OPT=, CC=).
FLAGS := $(CC) $(CFLAGS) $(CPPFLAGS) | $(CXX) $(CXXFLAGS) | $(LDFLAGS)
# Every object waits for this file, and so for deps, where that is among the goals.
$(BUILD)/flags: force | $(filter deps,$(MAKECMDGOALS))
	@mkdir -p $(@D)
	@echo '$(FLAGS)' | cmp -s - $@ || echo '$(FLAGS)' > $@
.PHONY: force
force:

unit: $(UNIT_PROGRAMS) $(TOOLS) $(HELPER_PROGRAMS)
tools: $(TOOLS)

# --- running --------------------------------------------------------------------------------------------------------------
# The stages in their order. Values reach the script through the environment as they were typed: neither make nor a shell
# expands a `$` or a quote in them.
PIPELINE := synth ingest split resize augment weights features train evaluate report
CONFIG ?= demo.yaml
WORK ?= work
define verbatim
override $(1) := $$(value $(1))
export $(1)
endef
$(foreach name,CONFIG DATA WORK THREADS SET RUN BUILD QUICK ISA BATCH ROUNDS SECONDS,$(eval $(call verbatim,$(name))))

.PHONY: pipeline report
pipeline: all
	@stages/pipeline.sh $(PIPELINE)

# Draws a run's report again from the manifest and files alone; the latest run unless RUN=NAME.
report: all
	@$(BUILD)/stages/report --manifest "$$WORK/manifest.db" --force $${RUN:+--run "$$RUN"}

.PHONY: bench deps-bench
bench: $(BENCH_PROGRAMS)
	@tests/bench/bench.sh

deps-bench:
	@tests/bench/peers/install $(BUILD)/bench/peers

.PHONY: deps deps-lint help
deps:
	@.ci/deps build run $(filter test,$(MAKECMDGOALS))
deps-lint:
	@.ci/deps lint
help:
	@sed -n '/^#/!q; s/^# \{0,1\}//p' Makefile

# --- tests --------------------------------------------------------------------------------------------------------------
ifeq ($(SANITIZE),thread)
# GNU's OpenMP runtime synchronises in ways that the sanitizer cannot see, and reports races that are none. LLVM's, under the
# same name, tells it through Archer; oneDNN then uses it too.
OMP_FOLDER := $(dir $(firstword $(wildcard /usr/lib/llvm-*/lib/libarcher.so)))
TEST_ENVIRONMENT := LD_LIBRARY_PATH=$(abspath $(BUILD))/omp OMP_TOOL_LIBRARIES=$(OMP_FOLDER)libarcher.so \
  TSAN_OPTIONS=ignore_noninstrumented_modules=1
TEST_NEEDS := $(BUILD)/omp/libgomp.so.1
endif

# Threads that wait sleep: tests run side by side, and spinning ones would take each other's cores.
TEST_ENVIRONMENT += OMP_WAIT_POLICY=passive
RUN_TESTS = env -u MAKEFLAGS -u MAKELEVEL -u CONFIG -u DATA -u WORK -u THREADS -u SET -u RUN -u QUICK -u ISA -u BATCH -u ROUNDS -u SECONDS \
  $(TEST_ENVIRONMENT) BUILD=$(BUILD) tests/tools/run-tests $(BUILD)/test-logs $(UNIT_PROGRAMS)

.PHONY: test unit-test
test: $(UNIT_PROGRAMS) $(TOOLS) $(BENCH_PROGRAMS) $(STAGE_PROGRAMS) $(HELPER_PROGRAMS) $(TEST_NEEDS)
	@$(RUN_TESTS) $(sort $(wildcard tests/e2e/*.bats))
unit-test: $(UNIT_PROGRAMS) $(HELPER_PROGRAMS) $(BUILD)/tools/serve_file $(TEST_NEEDS)
	@$(RUN_TESTS)

$(BUILD)/omp/libgomp.so.1:
	@test -n "$(OMP_FOLDER)" || { echo 'SANITIZE=thread needs libomp-dev (make deps-lint)' >&2; exit 1; }
	@mkdir -p $(@D)
	@ln -sf $(OMP_FOLDER)libomp.so.5 $@

# --- habits -------------------------------------------------------------------------------------------------------------
HEADERS := $(shell find pipeline -name '*.h')
SOURCES := $(HEADERS) $(LIB_SOURCES) $(wildcard stages/*.[ch] stages/helpers/*.c tests/unit/*.[ch] tests/tools/*.c tests/bench/*.[ch] tests/fuzz/*.[ch] tests/model/*.[ch])
# The compiler's flags without what only a build needs; banned.h also brings headers, which would hide a missing include.
CHECK_FLAGS = $(filter-out -MMD -MP,$(subst -include core/banned.h,,$(CFLAGS)))
GENERATED := $(addprefix $(BUILD)/generated/,schema_sql.h schema_2_sql.h schema_3_sql.h views_sql.h reports_gp.h)

.PHONY: format format-check lint check-layers check-resnet50 proof-kills proof-manifest check-headers check-aarch64 check-avx512 c-objects
format:
	clang-format -i $(SOURCES)
format-check:
	clang-format --dry-run -Werror $(SOURCES)

check-layers:
	tests/tools/check-layers

# libFuzzer comes with clang; the rooms that read files are built anew for it.
FUZZ_PROGRAMS := $(patsubst tests/fuzz/%.c,$(BUILD)/fuzz/%,$(wildcard tests/fuzz/*.c))
FUZZED := $(filter $(foreach room,core config store image weights,$(BUILD)/pipeline/$(room)/%),$(LIB_OBJECTS))
$(BUILD)/fuzz/%: $(BUILD)/tests/fuzz/%.c.o $(FUZZED)
	@mkdir -p $(@D)
	$(CC) $(LDFLAGS) -fsanitize=fuzzer $< $(FUZZED) $(LDLIBS) -lhdf5_serial -o $@
export FUZZ_SECONDS
.PHONY: fuzz fuzz-programs
fuzz-programs: $(FUZZ_PROGRAMS)
fuzz: tools
	$(MAKE) CC=clang CXX=clang++ SANITIZE=address,undefined OPT="-O1 -g -fsanitize=fuzzer-no-link -Wno-pass-failed" BUILD=build-fuzz fuzz-programs
	BUILD=$(BUILD) tests/fuzz/run.sh build-fuzz

export KILLS EVERY ONLY SEED CELLS
proof-kills: all tools
	@BUILD=$(BUILD) tests/proofs/kills.sh

# With sanitizers, in a folder of its own.
proof-manifest:
	$(MAKE) SANITIZE=address,undefined BUILD=$(BUILD)-address-undefined all tools
	BUILD=$(BUILD)-address-undefined tests/proofs/manifest.sh

check-resnet50: tools $(HELPER_PROGRAMS)
	tests/tools/check_resnet50.py --build $(BUILD)

check-headers: $(HEADERS:%=$(BUILD)/checked/%.alone)
$(BUILD)/checked/%.h.alone: %.h $(HEADERS) $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CHECK_FLAGS) -fsyntax-only $<
	@touch $@

LINTED := $(filter %.c,$(SOURCES))
lint: $(LINTED:%=$(BUILD)/checked/%.tidy)
	cppcheck --quiet --std=c11 --language=c --enable=warning,performance,portability --inline-suppr --error-exitcode=1 \
	  --suppressions-list=tests/tools/cppcheck-suppressions -D_GNU_SOURCE -Ipipeline -I$(BUILD)/generated $(LINTED)
$(BUILD)/checked/%.c.tidy: %.c .clang-tidy tests/.clang-tidy $(HEADERS) $(GENERATED) $(BUILD)/flags
	@mkdir -p $(@D)
	clang-tidy --quiet $< -- $(CHECK_FLAGS)
	@touch $@

# Libraries for ARM need not be there: their headers are taken from this machine, and nothing is linked.
check-aarch64:
	$(MAKE) CC=aarch64-linux-gnu-gcc BUILD=$(BUILD)-aarch64 c-objects \
	  CPPFLAGS="-idirafter /usr/include -idirafter /usr/include/$(shell gcc -dumpmachine)"
c-objects: $(filter %.c.o,$(LIB_OBJECTS))

# The kernels of the last table on any x86: compiled for AVX2, with the instructions that are missing as plain C, and
# chosen by a table of kernels that takes every CPU for able.
MODEL := $(BUILD)/model
MODEL_OBJECTS := $(addprefix $(MODEL)/,fp32_avx512.o bf16_avx512.o bf16_amx.o cpu.o isa.o)
MODEL_TESTS := test_kernels test_ops test_winograd test_separable test_gradients test_net test_net_stream test_torch_fixtures
$(MODEL)/fp32_%.o $(MODEL)/bf16_%.o: CFLAGS += -Wno-psabi -O1 -ffp-contract=fast -mavx2 -mfma -include tests/model/avx512.h -include tests/model/amx.h
$(MODEL)/%.o: pipeline/engine/kernels/%.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c $< -o $@
$(MODEL)/cpu.o: pipeline/core/cpu.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -D'__builtin_cpu_supports(x)=1' -c $< -o $@
$(MODEL)/isa.o: tests/model/isa.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c $< -o $@
$(MODEL)/test_%: $(BUILD)/tests/unit/test_%.c.o $(MODEL_OBJECTS) $(LIB)
	$(CC) $(LDFLAGS) $< $(MODEL_OBJECTS) $(LIB) $(LDLIBS) -lcmocka -o $@
check-avx512: $(MODEL_TESTS:%=$(MODEL)/%)
	@env $(TEST_ENVIRONMENT) BUILD=$(BUILD) tests/tools/run-tests $(MODEL)/logs $^

clean:
	rm -rf $(BUILD)

-include $(LIB_OBJECTS:.o=.d) $(STAGES:%=$(BUILD)/stages/%.c.d) $(HELPERS:%=$(BUILD)/stages/helpers/%.c.d) $(UNIT_TESTS:%=$(BUILD)/tests/unit/%.c.d) $(TOOLS:$(BUILD)/tools/%=$(BUILD)/tests/tools/%.c.d) \
  $(patsubst %,$(BUILD)/%.d,$(BENCH_OURS) $(BENCH_COMPARE) $(BENCH_TURNS)) $(FUZZ_PROGRAMS:$(BUILD)/fuzz/%=$(BUILD)/tests/fuzz/%.c.d) $(MODEL_OBJECTS:.o=.d)
.SECONDARY:
