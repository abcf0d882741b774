# A contact sheet. The file `sheet` holds RGB bytes from the upper left corner on; `captions` has: kind (0 upper line of a mistake,
# 1 lower line, 2 plain upper line), x and y from the upper left corner, text. Numbers: sheet_width, sheet_height.
set lmargin at screen 0.03; set rmargin at screen 0.97
set tmargin at screen 0.88; set bmargin at screen 0.08
unset border; unset tics; unset key; unset grid

# Square pixels from the upper left corner on: the axis that has room to spare gets a longer range.
page = (0.94 * 29.7) / (0.80 * 21)
wide = sheet_width > sheet_height * page
set xrange [0 : wide ? sheet_width : sheet_height * page]
set yrange [wide ? sheet_width / page : sheet_height : 0]
kind(k) = column(1) == k ? column(2) : NaN
plot sheet binary array=(sheet_width, sheet_height) format='%uchar' using 1:2:3 with rgbimage, \
     captions using (kind(0)):3:(stringcolumn(4)) with labels left font ":Bold,7.5" tc rgb orange, \
     captions using (kind(1)):3:(stringcolumn(4)) with labels left font ",5.5" tc rgb grey, \
     captions using (kind(2)):3:(stringcolumn(4)) with labels left font ":Bold,7.5" tc rgb ink
