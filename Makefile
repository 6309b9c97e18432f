# Each target sets up what it needs: Python >= 3.11, make and a package index are enough.
PYTHON ?= python3
BIN := .venv/bin
OUT := demo
# The newest of these decides whether the environment is up to date.
SETUP := pyproject.toml constraints.txt

.PHONY: demo test test-pi web-runtime check format wheel clean

demo: .venv/export  ## Export, verify, benchmark, and read an example page
	$(BIN)/edge-mnist export --int8 --out $(OUT)/standard
	$(BIN)/edge-mnist benchmark $(OUT)/standard --quick --out $(OUT)/reports
	$(BIN)/edge-mnist example $(OUT)/page.png
	$(BIN)/edge-mnist run $(OUT)/page.png --model $(OUT)/standard
	@echo "The report is $(OUT)/reports/standard.md, the exported files are in $(OUT)/standard."

test: .venv/dev  ## All tests; set EDGE_MNIST_DATA to a folder with MNIST to run those that need all of it
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile -rs

test-pi: .venv/dev  ## The wheel on emulated Raspberry Pis; skipped with the reason where they cannot be built
	$(BIN)/pytest tests/pi/emulated.py -p no:cacheprovider -rs

web-runtime: .venv/dev  ## Fetch onnxruntime-web with npm, so that the page of `edge-mnist serve` computes in the browser
	$(BIN)/python -m edge_mnist.edge.web.browser_runtime

check: .venv/dev  ## Format, lint, types, the rules between stages, and what is imported
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports
	$(BIN)/deptry .
	$(BIN)/deptry tests --exclude __pycache__ --ignore DEP002,DEP004

format: .venv/dev  ## Put the code into its format, mend what lint can mend
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

wheel:  ## Build dist/edge_mnist-VERSION-py3-none-any.whl, for machines without this folder
	rm -rf build/lib
	$(PYTHON) -m venv build/wheel-venv
	build/wheel-venv/bin/python -m pip --quiet --disable-pip-version-check wheel --no-deps --wheel-dir dist .
	@echo "Install it with: pip install -c constraints.txt dist/edge_mnist-*.whl"

clean:  ## Remove what the targets above made
	rm -rf .venv build dist $(OUT) *.egg-info

.venv/dev: EXTRA = dev
.venv/export: EXTRA = export
.venv/dev .venv/export: $(SETUP)
	@echo "Installing the extra '$(EXTRA)' with up to 3 GB into .venv takes some minutes."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRA)]'
	touch $@
