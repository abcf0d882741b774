#!/usr/bin/env bats
# `make bench`'s arithmetic, on programs that print what they are told. Run from the repository's root.

setup() {
  build=$(realpath "${BUILD:-build}")
  work="$(mktemp -d)"
  fake ours 'case "$1 $3" in
    "train fp32") echo images_per_second=400 ;; "train bf16") echo images_per_second=600 ;;
    "infer fp32") echo images_per_second=1000 ;; "infer bf16") echo images_per_second=3000 ;;
    layers*) echo "row=layer conv1 forward|200|us/image|roof|100"; echo "row=layer conv1 forward|150|GFLOP/s|roof|300" ;;
    *) echo "row=stage decode|2000|images/s||" ;;
  esac'
  fake torch 'echo "name=Torch 9"; case "$1 $3" in
    "train fp32") echo images_per_second=40 ;; "train bf16") echo images_per_second=50 ;;
    "infer fp32") echo images_per_second=100 ;; "infer bf16") echo images_per_second=200 ;;
  esac'
  fake onnx 'echo "name=onnx 8"; echo images_per_second=400'
  fake missing 'exit 77'
}

teardown() { rm -rf "$work"; }

fake() { # NAME SCRIPT
  printf '#!/bin/sh\n%s\n' "$2" >"$work/$1"
  chmod +x "$work/$1"
}

compare() { "$build/bench/compare" --ours "$work/ours" --threads 2 --rounds 2 "$@"; }

@test "bench: training is compared in its precision, inference with the fastest peer" {
  run compare --torch "$work/torch" --onnxruntime "$work/onnx" --manifest "$work/manifest.db"
  [ "$status" -eq 0 ]
  [[ "$output" == *"seed-cnn train bf16 ratio 12.0  ours 600.0, Torch 9 bf16 50.0 images/s (2 rounds)"* ]]
  [[ "$output" == *"seed-cnn train fp32 ratio 10.0  ours 400.0, Torch 9 fp32 40.0 images/s"* ]]
  [[ "$output" == *"seed-cnn infer fp32 ratio 2.5  ours 1000.0, onnx 8 fp32 400.0 images/s"* ]]
  [[ "$output" == *"seed-cnn infer bf16 ratio 7.5  ours 3000.0, onnx 8 fp32 400.0 images/s"* ]]
  [[ "$output" == *"seed-cnn train bf16 memory ratio "* ]]
  ratio="$(sqlite3 "$work/manifest.db" "SELECT ratio, peer, threads, batch FROM benchmarks
    WHERE task = 'seed-cnn train' AND precision = 'bf16'")"
  [ "$ratio" = "12.0|Torch 9 bf16|2|64" ]
}

@test "bench: the median of the rounds counts" {
  fake torch 'echo "name=Torch 9"; echo x >>"$0.calls"; case $(wc -l <"$0.calls") in
    [1-4]) echo images_per_second=10 ;; [5-8]) echo images_per_second=1 ;; *) echo images_per_second=20 ;; esac'
  run compare --torch "$work/torch" --rounds 3
  [[ "$output" == *"seed-cnn train bf16 ratio 60.0  ours 600.0, Torch 9 bf16 10.0 images/s (3 rounds)"* ]]
}

@test "bench: a missing peer is said, is no failure, and the other one serves" {
  run compare --torch "$work/missing" --onnxruntime "$work/missing"
  [ "$status" -eq 0 ]
  [ "$(grep -c 'peer missing: make deps-bench' <<<"$output")" -eq 4 ]
  run compare --torch "$work/torch" --onnxruntime "$work/missing"
  [ "$status" -eq 0 ]
  [[ "$output" == *"seed-cnn infer bf16 ratio 15.0  ours 3000.0, Torch 9 bf16 200.0"* ]]
  [[ "$output" == *"onnxruntime"*"missing: make deps-bench"* ]]
}

