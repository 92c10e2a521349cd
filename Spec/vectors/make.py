#!/usr/bin/env python3
"""Makes the test vectors of the drshard format.

    make.py            writes what is not there; refuses to change a file that is there
    make.py --force    writes everything
    make.py --check    makes everything in memory and compares with the files

Needs Python 3.10, zstandard and lz4. The bytes of compressed units may differ between versions of those libraries:
for files that have such units --check prints a difference but does not fail. Dumps must be the same in any case.
From release 1.0 on a file that is here never changes.
"""

import hashlib
import json
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import dump       # noqa: E402
import wire       # noqa: E402
from invalid_set import all_invalid    # noqa: E402
from valid_set import all_valid        # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))


def everything():
    """(path, bytes, whether units of it are compressed), index.json last."""
    index, files = [], []
    for name, about, tags, shard in all_valid():
        path = "valid/%s.drs" % name
        files.append((path, wire.build(shard), shard.compressed()))
        text = dump.dump(shard).encode("utf-8")
        index.append(dict(file=path, about=about, tags=tags, rows=shard.row_count, columns=len(shard.schema.columns),
                          dump_sha256=hashlib.sha256(text).hexdigest()))
    for name, about, tags, code, stage, data, compressed in all_invalid():
        path = "invalid/%s.drs" % name
        files.append((path, data, compressed))
        index.append(dict(file=path, about=about, tags=tags, code=code, stage=stage))
    names = [path for path, _, _ in files]
    assert len(names) == len(set(names)), "a name occurs twice"
    lines = ",\n".join(" " + json.dumps(entry, ensure_ascii=False) for entry in index)
    files.append(("index.json", ("[\n%s\n]\n" % lines).encode("utf-8"), False))
    return files


def stray(files):
    known = {path for path, _, _ in files}
    for folder in ("valid", "invalid"):
        at = os.path.join(HERE, folder)
        for name in sorted(os.listdir(at)) if os.path.isdir(at) else []:
            if folder + "/" + name not in known:
                yield folder + "/" + name


def main(arguments):
    force, check = "--force" in arguments, "--check" in arguments
    if set(arguments) - {"--force", "--check"}:
        sys.exit(__doc__)
    files, bad = everything(), 0
    for path, data, compressed in files:
        at = os.path.join(HERE, path)
        old = None
        if os.path.exists(at):
            with open(at, "rb") as f:
                old = f.read()
        if old == data:
            continue
        if check and old is not None and compressed:
            print("%s: other compressed bytes, by another library version?" % path)
        elif check or (old is not None and not force):
            print("%s: %s" % (path, "missing" if old is None else "differs"))
            bad += 1
        else:
            os.makedirs(os.path.dirname(at), exist_ok=True)
            with open(at, "wb") as f:
                f.write(data)
            print("%s: written, %d bytes" % (path, len(data)))
    for path in stray(files):
        print("%s: not one of the vectors" % path)
        bad += 1
    print("%d files, %d bytes, %d wrong" % (len(files), sum(len(d) for _, d, _ in files), bad))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
