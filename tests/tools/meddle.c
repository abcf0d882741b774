// Changes one cell of a manifest to something that no stage has written, and prints what it did. The same seed does the
// same to the same manifest.
//
//   meddle MANIFEST SEED
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/rng.h"

static sqlite3 *manifest;

static void stop(void)
{
  fprintf(stderr, "meddle: %s\n", sqlite3_errmsg(manifest));
  exit(1);
}

// Row `n` of the query's first three columns, of which the query has as many as *rows says; false: there is none.
static int pick(const char *sql, uint32_t n, char out[3][128])
{
  sqlite3_stmt *statement = NULL;
  int rows = 0;
  if (sqlite3_prepare_v2(manifest, sql, -1, &statement, NULL)) stop();
  while (sqlite3_step(statement) == SQLITE_ROW) {
    for (int c = 0; c < sqlite3_column_count(statement) && c < 3 && rows <= (int)n; c++)
      snprintf(out[c], sizeof out[c], "%s", (const char *)sqlite3_column_text(statement, c));
    rows++;
  }
  sqlite3_finalize(statement);
  return rows;
}

// One of the query's rows.
static void draw(struct rng *rng, const char *sql, char out[3][128])
{
  int rows = pick(sql, 0, out);
  if (rows < 1) {
    fprintf(stderr, "meddle: nothing to change: %s\n", sql);
    exit(1);
  }
  pick(sql, rng_below(rng, (uint32_t)rows), out);
}

static const char *value_for(struct rng *rng, const char *type)
{
  static const char *const integers[] = {"0",
                                         "-1",
                                         "1",
                                         "3",
                                         "255",
                                         "65536",
                                         "2147483647",
                                         "-2147483648",
                                         "4294967296",
                                         "9007199254740993",
                                         "9223372036854775807",
                                         "-9223372036854775808",
                                         "NULL"};
  static const char *const reals[] = {"0.0", "-1.0", "1e308", "9e999", "-9e999", "1e-320", "NULL"};
  static const char *const texts[] = {"''",
                                      "'../../etc/passwd'",
                                      "'/etc/passwd'",
                                      "'tensors/../manifest.db'",
                                      "'%s%n%d'",
                                      "'done'",
                                      "'running'",
                                      "'[1,2'",
                                      "'{\"a\": [[[[[[[[]]]]]]]]}'",
                                      "hex(randomblob(3000))",
                                      "CAST(x'fffe41' AS TEXT)",
                                      "'A'",
                                      "NULL",
                                      "CAST(x'41000a42' AS TEXT)",
                                      "'9999999999999999999999'"};
  static const char *const blobs[] = {"x''", "x'00'", "zeroblob(5000)", "x'2f6574632f706173737764'", "x'ff'", "NULL"};
  if (!strcmp(type, "INTEGER")) return integers[rng_below(rng, sizeof integers / sizeof *integers)];
  if (!strcmp(type, "REAL")) return reals[rng_below(rng, sizeof reals / sizeof *reals)];
  if (!strcmp(type, "BLOB")) return blobs[rng_below(rng, sizeof blobs / sizeof *blobs)];
  return texts[rng_below(rng, sizeof texts / sizeof *texts)];
}

int main(int argc, char **argv)
{
  if (argc != 3 || sqlite3_open_v2(argv[1], &manifest, SQLITE_OPEN_READWRITE, NULL)) {
    fputs("usage: meddle MANIFEST SEED\n", stderr);
    return 2;
  }
  struct rng rng = rng_at(strtoull(argv[2], NULL, 10), RNG_TEST, 0, 0);
  char table[3][128], column[3][128], ignored[3][128], sql[1024];
  // Whoever meddles cares for no rule.
  sqlite3_exec(manifest, "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF", NULL, NULL, NULL);
  do {
    draw(&rng, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT GLOB 'sqlite_*'", table);
    snprintf(sql, sizeof sql, "SELECT 1 FROM \"%s\" LIMIT 1", table[0]);
  } while (pick(sql, 0, column) == 0);
  snprintf(sql, sizeof sql, "SELECT name, type FROM pragma_table_info('%s')", table[0]);
  draw(&rng, sql, column);
  // Where the column is what one row has in it, or everywhere; what the table's own rules refuse (a key twice, NULL
  // where there is none) stays as it was.
  const char *to = value_for(&rng, column[1]);
  snprintf(sql, sizeof sql, "SELECT 1 FROM \"%s\"", table[0]);
  const unsigned row = rng_below(&rng, (uint32_t)pick(sql, 0, ignored));
  int length = snprintf(sql, sizeof sql, "UPDATE OR IGNORE \"%s\" SET \"%s\" = %s", table[0], column[0], to);
  if (rng_below(&rng, 3) > 0)
    snprintf(sql + length, sizeof sql - (size_t)length,
             " WHERE \"%s\" IS (SELECT \"%s\" FROM \"%s\" LIMIT 1 OFFSET %u)", column[0], column[0], table[0], row);
  if (sqlite3_exec(manifest, sql, NULL, NULL, NULL) && sqlite3_errcode(manifest) != SQLITE_CONSTRAINT) stop();
  printf("%s; %d rows\n", sql, sqlite3_changes(manifest));
  return sqlite3_close(manifest) == SQLITE_OK ? 0 : 1;
}