@test "bench: a cap reaches both sides and leaves fp32" {
  fake ours 'echo "images_per_second=100"; echo "$ONEDNN_MAX_CPU_ISA $3" >>"$0.seen"'
  fake torch 'echo "name=T"; echo images_per_second=25; echo "$ONEDNN_MAX_CPU_ISA $ATEN_CPU_CAPABILITY" >>"$0.seen"'
  run compare --torch "$work/torch" --onnxruntime "$work/onnx" --isa AVX2
  [ "$status" -eq 0 ]
  [[ "$output" == *"seed-cnn train fp32 ratio 4.0"* ]]
  [[ "$output" != *bf16* && "$output" != *"onnx 8"* ]]
  [ "$(sort -u "$work/ours.seen")" = "AVX2 fp32" ]
  [ "$(sort -u "$work/torch.seen")" = "AVX2 avx2" ]
}

@test "bench: details are measured, stored and drawn in the report" {
  "$build/tools/make_manifest" "$work/m" 2>/dev/null || { mkdir "$work/m" && "$build/tools/make_manifest" "$work/m"; }
  run compare --torch "$work/torch" --details --manifest "$work/m/manifest.db"
  [ "$status" -eq 0 ]
  [ "$(sqlite3 "$work/m/manifest.db" "SELECT fp32_us, fp32_of_roof FROM benchmark_layers")" = "200.0|0.5" ]
  [ "$(sqlite3 "$work/m/manifest.db" "SELECT count(*) FROM benchmarks WHERE task LIKE 'scaling %'")" -eq 24 ]
  "$build/stages/report" --manifest "$work/m/manifest.db" --run cnn --quiet
  pdftotext -layout "$work/m/runs/cnn/report.pdf" - | grep -q '12.0 x'
}

@test "bench: a program that fails or prints nonsense is an error that names it" {
  fake torch 'exit 3'
  run compare --torch "$work/torch"
  [ "$status" -eq 1 ]
  [[ "$output" == *"torch train"* ]]
  fake torch 'echo images_per_second=fast'
  run compare --torch "$work/torch"
  [ "$status" -eq 1 ]
  [[ "$output" == *"not a rate"* ]]
  fake torch 'echo "images_per_second=1"'
  fake ours '[ "$1" = stages ] && echo "row=stage synth|0|images/s||" && exit; echo images_per_second=400'
  run compare --torch "$work/torch" --details
  [ "$status" -eq 0 ] # a rate may round to 0
  fake ours '[ "$1" = stages ] && echo "row=stage synth|slow|images/s||" && exit; echo images_per_second=400'
  run compare --torch "$work/torch" --details
  [ "$status" -eq 1 ]
  [[ "$output" == *"not TASK|VALUE|UNIT|PEER|PEER_VALUE: stage synth|slow|images/s||"* ]]
  run "$build/bench/compare" --ours "$work/ours" --rounds 0
  [ "$status" -eq 2 ]
}

# Programs for ResNet50: their rates by task, precision and batch. Both take down what they were asked for.
resnet50_programs() {
  fake ours 'echo "$1 $3 $7" >>"$0.seen"; case "$1 $3 $7" in
    "features fp32 16") echo images_per_second=30 ;; "features bf16 16") echo images_per_second=60 ;;
    "features int8 16") echo images_per_second=80 ;; "head fp32 32") echo images_per_second=200 ;;
    "head bf16 32") echo images_per_second=400 ;; "head bf16 128") echo images_per_second=900 ;;
    "resnet50 bf16 32") echo images_per_second=25 ;; "resnet50 fp32 16") echo images_per_second=5 ;; *) exit 9 ;;
  esac'
  fake torch 'echo "name=Torch 9"; echo "$1 $3 $7" >>"$0.seen"; case "$1 $3 $7" in
    "features fp32 16") echo images_per_second=20 ;; "features bf16 16") echo images_per_second=32 ;;
    "head fp32 32") echo images_per_second=16 ;; "head bf16 32") echo images_per_second=50 ;;
    "head bf16 128") echo images_per_second=100 ;; "resnet50 bf16 32") echo images_per_second=10 ;;
    "resnet50 fp32 16") echo images_per_second=2 ;; *) exit 9 ;;
  esac'
}

resnet50() { "$build/bench/compare_resnet50" --ours "$work/ours" --torch "$work/torch" --threads 2 --rounds 2 "$@"; }

table() { awk '$2 ~ /^(fp32|bf16|int8)$/ { $1 = $1; print }' <<<"$output"; } # its rows, one space between cells

