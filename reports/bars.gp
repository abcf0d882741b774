# Bars beside the words of a table. The file `bars` has: x of the left end, y, length, half the thickness (shares of the page).
plot bars using 1:2:1:($1+$3):($2-$4):($2+$4) with boxxyerror lc rgb bar_colour
