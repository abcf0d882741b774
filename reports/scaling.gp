# Images per second over threads and over batch sizes. The file `scaling` has: task and precision, threads, batch, images/s,
# whether the row has the most threads.
load 'chart.gp'
set key at graph 1, graph 1.09 right horizontal maxrows 1 samplen 1.5 textcolor rgb ink font ",8"
series = "'scaling infer bf16' 'scaling infer fp32' 'scaling train bf16' 'scaling train fp32'"
kind(i) = word("'infer bf16' 'infer fp32' 'train bf16' 'train fp32'", i + 0)
colour(i) = word("0x0072b2 0x56b4e9 0xd55e00 0x009e73", i + 0) + 0
is(i) = stringcolumn(1) eq word(series, i + 0)
# Those that were measured: a CPU without bf16 has two.
measured = ""
do for [i = 1:4] {
  stats scaling using (is(i) ? 1 : 0) nooutput
  if (STATS_sum > 0) { measured = measured . " " . i }
}
set tmargin at screen 0.44; set bmargin at screen 0.15
set yrange [0:*]; set ytics autofreq format "%g"

set label 1 "images/s over threads" at graph 0, graph 1.17 left font ":Bold,10" tc rgb ink
set lmargin at screen 0.06; set rmargin at screen 0.48
set xlabel "threads" textcolor rgb grey font ",8.5"
set xtics 1
set xrange [0.8:*]
batch = 64
plot for [i in measured] scaling using (is(i) && $3 == batch ? $2 : NaN):4 smooth unique with linespoints pt 7 ps 0.4 lw 1.6 lc rgb colour(i) title kind(i)

set label 1 "images/s over batch sizes"
set lmargin at screen 0.55; set rmargin at screen 0.97
set xlabel "batch"
set logscale x 2
set xtics autofreq
set xrange [0.9:*]
plot for [i in measured] scaling using (is(i) && $5 == 1 ? $3 : NaN):4 smooth unique with linespoints pt 7 ps 0.4 lw 1.6 lc rgb colour(i) title kind(i)
unset logscale x
set format y
