# Axes of a chart after page.gp; its margins and ranges follow.
set border 3 lc rgb grey lw 0.6
set xtics autofreq nomirror out scale 0.5 textcolor rgb grey font ",8"
set ytics autofreq nomirror out scale 0.5 textcolor rgb grey font ",8"
set grid noxtics ytics lc rgb pale lw 0.5 lt 1
set autoscale
unset arrow; unset label
