# make                          build everything into build/
# make deps                     install what is missing (Debian packages); says what and why
# make pipeline CONFIG=cnn.yaml DATA=DIR [WORK=DIR] [THREADS=N] [SET="key=value ..."]
# make report WORK=DIR [RUN=NAME]
# make test                     everything that must pass, in minutes
# make help                     the rest

BUILD ?= build
ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin CXX),default)
CXX := g++
endif
OPT ?= -O2 -g
SANITIZE ?=

WARNINGS := -Wall -Wextra -Wshadow -Wpointer-arith -Wundef -Wvla -Werror
# Contraction of a*b+c into one rounding is off: the same bits on every instruction set, unless a kernel asks for FMA itself.
COMMON := $(OPT) -fPIE -fno-math-errno -ffp-contract=off -fopenmp -D_GNU_SOURCE -Ipipeline -I$(BUILD)/generated -MMD -MP
CFLAGS += -std=c17 -Wstrict-prototypes -Wmissing-prototypes $(WARNINGS) $(COMMON)
CXXFLAGS += -std=c++17 $(WARNINGS) $(COMMON) -isystem /usr/include/opencv4
LDFLAGS += -fopenmp -pie
LDLIBS += -lopencv_imgproc -lopencv_core -lturbojpeg -lspng -lsqlite3 -ldnnl -lyaml -ljansson -lcrypto -lstdc++ -lm

ifneq ($(SANITIZE),)
CFLAGS += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer
CXXFLAGS += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer
LDFLAGS += -fsanitize=$(SANITIZE)
endif

LIB_SOURCES := $(shell find pipeline -name '*.c') $(shell find pipeline -name '*.cpp')
MACHINE := $(shell $(CC) -dumpmachine | cut -d- -f1)
ifneq ($(MACHINE),x86_64)
LIB_SOURCES := $(filter-out %_avx2.c %_avx512.c,$(LIB_SOURCES))
endif
STAGES := $(basename $(notdir $(wildcard stages/*.c)))
UNIT_TESTS := $(basename $(notdir $(wildcard tests/unit/*.c)))

LIB := $(BUILD)/libpipeline.a
LIB_OBJECTS := $(patsubst %,$(BUILD)/%.o,$(LIB_SOURCES))
STAGE_PROGRAMS := $(STAGES:%=$(BUILD)/stages/%)
UNIT_PROGRAMS := $(UNIT_TESTS:%=$(BUILD)/tests/%)

.DELETE_ON_ERROR:
.PHONY: all unit clean
all: $(LIB) $(STAGE_PROGRAMS)

$(BUILD)/%.c.o: %.c $(BUILD)/flags
	@mkdir -p $(@D)
	$(CC) $(CFLAGS) -c $< -o $@

$(BUILD)/%.cpp.o: %.cpp $(BUILD)/flags
	@mkdir -p $(@D)
	$(CXX) $(CXXFLAGS) -c $< -o $@

$(LIB): $(LIB_OBJECTS)
	@rm -f $@
	ar rcs $@ $^

$(BUILD)/stages/%: $(BUILD)/stages/%.c.o $(LIB)
	$(CC) $(LDFLAGS) $< $(LIB) $(LDLIBS) -o $@

$(BUILD)/tests/%: $(BUILD)/tests/unit/%.c.o $(LIB)
	$(CC) $(LDFLAGS) $< $(LIB) $(LDLIBS) -lcmocka -o $@

# Kernels are compiled for their own instruction set and chosen when the program starts (engine/kernels/select.c).
KERNELS := $(BUILD)/pipeline/engine/kernels
$(KERNELS)/%.c.o: CFLAGS += -O3 -ffp-contract=fast
ifeq ($(MACHINE),x86_64)
$(KERNELS)/fp32_avx2.c.o: CFLAGS += -mavx2 -mfma
$(KERNELS)/fp32_avx512.c.o: CFLAGS += -mavx512f -mavx512bw -mavx512dq -mavx512vl -mfma
$(KERNELS)/bf16_avx512.c.o: CFLAGS += -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx512bf16 -mfma
endif

# SQL text becomes a string in a generated header: tables and views travel inside the programs.
$(BUILD)/pipeline/store/db.c.o: $(BUILD)/generated/schema_sql.h $(BUILD)/generated/views_sql.h
$(BUILD)/generated/schema_sql.h: pipeline/store/schema.sql
$(BUILD)/generated/views_sql.h: reports/views.sql
$(BUILD)/generated/%_sql.h:
	@mkdir -p $(@D)
	@{ echo 'static const char $*_sql[] ='; sed 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$$/\\n"/' $<; echo ';'; } > $@

# Objects are made anew when the flags change (SANITIZE=, OPT=, CC=).
FLAGS := $(CC) $(CFLAGS) | $(CXX) $(CXXFLAGS) | $(LDFLAGS)
$(BUILD)/flags: force
	@mkdir -p $(@D)
	@echo '$(FLAGS)' | cmp -s - $@ || echo '$(FLAGS)' > $@
.PHONY: force
force:

unit: $(UNIT_PROGRAMS)

# --- running --------------------------------------------------------------------------------------------------------------
# The stages in their order. Values reach the script through the environment as they were typed: neither make nor a shell
# expands a `$` or a quote in them.
PIPELINE := ingest split resize augment train evaluate report
CONFIG ?= cnn.yaml
WORK ?= work
define verbatim
override $(1) := $$(value $(1))
export $(1)
endef
$(foreach name,CONFIG DATA WORK THREADS SET RUN BUILD,$(eval $(call verbatim,$(name))))

.PHONY: pipeline report
pipeline: all
	@stages/pipeline.sh $(PIPELINE)

# Draws a run's report again from the manifest and files alone; the latest run unless RUN=NAME.
report: all
	@$(BUILD)/stages/report --manifest "$$WORK/manifest.db" --force $${RUN:+--run "$$RUN"}

clean:
	rm -rf $(BUILD)

-include $(LIB_OBJECTS:.o=.d) $(STAGES:%=$(BUILD)/stages/%.c.d) $(UNIT_TESTS:%=$(BUILD)/tests/unit/%.c.d)
.SECONDARY:
