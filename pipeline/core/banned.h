// Library calls that are unsafe, depend on hidden state, or start a shell are compile errors. The Makefile includes
// this file before every C file. After git's banned.h.
#ifndef CORE_BANNED_H
#define CORE_BANNED_H

// The declarations come first: the names below are gone from here on.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BANNED(name) name##_is_banned_see_core_banned_h

#undef sprintf // no bound: snprintf
#define sprintf(...) BANNED(sprintf)
#undef vsprintf
#define vsprintf(...) BANNED(vsprintf)
#undef strcpy // no bound: snprintf, memcpy, mem_text
#define strcpy(...) BANNED(strcpy)
#undef strcat
#define strcat(...) BANNED(strcat)
#undef stpcpy
#define stpcpy(...) BANNED(stpcpy)
#undef strncpy // may leave out the zero
#define strncpy(...) BANNED(strncpy)
#undef strncat
#define strncat(...) BANNED(strncat)
#undef gets
#define gets(...) BANNED(gets)

#undef atoi // no error: strtol and its kin
#define atoi(...) BANNED(atoi)
#undef atol
#define atol(...) BANNED(atol)
#undef atof
#define atof(...) BANNED(atof)

#undef rand // one hidden stream for all: core/rng.h
#define rand(...) BANNED(rand)
#undef srand
#define srand(...) BANNED(srand)
#undef random
#define random(...) BANNED(random)
#undef strtok // hidden state: strtok_r, strsep
#define strtok(...) BANNED(strtok)
#undef ctime // hidden state: localtime_r, gmtime_r, strftime
#define ctime(...) BANNED(ctime)
#undef asctime
#define asctime(...) BANNED(asctime)
#undef localtime
#define localtime(...) BANNED(localtime)
#undef gmtime
#define gmtime(...) BANNED(gmtime)

#undef system // a shell reads it: posix_spawn with an argument list
#define system(...) BANNED(system)
#undef popen
#define popen(...) BANNED(popen)
#undef tmpnam // another program may take the name first: publication_open, mkstemp
#define tmpnam(...) BANNED(tmpnam)
#undef tempnam
#define tempnam(...) BANNED(tempnam)
#undef mktemp
#define mktemp(...) BANNED(mktemp)
#undef alloca // no limit, no error: core/mem.h
#define alloca(...) BANNED(alloca)

#endif
