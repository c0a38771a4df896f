# Each target sets itself up: a virtual environment in $(VENV), made with the first fit Python (or PYTHON=...), and in it
# minigrad with the extra that the target needs. A second call finds all in place and asks no network.

VENV ?= .venv
PYTHON ?=
ARGS ?=

RUN := $(VENV)/bin/python
STAMPS := $(VENV)/minigrad-setup
# pytest runs one process for each core: BLAS keeps to one thread in each.
ONE_THREAD := OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 VECLIB_MAXIMUM_THREADS=1
PYTEST := $(ONE_THREAD) $(RUN) -m pytest -n auto -p no:cacheprovider
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Tests start hundreds of processes: without what Python keeps of a compiled file, each would compile all of minigrad anew.
unexport PYTHONDONTWRITEBYTECODE

# An environment that no longer runs, or belongs to a checkout elsewhere, is set up anew.
ifneq ($(shell $(RUN) -c '' 2>/dev/null && cat $(STAMPS)/checkout 2>/dev/null),$(CURDIR))
STALE := stale
endif

# What is asked of every implementation of a kernel, not of the default alone.
OF_OPS := $(addprefix tests/test_,$(addsuffix .py,tables recurrent recurrent_steps convolution normalization dropout loss optim \
	boxes elementwise_layout embedding sums named_rows sparse joined_relu image_layout repeated_products \
	linear_loss))
# What is asked of the engine above them, on every device.
OF_ENGINE := $(addprefix tests/test_,$(addsuffix .py,autograd anomaly activation_edges attention_layer averages creation float16 \
	gradcheck hooks indexing init inplace module networks nn_utils promotion random repr schedules third_derivative views cnn \
	checkpoint lost_history older_names save_load layer_table stepping writer char_lstm seq2seq beam dcgan \
	diffaugment detector))

.PHONY: help demo test rungs native emulated devices cupy gpu static targets peer lint bench clean stale
.NOTPARALLEL:

help:
	@echo "make demo    train each system small on real data, and show it on one page"
	@echo "make test    all tests but those that need PyTorch or a GPU   (ARGS='-k name' chooses)"
	@echo "make rungs   the laboratory and the tests of ops with each kernel that is not the default"
	@echo "make native  what is below the kernels: compiler, cache, threads, signals, machine code"
	@echo "make emulated  the CUDA kernels and networks that run on them, on the emulator (minutes)"
	@echo "make gpu     the tests that need an NVIDIA GPU and CuPy (ARGS=-s shows times beside cuDNN's, with PyTorch)"
	@echo "make static  the CUDA kernels' machine code for every architecture, held to its budgets"
	@echo "make devices the tests of ops and of the engine with every tensor on the emulated device   (minutes)"
	@echo "make cupy    what the stand-in for CuPy records, and what is called of CuPy, held against CuPy 13 and 14"
	@echo "make targets kernels for NEON, AVX2 and AVX-512: machine code read, tiles run here (minutes)"
	@echo "make peer    the tests that compare with PyTorch"
	@echo "make lint    style and types"
	@echo "make bench   how fast training steps are beside PyTorch's   (ARGS=small-cnn chooses)"
	@echo "make clean   remove the environment and all that was built"

demo: $(STAMPS)/demo
	$(RUN) -m minigrad demo $(ARGS)

test: $(STAMPS)/test
	$(PYTEST) $(ARGS)

rungs: $(STAMPS)/test
	$(PYTEST) -m rungs $(ARGS)
	for choice in $$($(RUN) -m tests.rungs); do echo "MINIGRAD_KERNELS=$$choice"; \
	MINIGRAD_KERNELS=$$choice $(PYTEST) $(OF_OPS) $(ARGS) || exit 1; done

emulated: $(STAMPS)/test
	$(PYTEST) -m "emulated and not gpu" $(ARGS)

devices: $(STAMPS)/test
	MINIGRAD_DEVICE=emulated $(PYTEST) $(OF_OPS) $(OF_ENGINE) $(ARGS)

cupy:
	for version in 13 14; do PYTHON='$(PYTHON)' sh .ci/venv build/cupy$$version && \
	build/cupy$$version/bin/python -m pip install --quiet "cupy-cuda13x==$$version.*" && \
	build/cupy$$version/bin/python tests/compare_cupy.py || exit 1; done

gpu: $(STAMPS)/test
	$(RUN) -m pytest -p no:cacheprovider -m gpu $(ARGS)

static: $(STAMPS)/test $(STAMPS)/cuda-check
	$(PYTEST) -m static $(ARGS)

native: $(STAMPS)/test
	$(PYTEST) -m "native and not targets" $(ARGS)

targets: $(STAMPS)/test
	$(PYTEST) -m targets $(ARGS)

peer: $(STAMPS)/test $(STAMPS)/peer
	$(PYTEST) -m peer $(ARGS)

lint: $(STAMPS)/lint
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) .ci/typecheck.py

bench: $(STAMPS)/peer
	$(RUN) -m minigrad.benchmarks $(ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find minigrad kernels models tests benchmarks -name __pycache__ -prune -exec rm -rf {} +

$(STAMPS)/%: setup.py pyproject.toml $(STALE)
	@PYTHON='$(PYTHON)' sh .ci/venv '$(VENV)'
	$(RUN) -m pip install --quiet --editable '.$(if $(filter-out core,$*),[$*])'
	@mkdir -p $(STAMPS) && printf '%s' '$(CURDIR)' > $(STAMPS)/checkout && touch $@
