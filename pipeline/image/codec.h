// Decoding (JPEG by TurboJPEG or, to the same bits, image/jpeg_baseline.h, PNG by libspng, chosen by the file's first
// bytes, never by its name) and encoding.
//
// A decoder accepts only a whole, plain image: any warning of the library, a missing end marker, an animation, CMYK,
// more pixels than DECODE_PIXEL_LIMIT, or more scans than TJFLAG_LIMITSCANS allows is refused with a reason that starts
// with a fixed word. decode() says
//   empty, too-small (not even a signature), not-an-image, unsupported, truncated, corrupt, too-large
// and who reads the file adds
//   unreadable, not-a-file, changed
// What is accepted, and becomes what, is in codec_jpeg.h and codec_png.h.
#ifndef IMAGE_CODEC_H
#define IMAGE_CODEC_H

#include <stddef.h>
#include <stdint.h>

#include "core/status.h"
#include "image/image.h"

enum { DECODE_PIXEL_LIMIT = 64 << 20, DECODE_SIDE_LIMIT = 16384, DECODE_FILE_LIMIT = 64 << 20 };

enum image_format { IMAGE_JPEG, IMAGE_PNG };
const char *image_format_name(enum image_format format); // "jpeg", "png"

// One thread's decoder. A handle that has failed is replaced, because TurboJPEG 2.1.5's can refuse good files
// afterwards.
struct decoder;
enum status decoder_new(struct decoder **out, struct error *error);
void decoder_free(struct decoder *decoder);

// Decodes a file's bytes into *image (initialised or zeroed; its memory is reused). EXIF orientation is
// applied; grey becomes RGB. On BAD_DATA error->text is the reason: "truncated: Premature end of JPEG file".
enum status decode(struct decoder *decoder, const uint8_t *bytes, size_t size, struct image *image,
                   enum image_format *format, struct error *error);

// The same for a picture that is only wanted small: a JPEG whose sides are multiples of 2, 4 or 8 may come at 1/2, 1/4
// or 1/8 of its width and height, as long as neither falls below `least` (0: never reduced). Each of its pixels is the
// mean of those that decode() gives, but for clamping and for colours stored at half the resolution, which come as they
// are stored.
enum status decode_reduced(struct decoder *decoder, const uint8_t *bytes, size_t size, int least, struct image *image,
                           enum image_format *format, struct error *error);

// Encodes to JPEG of the given quality (1..100) or PNG; *bytes is to be freed with free().
enum status encode_jpeg(const struct image *image, int quality, uint8_t **bytes, size_t *size, struct error *error);
enum status encode_png(const struct image *image, uint8_t **bytes, size_t *size, struct error *error);

#endif
