#!/usr/bin/env bash
# The library for C and C++ as it is installed: what it exports, its tests as C11 and C++17 by two compilers and under the
# sanitizers, and Examples/C by pkg-config and by CMake.
#
#   run.sh PREFIX                          where `make install-library` has put it
set -euo pipefail
cd "$(dirname "$0")/../.."
prefix=$(realpath "$1")
here=Tests/ABI
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 $here/archives.py "$work"
header=$prefix/include/memarchive.h
library=$prefix/lib/libmemarchive.so.0
fail() {
  printf '%s\n' "$@" >&2
  exit 1
}

# The symbols are the header's functions, with their version, and no others.
declared=$(grep -oP '^MEMARCHIVE_API [^(]*\bmemarchive_\w+(?=\()' "$header" | grep -oP '\w+$' | sort)
exported=$(nm -D -g --defined-only "$library" | awk '$2 != "A" { print $3 }' | sort)
[ "$exported" = "$(sed 's/$/@@MEMARCHIVE_0/' <<<"$declared")" ] || {
  diff <(sed 's/$/@@MEMARCHIVE_0/' <<<"$declared") <(echo "$exported") >&2 || true
  fail "$library exports something else than memarchive.h declares"
}
dynamic=$(readelf -dW "$library")
grep -q 'SONAME.*\[libmemarchive\.so\.0\]' <<<"$dynamic" || fail "$library has another SONAME"
grep -qE 'R(UN)?PATH' <<<"$dynamic" && fail "$library looks for libraries in directories of its own"
grep -q 'NEEDED.*swift\|NEEDED.*Foundation' <<<"$dynamic" && fail "$library needs Swift's runtime"
echo "symbols: $(wc -l <<<"$declared") functions, version MEMARCHIVE_0, nothing else"

# The article's first program is the one that is built here.
article=Sources/MemArchive/MemArchive.docc/FromCAndCPlusPlus.md
diff <(sed -n '/^#include/,$p' Examples/C/first.c) <(sed -n '/^```c$/,/^```$/p' $article | sed '/^```$/,$d; /^```c$/d') ||
  fail "$article has another program than Examples/C/first.c"

# Each function is used.
for function in $declared; do
  grep -q "\b$function(" $here/abi.c || fail "$function is not tried by $here/abi.c"
done

export PKG_CONFIG_PATH=$prefix/lib/pkgconfig
read -ra flags <<<"$(pkg-config --cflags --libs memarchive) -Wl,-rpath,$prefix/lib -lm -pthread"
[ "$(pkg-config --modversion memarchive)" = "$(sed -n 's/^#define MEMARCHIVE_VERSION "\(.*\)"$/\1/p' "$header")" ] ||
  fail "pkg-config tells another version than the header"
strict=(-O1 -g -Wall -Wextra -Wpedantic -Werror)
# Undefined behavior ends the program; what leaks is told at its end.
sanitized=(-fsanitize=address,undefined -fno-sanitize-recover=all)
export ASAN_OPTIONS=allocator_may_return_null=1

# compiled NAME COMPILER... SOURCE: by this compiler, for $work/NAME
compiled() {
  local name=$1
  shift
  # Swift's clang comes with gold, which warns of what the sanitizer has.
  [[ $1 != clang* ]] || set -- "$1" -fuse-ld=lld "${@:2}"
  "$@" "${strict[@]}" "${flags[@]}" -o "$work/$name"
}
compiled c-gcc gcc -std=c11 $here/abi.c
compiled c-clang clang -std=c11 "${sanitized[@]}" $here/abi.c
compiled cpp-gcc g++ -std=c++17 "${sanitized[@]}" -x c++ $here/abi.c
compiled cpp-clang clang++ -std=c++17 -x c++ $here/abi.c
compiled raii-gcc g++ -std=c++17 $here/raii.cpp
compiled raii-clang clang++ -std=c++17 "${sanitized[@]}" $here/raii.cpp
for program in c-gcc c-clang cpp-gcc cpp-clang; do
  echo "$program"
  "$work/$program" "$work" Fixtures
