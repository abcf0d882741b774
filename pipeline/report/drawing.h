// A drawing in the making: a temporary folder beside its target that holds data files and scripts, and the one place
// that starts gnuplot. Scripts travel inside the program (reports/*.gp, as strings in a generated header): a report can
// be drawn from any folder, by a program that was copied anywhere, and never by a script of another version.
//
//   drawing_open -> drawing_file ... drawing_run -> drawing_publish -> drawing_close (always)
//
// gnuplot runs in the temporary folder without a shell and without start-up files, and reads names that we made up.
// Nothing that comes from a manifest is ever part of a script; texts are fields of data files.
#ifndef REPORT_DRAWING_H
#define REPORT_DRAWING_H

#include <stdio.h>

#include "core/files.h"
#include "core/status.h"

struct drawing {
  char folder[PATH_LIMIT]; // "" when closed
};

// Makes `parent`/.report-XXXXXX with the embedded scripts in it, and removes those that killed executions left there:
// the caller sees to it that no other process draws in `parent`.
enum status drawing_open(struct drawing *drawing, const char *parent, struct error *error);

// Opens a file of the drawing for writing; drawing_file_close reports what went wrong since, a full disk for one.
// Closing NULL is harmless.
enum status drawing_file(FILE **out, struct drawing *drawing, const char *name, struct error *error);
enum status drawing_file_close(FILE *file, const char *name, struct error *error);

// Runs `gnuplot -d SCRIPT` in the folder. A failure's message holds the first lines that gnuplot wrote to stderr.
enum status drawing_run(struct drawing *drawing, const char *script, struct error *error);

// Publishes the drawing's file `name` under `path`.
enum status drawing_publish(struct drawing *drawing, const char *name, const char *path, struct error *error);

void drawing_close(struct drawing *drawing); // removes the folder

#endif
