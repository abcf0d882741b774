// The version of the programs, recorded with everything that they make.
#ifndef PIPELINE_VERSION_H
#define PIPELINE_VERSION_H

#define PIPELINE_VERSION "0.1.0"

#endif
