#include "data/scan.h"

#include <stdlib.h>
#include <string.h>

#include "core/mem.h"
#include "store/splits.h"

// "a/b", or "b" where a is empty.
static enum status below(char out[PATH_LIMIT], const char *folder, const char *name, struct error *error)
{
  return path_join(out, folder, name, error); // an empty folder takes no slash
}

static enum status list_below(struct listing *out, const char *root, const char *folder, struct error *error)
{
  char path[PATH_LIMIT];
  enum status status = path_join(path, root, folder, error);
  return status ? status : folder_list(out, path, error);
}

static bool is_hidden(const struct entry *entry)
{
  return entry->name[0] == '.';
}

// --- where the classes are -------------------------------------------------------------------------------------------

// The folders of one depth, and those of the next.
struct level {
  char **folders;
  size_t count, capacity;
};

static void level_release(struct level *level)
{
  for (size_t i = 0; i < level->count; i++) free(level->folders[i]);
  free(level->folders);
  *level = (struct level){0};
}

static enum status level_add(struct level *level, const char *folder, struct error *error)
{
  enum status status =
      mem_grow((void **)&level->folders, &level->capacity, level->count + 1, sizeof *level->folders, "folders", error);
  if (!status) status = mem_text(&level->folders[level->count], folder, error);
  if (!status) level->count++;
  return status;
}

static enum status holds_files(bool *out, const char *root, const char *folder, struct error *error)
{
  struct listing listing;
  enum status status = list_below(&listing, root, folder, error);
  if (status) return status;
  *out = false;
  for (size_t i = 0; i < listing.count && !*out; i++)
    *out = !listing.entries[i].is_folder && !is_hidden(&listing.entries[i]);
  listing_release(&listing);
  return OK;
}

// How many of its folders hold files, and all its folders added to `next`.
static enum status look_into(const char *root, const char *folder, size_t *with_files, struct level *next,
                             struct error *error)
{
  struct listing listing;
  enum status status = list_below(&listing, root, folder, error);
  if (status) return status;
  *with_files = 0;
  for (size_t i = 0; i < listing.count && !status; i++) {
    const struct entry *entry = &listing.entries[i];
    if (!entry->is_folder || is_hidden(entry)) continue;
    char path[PATH_LIMIT];
    bool files = false;
    status = below(path, folder, entry->name, error);
    if (!status) status = level_add(next, path, error);
    if (!status) status = holds_files(&files, root, path, error);
    *with_files += files;
  }
  listing_release(&listing);
  return status;
}

static enum status search_level(const char *root, const struct level *level, struct level *next, const char **found,
                                struct error *error)
{
  *found = NULL;
  for (size_t i = 0; i < level->count; i++) {
    size_t with_files = 0;
    enum status status = look_into(root, level->folders[i], &with_files, next, error);
    if (status) return status;
    if (with_files < 2) continue;
    if (*found)
      return fail(error, BAD_DATA, "%s: there are class folders in both %s and %s: name one of the two", root, *found,
                  level->folders[i]);
    *found = level->folders[i];
  }
  return OK;
}

static enum status find_classes(struct scan *scan, const char *root, struct error *error)
{
  struct level level = {0};
  const char *found = NULL;
  enum status status = level_add(&level, "", error);
  for (int depth = 0; depth <= SCAN_DEPTH && !status && !found; depth++) {
    struct level next = {0};
    status = search_level(root, &level, &next, &found, error);
    if (!status && found) status = below(scan->folder, "", found, error);
    level_release(&level);
    level = next;
  }
  level_release(&level);
  if (status || found) return status;
  return fail(error, BAD_DATA, "%s: no folder of class folders: at least two folders with images in them are needed",
              root);
}

// --- what is in them -------------------------------------------------------------------------------------------------

static const char *not_a_file(const struct entry *entry)
{
  if (entry->is_regular) return NULL;
  if (entry->is_folder) return "a folder inside a class folder";
  return entry->is_link ? "a symbolic link" : "a pipe, socket or device";
}

static enum status add_file(struct scan *scan, const char *folder, const struct entry *entry, int label,
                            struct error *error)
{
  char path[PATH_LIMIT];
  enum status status = below(path, folder, entry->name, error);
  if (!status)
    status = mem_grow((void **)&scan->files, &scan->capacity, scan->count + 1, sizeof *scan->files, "the list of files",
                      error);
  if (status) return status;
  struct scan_file *file = &scan->files[scan->count];
  *file = (struct scan_file){.label = label,
                             .not_a_file = not_a_file(entry),
                             .size = entry->size,
                             .inode = entry->inode,
                             .mtime_ns = entry->mtime_ns};
  status = mem_text(&file->path, path, error);
  if (!status) scan->count++;
  return status;
}

static enum status scan_class(struct scan *scan, const char *root, const char *parent, const char *name, int label,
                              struct error *error)
{
  char folder[PATH_LIMIT];
  struct listing listing;
  enum status status = below(folder, parent, name, error);
  if (!status) status = list_below(&listing, root, folder, error);
  if (status) return status;
  for (size_t i = 0; i < listing.count && !status; i++) {
    if (is_hidden(&listing.entries[i]))
      scan->hidden++;
    else
      status = add_file(scan, folder, &listing.entries[i], label, error);
  }
  listing_release(&listing);
  return status;
}

