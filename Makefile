# Each target installs what it needs: Python >= 3.11, make and a package index are enough.
PYTHON ?= python3
BIN := .venv/bin
OUT := demo
# The environment is made again when one of these is newer.
SETUP := pyproject.toml constraints.txt

# The core of every package; the first takes a model from Keras to a measured bundle that reads a page.
QUICK := $(addprefix tests/,system/test_whole_way.py edge/reading/test_reading.py edge/runtimes/test_abstention.py \
  system/test_documentation.py edge/bundle/test_bundle.py edge/live/test_live.py edge/live/test_tracking.py \
  edge/cameras/test_cameras.py edge/sinks/test_sinks.py edge/web/test_web_api.py edge/data/test_mnist.py \
  train/test_averaging.py benchmarks/statistics benchmarks/report/test_result_files.py)

.PHONY: demo docs test test-quick test-pi test-cluster web-runtime check format wheel clean

demo: .venv/export  ## Export, verify, benchmark, and read an example page
	$(BIN)/edge-mnist export --int8 --out $(OUT)/standard
	$(BIN)/edge-mnist benchmark $(OUT)/standard --quick --out $(OUT)/reports
	$(BIN)/edge-mnist example $(OUT)/page.png
	$(BIN)/edge-mnist run $(OUT)/page.png --model $(OUT)/standard
	@echo "The report is $(OUT)/reports/standard.md, the exported files are in $(OUT)/standard."

docs: .venv/dev  ## Build the documentation site into build/site; a broken link fails
	@# --quiet would also hide warnings from --strict.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "Read it: $(BIN)/python -m http.server --bind 127.0.0.1 --directory build/site 8001"

test: .venv/dev  ## Run all tests; those that need all of MNIST run if EDGE_MNIST_DATA names a folder with it
	@echo "All tests take about a quarter of an hour on two idle cores; make test-quick takes a minute."
	$(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder -rsfE

test-quick: .venv/dev  ## Run the core of every package in about a minute
	$(BIN)/pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(QUICK)

test-pi: .venv/dev  ## Run the wheel on emulated Raspberry Pis; skip with the reason if they cannot be built
	$(BIN)/pytest tests/pi/emulated.py -p no:cacheprovider -rsfE

test-cluster: .venv/dev  ## Read on a Ray cluster of two nodes, one of which is killed, and train with JAX in two processes, all here
	@# 700 MB more.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[ray]' jax
	$(BIN)/pytest tests/cluster tests/train/test_devices.py -p no:cacheprovider -rsfE

web-runtime: .venv/dev  ## Fetch onnxruntime-web with npm, so that the page of `edge-mnist serve` runs the model in the browser
	$(BIN)/python -m edge_mnist.edge.web.browser_runtime

check: .venv/dev  ## Check format, lint, types, import layers and declared dependencies
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/deptry tests --exclude __pycache__ --ignore DEP002,DEP004

format: .venv/dev  ## Format the code, and fix what ruff can fix
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

wheel:  ## Build dist/edge_mnist-VERSION-py3-none-any.whl, for machines without this folder
	rm -rf build/lib
	$(PYTHON) -m venv build/wheel-venv
	build/wheel-venv/bin/python -m pip --quiet --disable-pip-version-check wheel --no-deps --wheel-dir dist .
	@echo "Install it with: pip install -c constraints.txt dist/edge_mnist-*.whl"

clean:  ## Remove everything that these targets made
	rm -rf .venv build dist $(OUT) *.egg-info

.venv/dev: EXTRA = dev
.venv/export: EXTRA = export
.venv/dev .venv/export: $(SETUP)
	@echo "Installing the extra '$(EXTRA)' with up to 3 GB into .venv takes some minutes."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRA)]'
	touch $@
