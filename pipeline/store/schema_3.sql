-- A manifest of schema 2 to schema 3. What is added to schema.sql is added here too: a test compares the two.

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
