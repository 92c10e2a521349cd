# `make try` shows everything on made-up data; `make test` passes all checks. Both install what is missing.

.PHONY: try test compare clean

try:
	Scripts/try.sh

test:
	Scripts/test.sh

# Converted fixtures against torch, numpy and open_clip; says so where the fixtures are not there.
compare:
	Scripts/compare_real.sh

clean:
	rm -rf .build try
