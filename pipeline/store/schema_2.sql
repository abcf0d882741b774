-- A manifest of schema 1 to schema 2. What is added to schema.sql is added here too: a test compares the two. Views are gone while
-- this runs, and are made anew after it.

CREATE TABLE split_dataset (
  split INTEGER NOT NULL REFERENCES split(id) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
  dataset INTEGER NOT NULL REFERENCES dataset(id) ON DELETE CASCADE,
  PRIMARY KEY (split, ordinal),
  UNIQUE (split, dataset)
) STRICT, WITHOUT ROWID;
INSERT INTO split_dataset SELECT id, 0, dataset FROM split;

CREATE TABLE split_class (
  split INTEGER NOT NULL REFERENCES split(id) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
  name TEXT NOT NULL,
  PRIMARY KEY (split, ordinal),
  UNIQUE (split, name)
) STRICT, WITHOUT ROWID;
INSERT INTO split_class SELECT split.id, class.ordinal, class.name FROM split JOIN class ON class.dataset = split.dataset;

CREATE TABLE run_tensor_set (
  run INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
  tensor_set INTEGER NOT NULL REFERENCES tensor_set(id) ON DELETE CASCADE,
  PRIMARY KEY (run, ordinal),
  UNIQUE (run, tensor_set)
) STRICT, WITHOUT ROWID;
INSERT INTO run_tensor_set SELECT id, 0, tensor_set FROM run;

-- Another CHECK, and columns that may be NULL: SQLite takes that in a new table only.
ALTER TABLE prediction RENAME TO prediction_1;
CREATE TABLE prediction (
  run INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  image INTEGER NOT NULL REFERENCES image(id) ON DELETE CASCADE,
  part TEXT NOT NULL CHECK (part IN ('train', 'val', 'test') OR part GLOB 'outside:?*'),
  label INTEGER,                  -- ordinals of split_class
  predicted INTEGER NOT NULL,
  confidence REAL NOT NULL,       -- softmax of `predicted`
  label_confidence REAL,          -- softmax of `label`
  label_rank INTEGER CHECK (label_rank >= 1), -- 1: top-1 is right; <= 3: top-3 is
  second INTEGER, second_confidence REAL,
  third INTEGER, third_confidence REAL,
  loss REAL,
  PRIMARY KEY (run, part, image),
  CHECK (label IS NOT NULL OR part GLOB 'outside:?*'),
  CHECK ((label IS NULL) = (label_rank IS NULL) AND (label IS NULL) = (loss IS NULL))
) STRICT, WITHOUT ROWID;
INSERT INTO prediction
SELECT run, image, part, label, predicted, confidence, label_confidence, label_rank, second, second_confidence, third,
  third_confidence, loss
FROM prediction_1 WHERE part <> 'outside';
DROP TABLE prediction_1;

CREATE TABLE outside_test (
  run INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  dataset INTEGER NOT NULL REFERENCES dataset(id) ON DELETE CASCADE,
  part TEXT NOT NULL,
  fingerprint TEXT NOT NULL,      -- of the dataset as it was judged
  weights_sha256 TEXT NOT NULL,   -- of the weights that judged it
  images INTEGER NOT NULL,        -- whose class the run knows
  unknown_images INTEGER NOT NULL,-- of other classes: judged, in no figure
  unknown_classes TEXT NOT NULL,  -- names of those, ', ' between them
  missing_classes TEXT NOT NULL,  -- the run's classes that the dataset lacks
  same_as_training INTEGER NOT NULL, -- images with the same bytes as a training image
  evaluated_at REAL NOT NULL,
  PRIMARY KEY (run, dataset)
) STRICT, WITHOUT ROWID;

CREATE INDEX image_by_sha256 ON image(sha256);

ALTER TABLE split ADD COLUMN bits INTEGER NOT NULL DEFAULT 5;

ALTER TABLE image DROP COLUMN grouping;

