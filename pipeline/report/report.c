#include "report/report.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config/config.h"
#include "core/mem.h"
#include "report/pages.h"

#define MAIN_SCRIPT "report.gp"

static const struct {
  const char *name;
  bool of_evaluation; // there only if there are predictions
} outputs[] = {
    {"report.pdf", false}, {"results.png", false}, {"confusion_matrix.pdf", true}, {"confusion_matrix.png", true}};

// The parts that were judged, the first of them the one that the report is about.
struct parts {
  char (*names)[OUTSIDE_PART_LIMIT];
  size_t count, capacity;
};

static enum status find_parts(struct parts *out, const struct report *report, struct error *error)
{
  struct query *query = NULL;
  enum status status = query_open(&query, report->db, "SELECT part FROM part_metrics WHERE run = ?", error);
  if (!status) status = query_bind(query, error, "t", report->run.name);
  while (!status && query_next(query, &status, error)) {
    status =
        mem_grow((void **)&out->names, &out->capacity, out->count + 1, sizeof *out->names, "the run's parts", error);
    if (!status) snprintf(out->names[out->count++], sizeof *out->names, "%s", query_text(query, 0));
  }
  query_close(query);
  return status;
}

// The run's own configuration, as the manifest has it; *out stays NULL where this program does not understand it any
// more.
static enum status load_config(struct config **out, const struct report *report, struct drawing *drawing,
                               struct error *error)
{
  struct query *query = NULL;
  FILE *file = NULL;
  char path[PATH_LIMIT];
  enum status status = query_open(&query, report->db, "SELECT config FROM run WHERE id = ?", error);
  if (!status) status = query_bind(query, error, "i", report->run.id);
  if (!status) status = drawing_file(&file, drawing, "config.yaml", error);
  if (!status && query_next(query, &status, error)) fputs(query_text(query, 0), file);
  enum status closed = drawing_file_close(file, "config.yaml", status ? NULL : error);
  query_close(query);
  if (!status) status = closed;
  if (!status) status = path_join(path, drawing->folder, "config.yaml", error);
  if (!status && config_load(out, path, NULL, 0, NULL) != OK) *out = NULL;
  return status;
}

// A terminal of A4 landscape; `style.gp` is loaded after it because some of it belongs to the terminal.
static void begin_output(FILE *script, const char *terminal, const char *name)
{
  fprintf(script, "set terminal %s font \"DejaVu Sans,10\" noenhanced\nset output '%s'\nload 'style.gp'\n", terminal,
          name);
}

#define PDF "pdfcairo size 29.7cm,21cm fontscale 0.87"
#define PNG "pngcairo size 2339,1654 fontscale 1.8 linewidth 2 pointscale 2"

// The pages of an outside test: what fails, and how it looks.
static enum status outside_pages(struct page *page, int *number, const struct report *report, const char *part)
{
  enum status status = confusion_page(page, ++*number, report, part, false);
  if (!status) status = classes_page(page, ++*number, report, part);
  return status ? status : mistakes_page(page, ++*number, report, part);
}

// The pages of one part; the first part's matrix is also drawn by itself.
static enum status part_pages(struct page *page, int *number, const struct report *report, const char *part)
{
  if (!strncmp(part, OUTSIDE_PREFIX, sizeof OUTSIDE_PREFIX - 1)) return outside_pages(page, number, report, part);
  enum status status = confusion_page(page, ++*number, report, part, false);
  if (!status) status = confusion_page(page, ++*number, report, part, true);
  if (!status) status = classes_page(page, ++*number, report, part);
  if (!status) status = pairs_page(page, ++*number, report, part);
  return status ? status : mistakes_page(page, ++*number, report, part);
}

static enum status no_evaluation_page(struct page *page, int number, const struct report *report)
{
  page_begin(page, number, "Evaluation");
  return page_say(page, "Run %s has no predictions yet: `build/stages/evaluate` makes them.", report->run.name);
}

static enum status benchmark_pages(struct page *page, int *number)
{
  bool any = false, resnet50 = false;
  enum status status = benchmark_rows(page->db, &any, page->error);
  if (!status) status = benchmark_resnet50_rows(page->db, &resnet50, page->error);
  if (!status && any) status = benchmark_page(page, ++*number);
  if (!status && any) status = benchmark_layers_page(page, ++*number);
  if (!status && resnet50) status = benchmark_resnet50_page(page, ++*number);
  return status;
}

static enum status comparison_pages(struct page *page, int *number, const struct report *report)
{
  bool any = false;
  enum status status = comparison_rows(page->db, report->run.name, &any, page->error);
  return status || !any ? status : comparison_page(page, ++*number, report);
}

static enum status images_pages(struct page *page, int *number, const struct report *report,
                                const struct config *config)
{
  bool rendered = false;
  enum status status = training_page(page, ++*number, report, config);
  if (!status) status = renders_rows(page->db, report->run.name, &rendered, page->error);
  return status || !rendered ? status : renders_page(page, ++*number, report);
}

