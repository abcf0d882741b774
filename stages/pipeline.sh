#!/bin/sh
# The stages in their order, each as a person would run it: what `make pipeline` does. Takes its arguments from the environment,
# where no shell reads them a second time:
#
#   CONFIG   a path, or a bare name that is looked up in configs/ (demo.yaml)
#   DATA     the folder of images; may be empty where the configuration sets dataset.train or draws one
#   WORK     where everything that is made lies (work)
#   THREADS  may be empty: all CPUs
#   SET      words of the form key=value, spaces between them
#   BUILD    where the programs are (build)
#
# Arguments: the stages to run. Ends with the status of the first stage that fails.
set -u
set -f # SET is split at spaces, and nothing in it is a pattern

config=${CONFIG:-demo.yaml}
case $config in
*/*) ;;
*.yaml | *.yml) config=configs/$config ;;
*) config=configs/$config.yaml ;;
esac

stages=$*
set -- --manifest "${WORK:-work}/manifest.db" --config "$config"
[ -z "${DATA:-}" ] || set -- "$@" --set "dataset.train=$DATA"
[ -z "${THREADS:-}" ] || set -- "$@" --threads "$THREADS"
for word in ${SET:-}; do
  set -- "$@" --set "$word"
done

for stage in $stages; do
  "${BUILD:-build}/stages/$stage" "$@" || exit
done
