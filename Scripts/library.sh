#!/bin/bash
# Builds libdrshard: a shared library that needs neither Swift nor the codecs where it runs, with the functions of
# drshard.h as its only symbols. Prints its path.
#   library.sh [FOLDER]   puts libdrshard.so.1, libdrshard.so and drshard.h into FOLDER as well
set -euo pipefail
cd "$(dirname "$0")/.."

# Its flags are not those of other builds: a folder of its own keeps both from being built anew.
scratch=.build-library
flags=(-c release --scratch-path "$scratch" --product DRShardC -Xswiftc -static-stdlib -Xswiftc -Xclang-linker -Xswiftc -fuse-ld=lld
    -Xlinker --version-script="$PWD/Scripts/library.map" -Xlinker -soname=libdrshard.so.1
    -Xlinker -z -Xlinker defs -Xlinker --gc-sections -Xlinker --as-needed -Xlinker -L"$PWD/$scratch/codecs")
export DRSHARD_STATIC_CODECS=1

# Debian's libzstd.a is made for programs: it reaches stderr, a variable of libc, in a way that no shared library may.
# In a copy of it stderr has another name, which drshard.c defines. Other archives have nothing of the kind.
archive=$(clang -print-file-name=libzstd.a)
[ -e "$archive" ] || { echo "libzstd.a is missing: it comes with libzstd-dev" >&2; exit 1; }
mkdir -p "$scratch/codecs"
objcopy --redefine-sym stderr=drs_zstd_stderr "$archive" "$scratch/codecs/libzstd.a"
swift build "${flags[@]}" 1>&2
built=$(swift build "${flags[@]}" --show-bin-path)/libDRShardC.so
library=$PWD/$scratch/libdrshard.so.1
strip --strip-unneeded -o "$library.part" "$built"
mv "$library.part" "$library"
if [ $# -gt 0 ]; then
    mkdir -p "$1"
    cp "$library" "$1/libdrshard.so.1"
    ln -sf libdrshard.so.1 "$1/libdrshard.so"
    cp Sources/CDRShard/include/drshard.h "$1/"
fi
echo "$library"
