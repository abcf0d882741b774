// The pages of a report. Each takes a page that is not begun, with its number, and draws it whole; they return
// page->status.
#ifndef REPORT_PAGES_H
#define REPORT_PAGES_H

#include "report/page.h"
#include "report/report.h"

struct config;

enum status summary_page(struct page *page, int number, const struct report *report, const struct config *config);
enum status curves_page(struct page *page, int number, const struct report *report);
enum status throughput_page(struct page *page, int number, const struct report *report);

// Whether another finished run judged images that this one judged; the page that sets them beside each other.
enum status comparison_rows(struct db *db, const char *run, bool *any, struct error *error);
enum status comparison_page(struct page *page, int number, const struct report *report);

enum status confusion_page(struct page *page, int number, const struct report *report, const char *part,
                           bool normalised);
enum status classes_page(struct page *page, int number, const struct report *report, const char *part);
enum status pairs_page(struct page *page, int number, const struct report *report, const char *part);

enum status mistakes_page(struct page *page, int number, const struct report *report, const char *part);

// Images to look at (view audit), and labels that the network doubts (view label_issues).
enum status audit_page(struct page *page, int number, const struct report *report);
enum status doubts_page(struct page *page, int number, const struct report *report);

// The training images as epoch 1 saw them, or five of them as the first ten did where these differ, drawn by the code
// that training uses. `config` is the run's own; NULL:
// unknown.
enum status training_page(struct page *page, int number, const struct report *report, const struct config *config);

// Whether the run was trained on rendered images; the page that shows some of each class.
enum status renders_rows(struct db *db, const char *run, bool *any, struct error *error);
enum status renders_page(struct page *page, int number, const struct report *report);

// Whether `make bench` has left anything in this manifest; the two pages that show it. Whether it has compared
// ResNet50; the page of that.
enum status benchmark_rows(struct db *db, bool *any, struct error *error);
enum status benchmark_page(struct page *page, int number);
enum status benchmark_layers_page(struct page *page, int number);
enum status benchmark_resnet50_rows(struct db *db, bool *any, struct error *error);
enum status benchmark_resnet50_page(struct page *page, int number);

#endif