done
for program in raii-gcc raii-clang; do
  echo "$program"
  "$work/$program" "$work"
done

# Loaded by a name that is relative, from a directory that is left, by a program that has never heard of the library.
cat >"$work/load.c" <<'END'
#include <dlfcn.h>
#include <stdio.h>
#include <unistd.h>
#include <memarchive.h>
int main(int count, char **arguments) {
  void *library = dlopen("./libmemarchive.so.0", RTLD_NOW);
  if (!library || count < 2 || chdir("/") != 0) return 2;
  __typeof__(&memarchive_platform_new) platform = (__typeof__(&memarchive_platform_new))dlsym(library, "memarchive_platform_new");
  puts(platform()->sandbox);
  /* It stays, because Swift's runtime has to. */
  dlclose(library);
  return platform()->has_worker ? 0 : 1;
}
END
gcc -I"$prefix/include" "$work/load.c" -o "$work/load"
# Beside the library, and where it is installed.
mkdir "$work/beside"
cp "$library" "$prefix/libexec/memarchive/memarchive-worker" "$work/beside"
for place in "$prefix/lib" "$work/beside"; do
  (cd "$place" && "$work/load" now | grep -q memarchive-worker) || fail "the worker of $place is not found"
done
# Not what others can change: then there is none, unless this system has another.
chmod o+w "$work/beside/memarchive-worker"
(cd "$work/beside" && "$work/load" now | grep -q "^$work/beside/memarchive-worker (") && fail "a worker that others can change is used"
echo "worker: found beside the library and in libexec"

# Where the whole was moved to, pkg-config and CMake find it.
read -ra examples <<<"$(echo Examples/C/*.c*)"
for source in "${examples[@]}"; do
  name=$(basename "${source%.*}")
  read -ra more <<<"$(pkg-config --cflags --libs $(sed -n 's|^// pkg-config: ||p' "$source"))"
  case $source in
    *.cpp) g++ -std=c++17 "${strict[@]}" "$source" "${flags[@]}" "${more[@]}" -o "$work/$name" ;;
    *) gcc -std=c11 "${strict[@]}" "$source" "${flags[@]}" "${more[@]}" -o "$work/$name" ;;
  esac
done
mkdir "$work/moved"
cp -a "$prefix"/{include,lib,libexec} "$work/moved"
cmake -S Examples/C -B "$work/cmake" -DCMAKE_PREFIX_PATH="$work/moved" >"$work/log" || fail "$(cat "$work/log")"
cmake --build "$work/cmake" >"$work/log" || fail "$(cat "$work/log")"
cmake -S Examples/C -B "$work/cmake-2" -DCMAKE_PREFIX_PATH="$work/moved" -DMEMARCHIVE_WANTED=9.0 >"$work/log" 2>&1 &&
  fail "CMake takes this version for 9.0"

# says EXPECTED PROGRAM ARGUMENT...: built by pkg-config, and by CMake
says() {
  local expected=$1 program=$2 directory answer
  shift 2
  for directory in "$work" "$work/cmake"; do
    answer=$("$directory/$program" "$@") || fail "$program: status $?: $answer"
    # shellcheck disable=SC2053
    [[ $answer == $expected ]] || fail "$program said: $answer" "and not: $expected"
  done
  printf '%s\n' "$answer"
}
says '*CONTENTS.txt, 176 bytes: /proc/self/fd/*' first Fixtures/demo/demo.zip
says 'memarchive-pixel.ttf: * glyphs*' font Fixtures/demo/demo.zip
python3 $here/sound.py "$work/sound.tar.xz"
says 'beep.wav: 8000 Hz, 1 channel, 4000 frames, loudest 0.5*' sound "$work/sound.tar.xz"
