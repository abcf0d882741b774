# The confusion matrix: labels down, predictions across; right answers blue, mistakes orange, the deeper the more images (square
# root, so that one mistake in a thousand is still seen). Totals, recall and precision stand at the edges.
# The file `cells` has: predicted, label, images, share; `classes` has: ordinal, name, images, recall, predicted, precision.
# Numbers: class_count, longest_name (characters), most_right, most_wrong (images), normalised.
load 'chart.gp'
top = 0.885; bottom = 0.075
unset border; unset tics; unset grid; unset key
set lmargin at screen 0.03; set rmargin at screen 0.985
set tmargin at screen top; set bmargin at screen bottom
edge = class_count - 0.5
wide = 0.06 * class_count                       # of a column of totals
low = 0.06 * class_count                         # of a row of totals
turn = longest_name > 3
beside = (0.02 + 0.0088 * longest_name) * class_count  # room for names; words outside of the ranges are not drawn
above = (0.02 + (turn ? 0.0135 * longest_name : 0.03)) * class_count
set xrange [-0.5 - beside : edge + 2 * wide + 0.1]
set yrange [edge + 2 * low + 0.1 : -0.5 - above]
size = class_count > 34 ? 7 * 34.0 / class_count : class_count > 20 ? 7 : 9
small = sprintf(",%.1f", size)
bold = sprintf(":Bold,%.1f", size)
do for [i=0:class_count] {
  set arrow from i - 0.5, -0.5 to i - 0.5, edge nohead lw 0.3 lc rgb pale back
  set arrow from -0.5, i - 0.5 to edge, i - 0.5 nohead lw 0.3 lc rgb pale back
}
depth(right, images, share) = normalised ? sqrt(share) : sqrt(images / (right ? most_right : most_wrong))
words_of(images, share) = !normalised ? sprintf("%d", images) : share < 0.005 ? "<1" : sprintf("%.0f", 100 * share)
percent(x) = sprintf("%.0f", 100 * x)
known(x) = x == x

set label 1 "predicted →" at -0.75, -1.7 right font ",7" tc rgb grey
set label 2 "label ↓" at -0.75, -0.9 right font ",7" tc rgb grey
set label 3 "images" at edge + 0.5 * wide, -1.1 center font ",7" tc rgb grey
set label 4 "recall %" at edge + 1.5 * wide, -1.1 center font ",7" tc rgb grey
set label 5 "images" at -0.75, edge + 0.6 * low right font ",7" tc rgb grey
set label 6 "precision %" at -0.75, edge + 1.5 * low right font ",7" tc rgb grey

plot cells using 1:2:($1-0.5):($1+0.5):($2-0.5):($2+0.5):(tint($1 == $2 ? blue : orange, \
       0.06 + 0.94 * depth($1 == $2, $3, $4))) with boxxyerror lc rgb variable, \
     cells using 1:(depth($1 == $2, $3, $4) > 0.8 ? $2 : NaN):(words_of($3, $4)) with labels font small tc rgb paper, \
     cells using 1:(depth($1 == $2, $3, $4) > 0.8 ? NaN : $2):(words_of($3, $4)) with labels font small tc rgb ink, \
     classes using (-0.75):1:(stringcolumn(2)) with labels right font bold tc rgb ink, \
     classes using 1:(turn ? -0.75 : NaN):(stringcolumn(2)) with labels left rotate by 90 font bold tc rgb ink, \
     classes using 1:(turn ? NaN : -1.1):(stringcolumn(2)) with labels center font bold tc rgb ink, \
     classes using (edge + 0.5 * wide):1:(sprintf("%d", $3)) with labels center font small tc rgb grey, \
     classes using (known($4) ? edge + 1.5 * wide : NaN):1:(percent($4)) with labels center font small tc rgb ink, \
     classes using 1:(edge + 0.6 * low):(sprintf("%d", $5)) with labels center font small tc rgb grey, \
     classes using 1:(known($6) ? edge + 1.5 * low : NaN):(percent($6)) with labels center font small tc rgb ink
