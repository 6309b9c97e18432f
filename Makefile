# Each target installs what it needs: Python >= 3.11, make and a package index are enough.
PYTHON ?= python3
BIN := .venv/bin
OUT := demo
# The environment is made again when one of these is newer.
SETUP := pyproject.toml constraints.txt

.PHONY: demo test test-pi web-runtime check format clean

demo: .venv/export  ## Export, verify, benchmark, and read an example page
	$(BIN)/edge-mnist export --int8 --out $(OUT)/standard
	$(BIN)/edge-mnist benchmark $(OUT)/standard --quick --out $(OUT)/reports
	$(BIN)/edge-mnist example $(OUT)/page.png
	$(BIN)/edge-mnist run $(OUT)/page.png --model $(OUT)/standard
	@echo "The report is $(OUT)/reports/standard.md, the exported files are in $(OUT)/standard."

test: .venv/dev  ## Run all tests; those that need all of MNIST run if EDGE_MNIST_DATA names a folder with it
	$(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile -rs

test-pi: .venv/dev  ## Run the wheel on emulated Raspberry Pis; skip with the reason if they cannot be built
	$(BIN)/pytest tests/pi/emulated.py -p no:cacheprovider -rs

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

clean:  ## Remove everything that these targets made
	rm -rf .venv build dist $(OUT) *.egg-info

.venv/dev: EXTRA = dev
.venv/export: EXTRA = export
.venv/dev .venv/export: $(SETUP)
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[$(EXTRA)]'
	touch $@
