# The commands of Edgewise. Each sets up what it needs by itself; `make run` is the one to begin with.

PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && { echo $$p; break; }; done)
LAUNCH = $(or $(PYTHON),python3) -m backend.launch

.PHONY: help run dev check test bench lock manage clean-data train-nano

help:
	@echo "make run         set up what is missing, start Edgewise, print its address; Ctrl-C stops it"
	@echo "make dev         the same, starting again at every change of a file"
	@echo "make check       formatting, lint, types, import rules, unused code, migrations"
	@echo "make test        check, and every test: unit, integration, hostile, browser"
	@echo "make bench       the measurements (BENCH=click,tiles,... for some of them)"
	@echo "make manage      one of Django's management commands: make manage DO=createsuperuser"
	@echo "make lock        resolve the Python dependencies anew into requirements/"
	@echo "make train-nano  train the small model anew (MINUTES=features=100,decoder=120,... ; needs torch)"
	@echo "make clean-data  remove the private database and all rasters, after asking"

run dev check test bench lock manage clean-data train-nano:
	@exec $(LAUNCH) $@
