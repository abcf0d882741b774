// A run's report, drawn from the manifest and files alone: report.pdf, confusion_matrix.pdf, confusion_matrix.png,
// results.png.
//
// Every figure is a query to a view, and the footer of its page holds that query.
#ifndef REPORT_REPORT_H
#define REPORT_REPORT_H

#include "core/digest.h"
#include "core/status.h"
#include "store/db.h"
#include "store/runs.h"

enum { REPORT_VERSION = 7 }; // raised when the pages change

struct report {
  struct db *db;
  const char *folder; // $(WORK)
  struct run_found run;
  int samples; // pictures on a contact sheet
};

// Draws and publishes in $(WORK)/runs/NAME. *pages is the number of pages of report.pdf. A part without predictions, a
// run without epochs and a picture that cannot be read are said on their page and are no error.
enum status report_draw(const struct report *report, int *pages, struct error *error);

// What the evaluation of a run is made of, and those it is shown beside, in a digest: it changes when predictions are
// replaced.
enum status report_evaluation_digest(struct db *db, const char *run, char text[DIGEST_TEXT], struct error *error);

// What the datasets that a run was trained and judged on hold, in a digest: the audit and the pictures are of it.
enum status report_datasets_digest(struct db *db, const char *run, char text[DIGEST_TEXT], struct error *error);

// *name is the first of the files that report_draw publishes which is not there; NULL: all are.
enum status report_missing(const struct report *report, const char **name, struct error *error);

#endif