-- Another CHECK: SQLite takes that in a new table only.
DROP INDEX split_image_by_image;
ALTER TABLE split_image RENAME TO split_image_1;
CREATE TABLE split_image (
  split INTEGER NOT NULL REFERENCES split(id) ON DELETE CASCADE,
  image INTEGER NOT NULL REFERENCES image(id) ON DELETE CASCADE,
  part TEXT NOT NULL CHECK (part IN ('train', 'val', 'test', 'none')),
  grouping INTEGER,               -- near-duplicate group, numbered from 1 within the split
  train_distance INTEGER,         -- of val and test: bits between its hash and that of the nearest train image of its class
  PRIMARY KEY (split, image)
) STRICT, WITHOUT ROWID;
INSERT INTO split_image (split, image, part) SELECT split, image, part FROM split_image_1;
DROP TABLE split_image_1;
CREATE INDEX split_image_by_image ON split_image(image);
-- A folder of rendered images (stage synth), and each image in it. `number` is the one in its name: A17.jpg. Its bytes follow from
-- seed, class and number; `parameters` (JSON) says what is to be seen: pose, hand, lights, place, camera.
CREATE TABLE synth (
  id INTEGER PRIMARY KEY,
  root BLOB NOT NULL UNIQUE,
  seed INTEGER NOT NULL,
  size INTEGER NOT NULL,          -- side in pixels
  video INTEGER NOT NULL,         -- frames of a class in one session; 1: one of each class
  variety REAL NOT NULL,          -- 0..1: how far poses, places and cameras leave the usual
  code INTEGER NOT NULL,          -- of the renderer: with another one, the same numbers are other pictures
  created_at REAL NOT NULL
) STRICT;

CREATE TABLE synth_image (
  id INTEGER PRIMARY KEY,         -- not WITHOUT ROWID: rows of a kilobyte would take a page each
  synth INTEGER NOT NULL REFERENCES synth(id) ON DELETE CASCADE,
  class TEXT NOT NULL,
  number INTEGER NOT NULL CHECK (number >= 1),
  bytes INTEGER NOT NULL,
  sha256 TEXT NOT NULL,
  parameters TEXT NOT NULL,
  UNIQUE (synth, class, number)
) STRICT;

-- Imported weights (stage weights): the file that was read, and the safetensors file that it became.
CREATE TABLE weights (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,       -- digest of `parameters`
  parameters TEXT NOT NULL,
  source_sha256 TEXT NOT NULL, source_bytes INTEGER NOT NULL,
  source_format TEXT NOT NULL,    -- 'Keras HDF5', 'safetensors'
  naming TEXT NOT NULL,           -- 'Keras', 'Keras before 2.2.5', 'torchvision'
  preprocessing TEXT NOT NULL,    -- that belongs to them: 'caffe' is BGR minus (103.939, 116.779, 123.68), 'torch' RGB scaled
  ignored TEXT NOT NULL,          -- what else the source holds: 'fc1000'
  path TEXT NOT NULL UNIQUE,      -- below $(WORK)
  bytes INTEGER NOT NULL, sha256 TEXT NOT NULL,
  created_at REAL NOT NULL
) STRICT;

-- What a configuration's model.weights came to when stage weights last ran.
CREATE TABLE weights_choice (
  model TEXT NOT NULL,
  wanted TEXT NOT NULL,           -- the list, as args.yaml has it
  item TEXT NOT NULL,             -- the one that was there: 'imagenet', 'none', a path
  place BLOB,                     -- where the file was found
  weights INTEGER REFERENCES weights(id), -- NULL: none, a run's weights are drawn
  chosen_at REAL NOT NULL,
  PRIMARY KEY (model, wanted)
) STRICT, WITHOUT ROWID;

-- The imported weights that a run started from; no row: they were drawn.
CREATE TABLE run_weights (
  run INTEGER PRIMARY KEY REFERENCES run(id) ON DELETE CASCADE,
  weights INTEGER NOT NULL REFERENCES weights(id)
) STRICT;

CREATE TABLE look_alike (
  image INTEGER PRIMARY KEY REFERENCES image(id) ON DELETE CASCADE,
  other INTEGER NOT NULL REFERENCES image(id) ON DELETE CASCADE,
  distance INTEGER NOT NULL,      -- bits between the two
  class_distance INTEGER          -- bits between the image and the nearest other one of its class; NULL: there is none
) STRICT;
