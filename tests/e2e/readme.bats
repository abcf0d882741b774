#!/usr/bin/env bats
# Every query that a document shows can be pasted: it runs on a manifest as a finished pipeline leaves it. Run from the
# repository's root.

setup() {
  build=$(realpath "${BUILD:-build}")
  work="$(mktemp -d)"
  "$build/tools/make_manifest" "$work"
}

teardown() { rm -rf "$work"; }

# The queries of a file, a semicolon behind each: in blocks of SQL, as an argument of sqlite3, in a sentence (`SELECT ...`).
# Comments of YAML are read without their #.
queries() { # FILE
  local text
  case $1 in
  *.yaml) text="$(sed -n 's/^ *# \{0,3\}//p' "$1")" ;;
  *) text="$(cat "$1")" ;;
  esac
  awk '/^```/ { inside = $0 == "```sql"; next } inside' <<<"$text" | sed 's/^ *--.*//'
  [[ $1 != *.yaml ]] || awk '/^SELECT / { inside = 1 } inside; /;$/ { inside = 0 }' <<<"$text"
  sed -n 's/.*manifest\.db "\(SELECT [^"]*\)".*/\1;/p' <<<"$text"
  awk '/^```/ { inside = !inside; next } !inside' <<<"$text" | tr '\n' ' ' | grep -o '`SELECT [^`]*`' | tr '`' ';' | sed 's/^;//'
}

# Runs each; counts them in `count`.
run_queries() { # FILE
  local query
  count=0
  while IFS= read -r -d ';' query || [[ $query == *[![:space:]]* ]]; do
    run sqlite3 -bail "$work/manifest.db" "$query;"
    [ "$status" -eq 0 ] && [[ $output != *Error* ]] || { printf '%s: %s\n%s\n' "$1" "$query" "$output"; return 1; }
    count=$((count + 1))
  done < <(queries "$1")
}

@test "every query of the README runs" {
  run_queries README.md
  [ "$count" -ge 20 ]
}

@test "every query of the other documents and of the configurations' comments runs" {
  total=0
  for file in ACCURACY.md SPEED.md CONTRIBUTING.md configs/*.yaml; do
    run_queries "$file"
    total=$((total + count))
  done
  [ "$total" -ge 5 ]
}