static enum status add_class(struct scan *scan, size_t *capacity, const char *root, const char *name,
                             struct error *error)
{
  if (scan->class_count == SCAN_CLASS_LIMIT)
    return fail(error, BAD_DATA, "%s: more than %d class folders", root, SCAN_CLASS_LIMIT);
  enum status status =
      mem_grow((void **)&scan->classes, capacity, scan->class_count + 1, sizeof *scan->classes, "classes", error);
  if (!status) status = mem_text(&scan->classes[scan->class_count], name, error);
  if (!status) scan->class_count++;
  return status;
}

static int by_path(const void *left, const void *right)
{
  return strcmp(((const struct scan_file *)left)->path, ((const struct scan_file *)right)->path);
}

// By whole paths: "A b/1.jpg" comes before "A/1.jpg", as it does in the manifest.
static void sort_files(struct scan *scan)
{
  if (scan->count > 1) qsort(scan->files, scan->count, sizeof *scan->files, by_path);
}

static enum status scan_classes(struct scan *scan, const char *root, struct error *error)
{
  struct listing listing;
  size_t capacity = 0;
  enum status status = list_below(&listing, root, scan->folder, error);
  if (status) return status;
  for (size_t i = 0; i < listing.count && !status; i++) {
    const struct entry *entry = &listing.entries[i];
    scan->hidden += is_hidden(entry) && strcmp(entry->name, ".synth") != 0; // stage synth's mark
    scan->loose += !is_hidden(entry) && !entry->is_folder;
    if (is_hidden(entry) || !entry->is_folder) continue;
    status = add_class(scan, &capacity, root, entry->name, error);
    if (!status) status = scan_class(scan, root, scan->folder, entry->name, (int)scan->class_count - 1, error);
  }
  listing_release(&listing);
  if (!status) sort_files(scan);
  return status;
}

enum status scan_folder(struct scan *out, const char *root, struct error *error)
{
  *out = (struct scan){0};
  enum status status = find_classes(out, root, error);
  if (!status) status = scan_classes(out, root, error);
  if (status) scan_release(out);
  return status;
}

// --- folders of parts ------------------------------------------------------------------------------------------------

static bool is_part(const struct entry *entry)
{
  return entry->is_folder && part_of_folder(entry->name, strlen(entry->name)) != PART_NONE;
}

static int label_of(const struct scan *scan, const char *name)
{
  for (size_t c = 0; c < scan->class_count; c++)
    if (!strcmp(scan->classes[c], name)) return (int)c;
  return -1;
}

// Keeps the classes sorted by bytes.
static enum status merge_class(struct scan *scan, size_t *capacity, const char *root, const char *name,
                               struct error *error)
{
  if (label_of(scan, name) >= 0) return OK;
  enum status status = add_class(scan, capacity, root, name, error);
  if (status) return status;
  char *added = scan->classes[scan->class_count - 1];
  size_t place = scan->class_count - 1;
  for (; place > 0 && strcmp(scan->classes[place - 1], added) > 0; place--)
    scan->classes[place] = scan->classes[place - 1];
  scan->classes[place] = added;
  return OK;
}

// Takes the names of a part's class folders, or, once all are known, their files.
static enum status scan_part(struct scan *scan, size_t *capacity, const char *root, const char *part, bool files,
                             struct error *error)
{
  struct listing listing;
  enum status status = list_below(&listing, root, part, error);
  if (status) return status;
  for (size_t i = 0; i < listing.count && !status; i++) {
    const struct entry *entry = &listing.entries[i];
    if (files) {
      scan->hidden += is_hidden(entry);
      scan->loose += !is_hidden(entry) && !entry->is_folder;
    }
    if (is_hidden(entry) || !entry->is_folder) continue;
    if (files)
      status = scan_class(scan, root, part, entry->name, label_of(scan, entry->name), error);
    else
      status = merge_class(scan, capacity, root, entry->name, error);
  }
  listing_release(&listing);
  return status;
}

static enum status scan_each_part(struct scan *scan, const char *root, const struct listing *listing,
                                  struct error *error)
{
  enum status status = OK;
  size_t capacity = 0, parts = 0;
  bool train = false;
  for (size_t i = 0; i < listing->count && !status; i++) {
    const struct entry *entry = &listing->entries[i];
    if (!is_part(entry)) continue;
    parts++;
    train = train || !strcmp(entry->name, "train");
    status = scan_part(scan, &capacity, root, entry->name, false, error);
  }
  if (!status && (!train || parts < 2))
    return fail(error, BAD_DATA,
                "%s: split.method folder needs a folder train in it, and val, valid, validation or test", root);
  if (!status && scan->class_count < 2)
    return fail(error, BAD_DATA, "%s: its folders of parts have %zu class folders, at least two are needed", root,
                scan->class_count);
  for (size_t i = 0; i < listing->count && !status; i++)
    if (is_part(&listing->entries[i])) status = scan_part(scan, &capacity, root, listing->entries[i].name, true, error);
  return status;
}

enum status scan_parts(struct scan *out, const char *root, struct error *error)
{
  *out = (struct scan){0};
  struct listing listing;
  enum status status = folder_list(&listing, root, error);
  if (status) return status;
  status = scan_each_part(out, root, &listing, error);
  listing_release(&listing);
  if (status)
    scan_release(out);
  else
    sort_files(out);
  return status;
}

void scan_release(struct scan *scan)
{
  for (size_t i = 0; i < scan->class_count; i++) free(scan->classes[i]);
  for (size_t i = 0; i < scan->count; i++) free(scan->files[i].path);
  free(scan->classes);
  free(scan->files);
  *scan = (struct scan){0};
}