static enum status all_pages(struct page *page, const struct report *report, const struct config *config,
                             const struct parts *parts, int *pages)
{
  int number = 0;
  begin_output(page->script, PDF, "report.pdf");
  enum status status = summary_page(page, ++number, report, config);
  if (!status) status = curves_page(page, ++number, report);
  if (!status) status = comparison_pages(page, &number, report);
  if (!status && !parts->count) status = no_evaluation_page(page, ++number, report);
  for (size_t i = 0; !status && i < parts->count; i++) status = part_pages(page, &number, report, parts->names[i]);
  if (!status) status = images_pages(page, &number, report, config);
  if (!status && parts->count) status = doubts_page(page, ++number, report);
  if (!status) status = audit_page(page, ++number, report);
  if (!status) status = throughput_page(page, ++number, report);
  if (!status) status = benchmark_pages(page, &number);
  *pages = number;

  begin_output(page->script, PNG, "results.png");
  if (!status) status = curves_page(page, ++number, report);
  if (!parts->count) return status;
  begin_output(page->script, PDF, "confusion_matrix.pdf");
  if (!status) status = confusion_page(page, ++number, report, parts->names[0], false);
  begin_output(page->script, PNG, "confusion_matrix.png");
  return status ? status : confusion_page(page, ++number, report, parts->names[0], false);
}

static enum status publish(struct drawing *drawing, const char *folder, bool evaluated, struct error *error)
{
  enum status status = OK;
  for (size_t i = 0; !status && i < sizeof outputs / sizeof *outputs; i++) {
    char path[PATH_LIMIT];
    if (outputs[i].of_evaluation && !evaluated) continue;
    status = path_join(path, folder, outputs[i].name, error);
    if (!status) status = drawing_publish(drawing, outputs[i].name, path, error);
  }
  return status;
}

enum status report_draw(const struct report *report, int *pages, struct error *error)
{
  char folder[PATH_LIMIT];
  struct parts parts = {0};
  struct drawing drawing = {.folder = ""};
  struct config *config = NULL;
  struct page page = {.drawing = &drawing, .db = report->db, .error = error};
  enum status status = run_folder(folder, report->folder, report->run.name, error);
  if (!status) status = folder_make(folder, error);
  if (!status) status = find_parts(&parts, report, error);
  if (!status) status = drawing_open(&drawing, folder, error);
  if (!status) status = load_config(&config, report, &drawing, error);
  if (!status) status = drawing_file(&page.script, &drawing, MAIN_SCRIPT, error);
  if (!status) status = all_pages(&page, report, config, &parts, pages);
  enum status closed = drawing_file_close(page.script, MAIN_SCRIPT, status ? NULL : error);
  if (!status) status = closed;
  if (!status) status = drawing_run(&drawing, MAIN_SCRIPT, error);
  if (!status) status = publish(&drawing, folder, parts.count > 0, error);
  config_free(config);
  free(parts.names);
  drawing_close(&drawing);
  return status;
}

// All cells of a query that takes the run's name.
static enum status add_rows(struct digest *digest, struct db *db, const char *sql, const char *run, struct error *error)
{
  struct query *query = NULL;
  enum status status = query_open(&query, db, sql, error);
  if (!status) status = query_bind(query, error, "t", run);
  while (!status && query_next(query, &status, error))
    for (int column = 0; column < query_columns(query); column++) {
      const char *value = query_text(query, column);
      digest_add(digest, value, strlen(value) + 1);
    }
  query_close(query);
  return status;
}

// The rows of some queries in a digest.
static enum status digest_rows(struct db *db, const char *const *queries, size_t count, const char *run,
                               char text[DIGEST_TEXT], struct error *error)
{
  struct digest *digest = NULL;
  enum status status = digest_new(&digest, error);
  for (size_t i = 0; !status && i < count; i++) status = add_rows(digest, db, queries[i], run, error);
  if (!status) digest_finish(digest, text);
  digest_free(digest);
  return status;
}

enum status report_evaluation_digest(struct db *db, const char *run, char text[DIGEST_TEXT], struct error *error)
{
  static const char *const queries[] = {
      "SELECT part, name, value, images FROM run_metrics WHERE run = ? ORDER BY part, name",
      "SELECT method, other, accuracy, images, with_train_neighbour FROM split_comparison WHERE run = ?",
      "SELECT other, part, images, only_run, only_other FROM run_comparison WHERE run = ?",
  };
  return digest_rows(db, queries, sizeof queries / sizeof *queries, run, text, error);
}

enum status report_datasets_digest(struct db *db, const char *run, char text[DIGEST_TEXT], struct error *error)
{
  static const char *const query = "SELECT fingerprint, quarantined FROM run JOIN split_dataset USING (split) "
                                   "JOIN dataset ON dataset.id = split_dataset.dataset WHERE run.name = ? "
                                   "ORDER BY ordinal";
  return digest_rows(db, &query, 1, run, text, error);
}

enum status report_missing(const struct report *report, const char **name, struct error *error)
{
  char folder[PATH_LIMIT], path[PATH_LIMIT];
  int64_t judged = 0;
  *name = NULL;
  enum status status = run_folder(folder, report->folder, report->run.name, error);
  if (!status)
    status = db_integer(report->db, &judged, NULL, error, "SELECT count(*) FROM part_metrics WHERE run = ?", "t",
                        report->run.name);
  for (size_t i = 0; !status && !*name && i < sizeof outputs / sizeof *outputs; i++) {
    if (outputs[i].of_evaluation && !judged) continue;
    status = path_join(path, folder, outputs[i].name, error);
    if (!status && access(path, R_OK) != 0) *name = outputs[i].name;
  }
  return status;
}
