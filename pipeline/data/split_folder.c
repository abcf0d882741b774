#include "data/split.h"

enum status split_folder(const struct split_options *options, const struct split_candidate *images, size_t count,
                         size_t classes, enum part *parts, struct error *error)
{
  size_t train = 0, outside = 0;
  (void)options; // the folders have said it all
  (void)classes;
  for (size_t i = 0; i < count; i++) {
    parts[i] = images[i].folder;
    train += parts[i] == PART_TRAIN;
    outside += parts[i] == PART_NONE;
  }
  if (outside)
    return fail(
        error, BAD_DATA,
        "split.method is folder, which needs DIR/{train,val,test}/CLASS: %zu of %zu images are in none of these "
        "folders",
        outside, count);
  if (!train) return fail(error, BAD_DATA, "split.method is folder, and the folder train has no usable image");
  return OK;
}
