-- The manifest: the only channel between the stages, and the place where every question about a dataset or a run is
-- answered. Names are plain words, because people query them. Views are in reports/views.sql.
-- Times are Unix seconds (REAL); digests are SHA-256 in hexadecimal; folders are absolute, files below $(WORK) relative to it.
-- `parameters`, `arguments` and `versions` are JSON. No CHECK (json_valid()) here, nor json_extract() in a view that our programs
-- read: SQLite 3.40 counts JSON functions as unsafe in a schema once trusted_schema is off, as it is in every connection of ours.

-- Facts about the manifest itself: 'views' is the SHA-256 of the text that its views were made from.
CREATE TABLE meta (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- A folder of class folders that was scanned. `fingerprint` covers the names, bytes and status of all its images.
CREATE TABLE dataset (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  root BLOB NOT NULL UNIQUE,
  fingerprint TEXT,
  images INTEGER NOT NULL DEFAULT 0,
  quarantined INTEGER NOT NULL DEFAULT 0,
  scanned_at REAL
) STRICT;

-- A label of a dataset. `ordinal` is the place of the name among the dataset's, sorted by bytes: image.label. A network's outputs
-- are a split's classes (split_class): the same name may have another ordinal there.
CREATE TABLE class (
  dataset INTEGER NOT NULL REFERENCES dataset(id) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
  name TEXT NOT NULL,
  PRIMARY KEY (dataset, ordinal),
  UNIQUE (dataset, name)
) STRICT, WITHOUT ROWID;

-- A source file. `path` is below the dataset's root, byte for byte as the file system has it; `shown` is the same as
-- printable text. A file that is not a whole, plain image has a status other than 'ok', a reason, and no part in anything.
CREATE TABLE image (
  id INTEGER PRIMARY KEY,
  dataset INTEGER NOT NULL REFERENCES dataset(id) ON DELETE CASCADE,
  label INTEGER,                  -- class.ordinal; NULL: missing, as its whole class folder is
  path BLOB NOT NULL,
  shown TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('ok', 'quarantined', 'missing')),
  reason TEXT,                    -- machine word and text, such as 'truncated: Premature end of JPEG file'
  format TEXT,                    -- 'jpeg', 'png'
  width INTEGER, height INTEGER,
  bytes INTEGER NOT NULL,
  sha256 TEXT,
  dhash INTEGER,                  -- 64-bit difference hash of the grey image
  brightness REAL, sharpness REAL,-- mean grey 0..255; variance of the Laplacian
  frame INTEGER,                  -- the number at the end of the name: A17.jpg -> 17
  mtime_ns INTEGER NOT NULL, inode INTEGER NOT NULL,
  UNIQUE (dataset, path),
  CHECK (status <> 'ok' OR (label IS NOT NULL AND sha256 IS NOT NULL AND width > 0 AND height > 0)),
  CHECK (status = 'ok' OR reason IS NOT NULL)
) STRICT;
CREATE INDEX image_by_class ON image(dataset, label, frame);
CREATE INDEX image_by_sha256 ON image(sha256);

-- An image whose hash is within 3 bits of that of an image of another class in its dataset, and the nearest of those. Made by ingest.
CREATE TABLE look_alike (
  image INTEGER PRIMARY KEY REFERENCES image(id) ON DELETE CASCADE,
  other INTEGER NOT NULL REFERENCES image(id) ON DELETE CASCADE,
  distance INTEGER NOT NULL,      -- bits between the two
  class_distance INTEGER          -- bits between the image and the nearest other one of its class; NULL: there is none
) STRICT;

CREATE TABLE split (
  id INTEGER PRIMARY KEY,
  dataset INTEGER NOT NULL REFERENCES dataset(id) ON DELETE CASCADE, -- the first of split_dataset
  key TEXT NOT NULL UNIQUE,       -- digest of `parameters`
  parameters TEXT NOT NULL,
  method TEXT NOT NULL,           -- 'random', 'grouped', 'blocks', 'folder'
  seed INTEGER NOT NULL,
  train INTEGER NOT NULL, val INTEGER NOT NULL, test INTEGER NOT NULL, -- images in each part
  created_at REAL NOT NULL,
  bits INTEGER NOT NULL DEFAULT 5 -- images of a class whose hashes differ in at most so many are neighbours
) STRICT;

-- The datasets that a split shares out, in the order in which the configuration names them.
CREATE TABLE split_dataset (
  split INTEGER NOT NULL REFERENCES split(id) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
  dataset INTEGER NOT NULL REFERENCES dataset(id) ON DELETE CASCADE,
  PRIMARY KEY (split, ordinal),
  UNIQUE (split, dataset)
) STRICT, WITHOUT ROWID;

