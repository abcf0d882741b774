// Calibration: what the bytes of a frozen part's maps stand for (features.precision int8), found on images of the
// training part, judged on others of it, and kept in the manifest for all features of the same weights.
#ifndef PIPELINE_CALIBRATION_H
#define PIPELINE_CALIBRATION_H

#include "stage/stage.h"

// Makes what the stage's configuration asks for, unless it is there. FAILED where features on bytes agree less with
// those in fp32 than features.least_cosine: nothing is kept then; also where it is there, and the limit was raised.
enum status calibration_make(struct stage *stage, struct error *error);

#endif
