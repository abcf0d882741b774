# The words of a page, and the start of its multiplot. The file `words` has: style, x, y (shares of the page from its lower left
# corner), text. After it, charts find a clean slate.
set multiplot
set lmargin at screen 0; set rmargin at screen 1; set bmargin at screen 0; set tmargin at screen 1
unset border; unset tics; unset key; unset grid; unset arrow; unset label; unset title; unset xlabel; unset ylabel; unset logscale
set size noratio
set xrange [0:1]; set yrange [0:1]
at(style) = column(1) == style ? column(2) : NaN
plot words using (at(0)):3:(stringcolumn(4)) with labels left font ",17" tc rgb ink, \
     words using (at(1)):3:(stringcolumn(4)) with labels left font ",9" tc rgb grey, \
     words using (at(2)):3:(stringcolumn(4)) with labels left font "DejaVu Sans Mono,5.5" tc rgb grey, \
     words using (at(3)):3:(stringcolumn(4)) with labels left font ":Bold,9" tc rgb ink, \
     words using (at(4)):3:(stringcolumn(4)) with labels left font ",8" tc rgb ink, \
     words using (at(5)):3:(stringcolumn(4)) with labels left font ",8" tc rgb grey, \
     words using (at(6)):3:(stringcolumn(4)) with labels left font "DejaVu Sans Mono,6.5" tc rgb ink, \
     words using (at(7)):3:(stringcolumn(4)) with labels right font ",8" tc rgb ink, \
     words using (at(8)):3:(stringcolumn(4)) with labels right font ",8" tc rgb grey, \
     words using (at(9)):3:(stringcolumn(4)) with labels left font ",28" tc rgb blue, \
     words using (at(10)):3:(stringcolumn(4)) with labels right font ":Bold,9" tc rgb ink
