# Loss, accuracy and, where it changes, the learning rate over the epochs.
# The file `curve` has: epoch, train_loss, train_accuracy, val_loss, val_accuracy, lr, best. Numbers: best (0: unknown), epochs,
# constant_lr, validated.
lower = constant_lr ? 0.15 : 0.385
load 'chart.gp'
set key at graph 1, graph 1.055 right horizontal maxrows 1 samplen 1.5 textcolor rgb ink font ",8.5"
set xrange [epochs > 1 ? 1 : 0.5 : epochs > 1 ? epochs : 1.5]
set xtics 1, epochs > 24 ? ceil(epochs / 12.0) : epochs > 12 ? 2 : 1
set xlabel "epoch" textcolor rgb grey font ",8.5"
set tmargin at screen 0.83; set bmargin at screen lower
if (best > 0) { set arrow 1 from best, graph 0 to best, graph 1 nohead lw 0.7 dt 3 lc rgb grey back }
line = "with linespoints pt 7 ps 0.3 lw 1.6 lc rgb"

set label 1 "loss" at graph 0, graph 1.055 left font ":Bold,10" tc rgb ink
set lmargin at screen 0.06; set rmargin at screen 0.48
set yrange [0:*]
if (validated) {
  plot curve using 1:2 @line orange title "training", curve using 1:4 @line blue title "validation", \
       curve using ($7 == 1 ? $1 : NaN):4 with points pt 6 ps 0.9 lw 1.4 lc rgb blue title "best epoch"
} else {
  plot curve using 1:2 @line orange title "training"
}

set label 1 "accuracy"
set lmargin at screen 0.55; set rmargin at screen 0.97
set yrange [0:1]; set ytics 0.1 format "%.1f"
if (validated) {
  plot curve using 1:3 @line orange title "training", curve using 1:5 @line blue title "validation", \
       curve using ($7 == 1 ? $1 : NaN):5 with points pt 6 ps 0.9 lw 1.4 lc rgb blue title "best epoch"
} else {
  plot curve using 1:3 @line orange title "training"
}

if (!constant_lr) {
  set label 1 "learning rate, thousandths" at graph 0, graph 1.2
  unset key; unset arrow
  stats curve using (1000 * $6) nooutput
  set ytics (0, STATS_max / 2, STATS_max) format "%.3g" # a low panel: more labels would lie on each other
  set yrange [0:STATS_max * 1.05]
  set tmargin at screen 0.26; set bmargin at screen 0.15
  set lmargin at screen 0.06; set rmargin at screen 0.97
  plot curve using 1:(1000 * $6) @line green
}
set format y
