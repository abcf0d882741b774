# What all pages share: colours, fonts, lines. Colours are Okabe and Ito's, which people with any colour vision can tell apart.
# Texts come from data files, tab-separated, and are drawn as they are: no enhanced text, no comments.
set encoding utf8
set datafile separator tab
set datafile commentschars ""
set termoption noenhanced

ink = 0x222222; grey = 0x767676; pale = 0xe4e4e4; paper = 0xffffff
blue = 0x0072b2; orange = 0xd55e00; green = 0x009e73; sky = 0x56b4e9

# `t` of the way from white to a colour.
channel(colour, shift) = (int(colour) >> shift) & 255
tint(colour, t) = (int(255 + (channel(colour, 16) - 255) * t) << 16) \
                + (int(255 + (channel(colour, 8) - 255) * t) << 8) + int(255 + (channel(colour, 0) - 255) * t)

set style fill solid 1 noborder
set boxwidth 0.7