@test "bench: ResNet50 is compared in turns and stored, bytes beside the peer's fastest floats" {
  resnet50_programs
  run resnet50 --onnxruntime "$work/onnx" --manifest "$work/manifest.db"
  [ "$status" -eq 0 ]
  [ "$(table)" = "features fp32 16 30.0 20.0 1.50 400.0
features bf16 16 60.0 32.0 1.88 -
features int8 16 80.0 32.0 2.50 -
head fp32 32 200.0 16.0 12.50 -
head bf16 32 400.0 50.0 8.00 -
head bf16 128 900.0 100.0 9.00 -
everything bf16 32 25.0 10.0 2.50 -" ]
  [ "$(sqlite3 "$work/manifest.db" "SELECT task, precision, threads, batch, value, unit, peer, peer_value, ratio
    FROM benchmarks")" = "resnet50 features|fp32|2|16|30.0|images/s|Torch 9 fp32|20.0|1.5
resnet50 features|bf16|2|16|60.0|images/s|Torch 9 bf16|32.0|1.875
resnet50 features|int8|2|16|80.0|images/s|Torch 9 bf16|32.0|2.5
resnet50 head|fp32|2|32|200.0|images/s|Torch 9 fp32|16.0|12.5
resnet50 head|bf16|2|32|400.0|images/s|Torch 9 bf16|50.0|8.0
resnet50 head|bf16|2|128|900.0|images/s|Torch 9 bf16|100.0|9.0
resnet50 everything|bf16|2|32|25.0|images/s|Torch 9 bf16|10.0|2.5
onnx 8 resnet50 features|fp32|2|16|400.0|images/s|||" ]
  [ "$(uniq -c "$work/ours.seen" | wc -l)" -eq 14 ] # seven in turns, twice
}

@test "bench: ResNet50 without bf16: no peer is asked for it, and bytes are beside fp32" {
  resnet50_programs
  sed -i '2i [ "$3" != bf16 ] || exit 77' "$work/ours"
  run resnet50 --onnxruntime "$work/onnx" --manifest "$work/manifest.db"
  [ "$status" -eq 0 ]
  [ "$(table)" = "features fp32 16 30.0 20.0 1.50 400.0
features bf16 16 - - - -
features int8 16 80.0 20.0 4.00 400.0
head fp32 32 200.0 16.0 12.50 -
head bf16 32 - - - -
head bf16 128 - - - -
everything bf16 32 - - - -
everything fp32 16 5.0 2.0 2.50 -" ]
  [ "$(grep -c bf16 "$work/torch.seen")" -eq 0 ]
  [ "$(sqlite3 "$work/manifest.db" "SELECT count(*) FROM benchmark")" -eq 5 ] # onnxruntime once
  [ "$(sqlite3 "$work/manifest.db" "SELECT peer FROM benchmarks WHERE precision = 'int8'")" = "Torch 9 fp32" ]
}

@test "bench: ResNet50 under a cap: fp32 and bytes, without onnxruntime" {
  resnet50_programs
  sed -i '2i echo "$ONEDNN_MAX_CPU_ISA" >>"$0.caps"' "$work/ours" "$work/torch"
  run resnet50 --onnxruntime "$work/onnx" --isa AVX2
  [ "$status" -eq 0 ]
  [[ "$output" == *"capped at AVX2; onnxruntime is left out"* ]]
  [ "$(table)" = "features fp32 16 30.0 20.0 1.50 -
features int8 16 80.0 20.0 4.00 -
head fp32 32 200.0 16.0 12.50 -
everything fp32 16 5.0 2.0 2.50 -" ]
  [ "$(sort -u "$work/ours.caps" "$work/torch.caps")" = AVX2 ]
}

@test "bench: ResNet50: missing peers are said, and nothing of ours is no failure" {
  resnet50_programs
  run resnet50 --torch "$work/missing" --onnxruntime "$work/missing" --manifest "$work/manifest.db"
  [ "$status" -eq 0 ]
  [ "$(table | grep -c -- ' - - -$')" -eq 7 ]
  [[ "$output" == *"PyTorch missing: make deps-bench"*"onnxruntime missing: make deps-bench"* ]]
  [ "$(sqlite3 "$work/manifest.db" "SELECT count(*), count(peer), count(ratio) FROM benchmark")" = "7|0|0" ]
  run resnet50 --ours "$work/missing" --onnxruntime "$work/onnx"
  [ "$status" -eq 0 ]
  [ "$(table | grep -c -- ' - - - -$')" -eq 8 ]
  [[ "$output" != *"deps-bench"* ]]
}

@test "bench: ResNet50: a program that fails or prints nonsense is an error that names it" {
  resnet50_programs
  fake torch '[ "$1" != head ] || exit 3; echo images_per_second=1'
  run resnet50 --onnxruntime "$work/onnx" --manifest "$work/manifest.db"
  [ "$status" -eq 1 ]
  [[ "$output" == *"compare_resnet50: $work/torch head: ended with status 3"* ]]
  [ ! -e "$work/manifest.db" ]
  fake torch 'kill -9 $$'
  run resnet50 --onnxruntime "$work/onnx"
  [ "$status" -eq 1 ]
  [[ "$output" == *"torch features: ended by signal 9"* ]]
  fake torch 'echo "row=a|1|images/s||"'
  run resnet50 --onnxruntime "$work/onnx"
  [ "$status" -eq 1 ]
  [[ "$output" == *"torch features: printed no rate"* ]]
  fake torch 'echo images_per_second=fast'
  run resnet50 --onnxruntime "$work/onnx"
  [ "$status" -eq 1 ]
  [[ "$output" == *"torch features: not a rate: images_per_second=fast"* ]]
  run resnet50 --batch 3 # each comparison has its own
  [ "$status" -eq 2 ]
  run resnet50 --seconds
  [ "$status" -eq 2 ]
}

@test "bench: ResNet50 has a page of the report where it was compared" {
  mkdir "$work/m" && "$build/tools/make_manifest" "$work/m"
  run compare --torch "$work/torch" --manifest "$work/m/manifest.db"
  "$build/stages/report" --manifest "$work/m/manifest.db" --run cnn --quiet
  [ "$(pdftotext -layout "$work/m/runs/cnn/report.pdf" - | grep -c 'Speed of ResNet50')" -eq 0 ]
  resnet50_programs
  resnet50 --onnxruntime "$work/onnx" --manifest "$work/m/manifest.db"
  "$build/stages/report" --manifest "$work/m/manifest.db" --run cnn --quiet
  pdftotext -layout "$work/m/runs/cnn/report.pdf" "$work/text"
  awk -v RS='\f' '/^ *Speed of ResNet50/' "$work/text" >"$work/page"
  grep -Eq 'resnet50 features int8, batch 16, 2 threads +80.0 +32.0 +Torch 9 bf16 +2.50 x' "$work/page"
  grep -Eq 'resnet50 head fp32, batch 32, 2 threads +200.0 +16.0 +Torch 9 fp32 +12.5 x' "$work/page"
  grep -Eq 'resnet50 features fp32, batch 16, 2 threads +400.0 +onnx 8' "$work/page"
  grep -q "FROM benchmarks WHERE task LIKE 'resnet50 %'" "$work/page"
  awk -v RS='\f' '/^ *Speed\n/' "$work/text" >"$work/page"
  grep -Eq 'seed-cnn train bf16, batch 64, 2 threads +600.0 +50.0 +Torch 9 bf16 +12.0 x' "$work/page"
  [ "$(grep -c resnet50 "$work/page")" -eq 0 ]
}

@test "bench: without node, onnxruntime is missing and no failure" {
  mkdir "$work/empty"
  PATH="$work/empty" run tests/bench/peers/onnxruntime_peer.js features --precision fp32
  [ "$status" -eq 77 ]
}

@test "bench: this engine's own program prints what compare reads" {
  run "$build/bench/ours" infer --batch 2 --seconds 0
  [ "$status" -eq 0 ]
  [[ "$output" == *"images_per_second="* ]]
  run "$build/bench/ours" train --batch 2 --seconds 0 --augment=all
  [ "$status" -eq 0 ]
  run "$build/bench/ours" train --batch 2 --seconds 0 --augment=everything
  [ "$status" -eq 2 ]
  run "$build/bench/ours" dance
  [ "$status" -eq 2 ]
}
