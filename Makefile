# `make try` shows everything on made-up data; `make test` passes all checks. Both install what is missing.

.PHONY: try test compare bench-codecs clean

try:
	Scripts/try.sh

test:
	Scripts/test.sh

# Converted fixtures against torch, numpy and open_clip; says so where the fixtures are not there.
compare:
	Scripts/compare_real.sh

# How columns are stored, with other codecs beside it; takes minutes, and wants a quiet machine.
bench-codecs:
	python3 Benchmarks/codecs.py

clean:
	rm -rf .build try
