# Precision, recall and F1 of each class as bars; whiskers are 95 % Wilson intervals. The file `classes` has: ordinal, name,
# images, recall, predicted, precision, precision's low and high, recall's low and high, F1. Numbers: class_count, longest_name.
load 'chart.gp'
unset key
set lmargin at screen 0.075; set rmargin at screen 0.98
set xrange [-0.7 : class_count - 0.3]
set yrange [0:1]; set ytics 0.25 format "%.2f"
unset xtics; unset xlabel
size = sprintf(":Bold,%.1f", class_count > 34 ? 7.5 * 34.0 / class_count : 7.5)
turn = longest_name > 3
low = 0.075 + (turn ? 0.0115 * longest_name : 0.03)
step = (0.905 - low) / 3
high = step - 0.03

set tmargin at screen low + 2 * step + high; set bmargin at screen low + 2 * step
set ylabel "precision" textcolor rgb ink font ",9" offset 1
plot classes using 1:6 with boxes lc rgb tint(sky, 0.75), \
     classes using 1:7:(0):($8-$7) with vectors nohead lw 0.9 lc rgb ink

set tmargin at screen low + step + high; set bmargin at screen low + step
set ylabel "recall"
plot classes using 1:4 with boxes lc rgb tint(blue, 0.75), \
     classes using 1:9:(0):($10-$9) with vectors nohead lw 0.9 lc rgb ink

set tmargin at screen low + high; set bmargin at screen low
set ylabel "F1"
plot classes using 1:11 with boxes lc rgb tint(green, 0.75)

# The names, in a strip of their own below.
set tmargin at screen low - 0.005; set bmargin at screen 0.065
unset border; unset tics; unset grid; unset ylabel
plot classes using 1:(turn ? 0.98 : NaN):(stringcolumn(2)) with labels right rotate by 90 font size tc rgb ink, \
     classes using 1:(turn ? NaN : 0.8):(stringcolumn(2)) with labels center font size tc rgb ink
set format y
