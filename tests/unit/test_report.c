// The parts of a report that need no gnuplot output to be looked at: contact sheets, pages' data files, drawing's
// errors.
#include "report/drawing.h"
#include "report/page.h"
#include "report/sheet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "folder.h"

static struct error error;

static void test_sheet_places_thumbnails_whole_inside(void **state)
{
  (void)state;
  for (int count = 1; count <= 60; count++) {
    struct sheet sheet;
    assert_int_equal(sheet_init(&sheet, count, count % 3 ? 0 : 4, 16, &error), OK);
    for (int i = 0; i < count; i++) {
      int x, y;
      sheet_place(&sheet, i, &x, &y);
      assert_true(x >= 0 && x + sheet.cell <= sheet.image.width);
      assert_true(y >= 0 && y + sheet.cell < sheet.image.height);
    }
    sheet_release(&sheet);
  }
}

static void test_sheet_draws_a_picture_and_a_grey_cell_for_a_missing_one(void **state)
{
  (void)state;
  struct sheet sheet;
  struct image red = {0};
  int x, y;
  assert_int_equal(sheet_init(&sheet, 2, 0, 16, &error), OK);
  assert_int_equal(image_init(&red, 8, 8, &error), OK);
  for (int i = 0; i < 64; i++) red.pixels[3 * i] = 200;
  assert_int_equal(sheet_put(&sheet, 0, &red, &error), OK);
  assert_int_equal(sheet_put(&sheet, 1, NULL, &error), OK);
  sheet_place(&sheet, 0, &x, &y);
  const uint8_t *pixel = sheet.image.pixels + 3 * ((y + 8) * sheet.image.width + x + 8);
  assert_int_equal(pixel[0], 200);
  assert_int_equal(pixel[1], 0);
  sheet_place(&sheet, 1, &x, &y);
  pixel = sheet.image.pixels + 3 * ((y + 15) * sheet.image.width + x + 15);
  assert_int_equal(pixel[0], 0xdd);
  pixel += 3L * sheet.image.width; // below the cell: paper
  assert_int_equal(pixel[0], 0xff);
  image_release(&red);
  sheet_release(&sheet);
}

static void write_script(struct drawing *drawing, const char *text)
{
  FILE *file = NULL;
  assert_int_equal(drawing_file(&file, drawing, "test.gp", &error), OK);
  fputs(text, file);
  assert_int_equal(drawing_file_close(file, "test.gp", &error), OK);
}

static void test_drawing_names_what_gnuplot_says(void **state)
{
  (void)state;
  struct drawing drawing;
  assert_int_equal(drawing_open(&drawing, folder, &error), OK);
  write_script(&drawing, "plot no_such_variable\n");
  assert_int_equal(drawing_run(&drawing, "test.gp", &error), FAILED);
  assert_non_null(strstr(error.text, "test.gp"));
  assert_non_null(strstr(error.text, "no_such_variable"));
  assert_int_equal(drawing_publish(&drawing, "nothing.pdf", in_folder("nothing.pdf"), &error), FAILED);
  drawing_close(&drawing);
}

static void test_drawing_says_which_package_is_missing(void **state)
{
  (void)state;
  struct drawing drawing;
  char *path = strdup(getenv("PATH"));
  assert_int_equal(drawing_open(&drawing, folder, &error), OK);
  setenv("PATH", "/nonexistent", 1);
  assert_int_equal(drawing_run(&drawing, "test.gp", &error), FAILED);
  assert_non_null(strstr(error.text, "gnuplot-nox"));
  setenv("PATH", path, 1);
  free(path);
  drawing_close(&drawing);
}

static void test_drawing_leaves_nothing_behind(void **state)
{
  (void)state;
  struct drawing drawing;
  char path[PATH_LIMIT];
  assert_int_equal(drawing_open(&drawing, folder, &error), OK);
  memcpy(path, drawing.folder, sizeof path);
  assert_int_equal(access(path, F_OK), 0);
  drawing_close(&drawing);
  assert_int_equal(access(path, F_OK), -1);
}

// The footer holds the very query, with its values quoted as SQL has it.
static void test_page_shows_the_query_that_it_ran(void **state)
{
  (void)state;
  struct drawing drawing;
  struct db *db = NULL;
  assert_int_equal(db_open(&db, in_folder("manifest.db"), DB_CREATE, &error), OK);
  assert_int_equal(drawing_open(&drawing, folder, &error), OK);
  struct page page = {.drawing = &drawing, .db = db, .error = &error};
  assert_int_equal(drawing_file(&page.script, &drawing, "main.gp", &error), OK);
  page_begin(&page, 7, "Wrong images, outside:%s", "a/dataset/whose/name/does/not/fit/in/the/title/of/a/page");
  assert_int_equal(page_table(&page, "rows", "SELECT ?1, ?2, NULL", "it's", "val"), 1);
  assert_int_equal(page_draw(&page, NULL, NULL), OK);
  assert_int_equal(drawing_file_close(page.script, "main.gp", &error), OK);

  char path[PATH_LIMIT];
  uint8_t *bytes = NULL;
  size_t size = 0;
  assert_int_equal(path_join(path, drawing.folder, "p07-words.txt", &error), OK);
  assert_int_equal(file_read(&bytes, &size, path, 4096, &error), OK);
  assert_non_null(memmem(bytes, size, "SELECT 'it''s', 'val', NULL;\n", 29));
  const char *title = "\tWrong images, outside:a/datas…t/fit/in/the/title/of/a/page\n"; // 58 characters
  assert_non_null(memmem(bytes, size, title, strlen(title)));
  free(bytes);
  assert_int_equal(path_join(path, drawing.folder, "p07-rows.txt", &error), OK);
  assert_int_equal(file_read(&bytes, &size, path, 4096, &error), OK);
  assert_int_equal(size, strlen("it's\tval\tNaN\n"));
  assert_memory_equal(bytes, "it's\tval\tNaN\n", size);
  free(bytes);
  drawing_close(&drawing);
  db_close(db);
}

int main(void)
{
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_sheet_places_thumbnails_whole_inside),
      cmocka_unit_test(test_sheet_draws_a_picture_and_a_grey_cell_for_a_missing_one),
      cmocka_unit_test(test_drawing_names_what_gnuplot_says),
      cmocka_unit_test(test_drawing_says_which_package_is_missing),
      cmocka_unit_test(test_drawing_leaves_nothing_behind),
      cmocka_unit_test(test_page_shows_the_query_that_it_ran),
  };
  return cmocka_run_group_tests(tests, folder_setup, folder_teardown);
}