-- The classes of a split and of the runs on it: the names of all its datasets' classes, sorted by bytes. `ordinal` is the
-- network's output index, and what `prediction` means by a label.
CREATE TABLE split_class (
  split INTEGER NOT NULL REFERENCES split(id) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
  name TEXT NOT NULL,
  PRIMARY KEY (split, ordinal),
  UNIQUE (split, name)
) STRICT, WITHOUT ROWID;

-- Each image that could be used. In part 'none' are those that would let one part know another: neighbours across parts
-- (grouped), frames of a gap (blocks).
CREATE TABLE split_image (
  split INTEGER NOT NULL REFERENCES split(id) ON DELETE CASCADE,
  image INTEGER NOT NULL REFERENCES image(id) ON DELETE CASCADE,
  part TEXT NOT NULL CHECK (part IN ('train', 'val', 'test', 'none')),
  grouping INTEGER,               -- near-duplicate group, numbered from 1 within the split
  train_distance INTEGER,         -- of val and test: bits between its hash and that of the nearest train image of its class
  PRIMARY KEY (split, image)
) STRICT, WITHOUT ROWID;
CREATE INDEX split_image_by_image ON split_image(image);

-- Published tensor files [rows, height, width, channels]. `split` is set where rows exist for one part only (augmented); such a
-- set has rows of all the split's datasets, and `dataset` is the first of them.
CREATE TABLE tensor_set (
  id INTEGER PRIMARY KEY,
  kind TEXT NOT NULL CHECK (kind IN ('resized', 'augmented', 'features')),
  dataset INTEGER NOT NULL REFERENCES dataset(id) ON DELETE CASCADE,
  split INTEGER REFERENCES split(id) ON DELETE CASCADE,
  key TEXT NOT NULL UNIQUE,       -- digest of `parameters`
  parameters TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed')),
  height INTEGER NOT NULL, width INTEGER NOT NULL, channels INTEGER NOT NULL,
  dtype TEXT NOT NULL CHECK (dtype IN ('U8', 'BF16', 'F32')),
  rows INTEGER NOT NULL DEFAULT 0,
  created_at REAL NOT NULL
) STRICT;

CREATE TABLE tensor_file (
  tensor_set INTEGER NOT NULL REFERENCES tensor_set(id) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL,
  path TEXT NOT NULL UNIQUE,      -- below $(WORK); its name is generated
  first_row INTEGER NOT NULL, rows INTEGER NOT NULL,
  bytes INTEGER NOT NULL, sha256 TEXT NOT NULL,
  PRIMARY KEY (tensor_set, ordinal)
) STRICT, WITHOUT ROWID;

CREATE TABLE tensor_row (
  tensor_set INTEGER NOT NULL REFERENCES tensor_set(id) ON DELETE CASCADE,
  row INTEGER NOT NULL,           -- over the whole set; its file is the one with first_row <= row < first_row + rows
  image INTEGER NOT NULL REFERENCES image(id) ON DELETE CASCADE,
  variant INTEGER NOT NULL DEFAULT 0, -- 0: the image itself; 1..copies: augmented
  parameters TEXT, -- what the augmentation did
  PRIMARY KEY (tensor_set, row),
  UNIQUE (tensor_set, image, variant)
) STRICT, WITHOUT ROWID;

CREATE TABLE run (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,      -- its folder is $(WORK)/runs/NAME
  key TEXT NOT NULL UNIQUE,       -- digest of `parameters`
  parameters TEXT NOT NULL,
  config TEXT NOT NULL,           -- the merged YAML, as in args.yaml
  state TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed', 'interrupted')),
  model TEXT NOT NULL,
  dataset INTEGER NOT NULL REFERENCES dataset(id) ON DELETE CASCADE, -- the first of split_dataset
  split INTEGER NOT NULL REFERENCES split(id) ON DELETE CASCADE,
  tensor_set INTEGER NOT NULL REFERENCES tensor_set(id) ON DELETE CASCADE, -- the first of run_tensor_set
  seed INTEGER NOT NULL,
  precision TEXT NOT NULL CHECK (precision IN ('fp32', 'bf16')),
  threads INTEGER NOT NULL,
  isa TEXT NOT NULL,              -- what the kernels used: 'avx512_core_bf16', 'avx2', ...
  host TEXT NOT NULL,             -- CPU model, cores, kernel
  versions TEXT NOT NULL,
  parameter_count INTEGER NOT NULL, trainable_count INTEGER NOT NULL,
  epochs_planned INTEGER NOT NULL,
  best_epoch INTEGER, best_val_accuracy REAL,
  weights_sha256 TEXT,            -- of last.safetensors' weights, in the order of the layers
  best_sha256 TEXT,
  peak_memory INTEGER,            -- bytes of resident memory
  stopped TEXT,                   -- 'epochs', 'early stopping'
  started_at REAL NOT NULL, finished_at REAL
) STRICT;

