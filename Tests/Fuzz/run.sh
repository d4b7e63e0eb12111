#!/usr/bin/env bash
# run.sh PROGRAM TARGET MINUTES [FIXTURES]
# What libFuzzer learns stays in .build/fuzz-corpus/TARGET; an input that breaks something, in .build/fuzz-findings.
set -euo pipefail
program=$1 target=$2 minutes=$3 fixtures=${4:-Fixtures}

case $target in
  zip) seeds=("$fixtures"/zip-*.zip) ;;
  gzip) seeds=("$fixtures"/*.gz) ;;
  xz) seeds=("$fixtures"/*.xz) ;;
  lzma) seeds=("$fixtures"/*.lzma) ;;
  lzip) seeds=("$fixtures"/*.lz) ;;
  zstd) seeds=("$fixtures"/*.zst) ;;
  lz4) seeds=("$fixtures"/*.lz4) ;;
  archive | abi) seeds=("$fixtures"/*.* "$fixtures"/odd/*/*) ;;
  names) seeds=() ;;
  rar) seeds=(Tests/Fuzz/RAR/*) ;;
  worker) seeds=(Tests/Fuzz/Worker/*) ;;
  *) echo "run.sh: no target $target: zip gzip xz lzma lzip zstd lz4 names worker rar archive abi" >&2; exit 2 ;;
esac
corpus=.build/fuzz-corpus/$target findings=.build/fuzz-findings
mkdir -p "$corpus" "$findings"
for seed in "${seeds[@]}"; do
  # Larger ones teach little and take long.
  [ -f "$seed" ] && [ "$(stat -c %s "$seed")" -le 65536 ] && cp "$seed" "$corpus/fixture-$(basename "$seed")"
done
if [ "$target" = names ]; then
  printf '\0dir/a\n../b\n/c\nna\xefve\ne\xcc\x81\n\xc3\xa9\n\xef\x9e\x80\n./dir/a\n' > "$corpus/fixture-names"
fi
# liblzma asks for 4 GiB where a header says so, and touches what it uses; libarchive asks for any size that a 7z names, and
# takes a refusal. Swift's own report confuses the sanitizer's.
SWIFT_BACKTRACE=enable=no ASAN_OPTIONS=allocator_may_return_null=1 LSAN_OPTIONS=suppressions=Tests/Sanitizers/leaks.supp:print_suppressions=0 "$program" "--target=$target" "$corpus" \
  -max_total_time=$((minutes * 60)) -max_len=65536 -timeout=30 -rss_limit_mb=3000 -malloc_limit_mb=5000 -use_value_profile=1 \
  -artifact_prefix="$findings/$target-" -print_final_stats=1 ${FUZZ_FLAGS:-}