-- The sets that a run's training images come from: a resized one for each dataset, or one of augmented copies.
CREATE TABLE run_tensor_set (
  run INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  ordinal INTEGER NOT NULL CHECK (ordinal >= 0),
  tensor_set INTEGER NOT NULL REFERENCES tensor_set(id) ON DELETE CASCADE,
  PRIMARY KEY (run, ordinal),
  UNIQUE (run, tensor_set)
) STRICT, WITHOUT ROWID;

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

-- How large the numbers in a frozen part's maps become, observed over training images, for features that are computed on bytes.
CREATE TABLE calibration (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,       -- digest of `parameters`
  parameters TEXT NOT NULL,
  images INTEGER NOT NULL,        -- that were observed
  judged INTEGER NOT NULL,        -- others, whose features were computed both ways
  cosine_mean REAL NOT NULL,      -- between those on bytes and those in fp32
  cosine_least REAL NOT NULL,
  made_at REAL NOT NULL
) STRICT;

CREATE TABLE calibration_range (
  calibration INTEGER NOT NULL REFERENCES calibration(id) ON DELETE CASCADE,
  layer TEXT NOT NULL,            -- that writes the map
  range REAL NOT NULL CHECK (range > 0), -- the magnitude that the largest byte stands for
  PRIMARY KEY (calibration, layer)
) STRICT, WITHOUT ROWID;

CREATE TABLE epoch (
  run INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  epoch INTEGER NOT NULL CHECK (epoch >= 1),
  train_loss REAL NOT NULL, train_accuracy REAL NOT NULL,
  val_loss REAL, val_accuracy REAL,
  lr REAL NOT NULL,
  seconds REAL NOT NULL,          -- training and validation
  images_per_second REAL NOT NULL,-- training alone
  PRIMARY KEY (run, epoch)
) STRICT, WITHOUT ROWID;

-- What the run's best weights say of one image of a part. The part of an outside test is 'outside:' and the dataset's name. An
-- image there whose class the run does not know has no label, and no figure counts it.
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

-- A figure of a run on a part: accuracy, top3_accuracy, macro_f1, ...; low and high bound its 95 % Wilson interval where
-- it is a proportion.
CREATE TABLE metric (
  run INTEGER NOT NULL REFERENCES run(id) ON DELETE CASCADE,
  part TEXT NOT NULL,
  name TEXT NOT NULL,
  value REAL NOT NULL,
  low REAL, high REAL,
  images INTEGER NOT NULL,
  PRIMARY KEY (run, part, name)
) STRICT, WITHOUT ROWID;

-- An outside test: a dataset that the run never trained on, judged by its best weights. Its figures are in `metric`, its images in
-- `prediction`, under the part 'outside:' and the dataset's name.
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

-- One execution of a stage.
CREATE TABLE stage_log (
  id INTEGER PRIMARY KEY,
  stage TEXT NOT NULL,
  arguments TEXT NOT NULL,
  subject TEXT,                   -- what it worked on: the dataset's or the run's name
  key TEXT, parameters TEXT,
  why TEXT,                       -- 'nothing like it was done yet', 'train.epochs changed from 10 to 12', 'up to date'
  state TEXT NOT NULL CHECK (state IN ('running', 'done', 'failed', 'interrupted')),
  images INTEGER NOT NULL DEFAULT 0, -- that this execution worked on; 0: nothing to do
  seconds REAL, images_per_second REAL, peak_memory INTEGER,
  threads INTEGER NOT NULL, version TEXT NOT NULL,
  message TEXT,                   -- of a failure
  pid INTEGER NOT NULL,
  started_at REAL NOT NULL, finished_at REAL
) STRICT;

-- A measured figure with the peer's beside it (make bench).
CREATE TABLE benchmark (
  id INTEGER PRIMARY KEY,
  task TEXT NOT NULL, precision TEXT, threads INTEGER NOT NULL, batch INTEGER,
  value REAL NOT NULL, unit TEXT NOT NULL,
  peer TEXT, peer_value REAL, ratio REAL,
  host TEXT NOT NULL, measured_at REAL NOT NULL
) STRICT;

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
