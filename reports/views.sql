-- Views that people query and reports draw. Made anew whenever a program of another version opens the manifest.
-- Names and columns are promises: new columns go to the end. Runs, datasets and classes appear by name, never by id.
-- low and high bound the 95 % Wilson score interval (Wilson, 1927) of h hits in n:
--   (h + z^2/2 -+ z sqrt(h (n - h) / n + z^2/4)) / (n + z^2),  z = 1.959964, z^2 = 3.841459

-- An epoch of a run. images_per_second is of training alone, seconds of training and validation.
CREATE VIEW learning_curve(run, epoch, train_loss, train_accuracy, val_loss, val_accuracy, lr, seconds, images_per_second,
                           best) AS
SELECT run.name, epoch.epoch, train_loss, train_accuracy, val_loss, val_accuracy, lr, seconds, images_per_second,
       epoch.epoch IS run.best_epoch
FROM epoch JOIN run ON run.id = epoch.run
ORDER BY run.name, epoch.epoch;

-- How many images of a label were taken for what. Pairs that never happened have no row. share is of the label's images.
CREATE VIEW confusion(run, part, label, predicted, images, share, label_ordinal, predicted_ordinal) AS
SELECT run.name, pairs.part, label.name, predicted.name, pairs.images,
       1.0 * pairs.images / sum(pairs.images) OVER (PARTITION BY pairs.run, pairs.part, pairs.label),
       pairs.label, pairs.predicted
FROM (SELECT run, part, label, predicted, count(*) AS images FROM prediction WHERE label IS NOT NULL
      GROUP BY run, part, label, predicted) AS pairs
JOIN run ON run.id = pairs.run
JOIN split_class AS label ON label.split = run.split AND label.ordinal = pairs.label
JOIN split_class AS predicted ON predicted.split = run.split AND predicted.ordinal = pairs.predicted
ORDER BY run.name, pairs.part, pairs.label, pairs.predicted;

-- Precision, recall and F1 of each class, in the order of the ordinals. A class without images has no recall, one that was
-- never predicted no precision: NULL. F1 = 2 right / (images + predicted).
CREATE VIEW class_metrics(run, part, label, images, precision, recall, f1, recall_low, recall_high, precision_low,
                          precision_high, top3, predicted, right, ordinal) AS
WITH
  labelled AS (SELECT run, part, label, count(*) AS images, sum(label = predicted) AS right, sum(label_rank <= 3) AS top3
               FROM prediction WHERE label IS NOT NULL GROUP BY run, part, label),
  guessed AS (SELECT run, part, predicted AS label, count(*) AS predicted FROM prediction WHERE label IS NOT NULL
              GROUP BY run, part, predicted),
  counted AS (
    SELECT run.name AS run, parts.part, class.name AS label, class.ordinal, coalesce(labelled.images, 0) AS images,
           coalesce(guessed.predicted, 0) AS predicted, coalesce(labelled.right, 0) AS right, labelled.top3
    FROM (SELECT DISTINCT run, part FROM labelled) AS parts
    JOIN run ON run.id = parts.run
    JOIN split_class AS class ON class.split = run.split
    LEFT JOIN labelled ON labelled.run = parts.run AND labelled.part = parts.part AND labelled.label = class.ordinal
    LEFT JOIN guessed ON guessed.run = parts.run AND guessed.part = parts.part AND guessed.label = class.ordinal),
  bounded AS (
    SELECT *, (right + 1.92072941034706) / (images + 3.84145882069412) AS recall_centre,
           1.95996398454005 * sqrt(1.0 * right * (images - right) / nullif(images, 0) + 0.96036470517353)
             / (images + 3.84145882069412) AS recall_half,
           (right + 1.92072941034706) / (predicted + 3.84145882069412) AS precision_centre,
           1.95996398454005 * sqrt(1.0 * right * (predicted - right) / nullif(predicted, 0) + 0.96036470517353)
             / (predicted + 3.84145882069412) AS precision_half
    FROM counted)
SELECT run, part, label, images,
       1.0 * right / nullif(predicted, 0), 1.0 * right / nullif(images, 0), 2.0 * right / nullif(images + predicted, 0),
       max(0.0, recall_centre - recall_half), recall_centre + recall_half,
       max(0.0, precision_centre - precision_half), precision_centre + precision_half,
       1.0 * top3 / nullif(images, 0), predicted, right, ordinal
FROM bounded
ORDER BY run, part, ordinal;

-- Every image that a run's best weights take for something else, the most confident mistake first. path is below the dataset's
-- folder, as printable text; image is image.id.
CREATE VIEW misclassified(run, part, path, label, predicted, confidence, label_confidence, label_rank, second,
                          second_confidence, loss, image) AS
SELECT run.name, part, image.shown, label.name, predicted.name, confidence, label_confidence, label_rank, second.name,
       second_confidence, loss, image.id
FROM prediction
JOIN run ON run.id = prediction.run
JOIN image ON image.id = prediction.image
JOIN split_class AS label ON label.split = run.split AND label.ordinal = prediction.label
JOIN split_class AS predicted ON predicted.split = run.split AND predicted.ordinal = prediction.predicted
LEFT JOIN split_class AS second ON second.split = run.split AND second.ordinal = prediction.second
WHERE prediction.predicted <> prediction.label
ORDER BY confidence DESC, image.id;

-- The pairs that are mistaken for each other, most images first.
CREATE VIEW worst_pairs(run, part, label, predicted, images, share) AS
SELECT run, part, label, predicted, images, share
FROM confusion WHERE label_ordinal <> predicted_ordinal
ORDER BY images DESC, share DESC, label_ordinal, predicted_ordinal;

-- Executions of stages that worked on images, newest first. started_at is UTC.
CREATE VIEW throughput(stage, subject, images, seconds, images_per_second, peak_memory_mib, threads, started_at, state, why) AS
SELECT stage, subject, images, seconds, images_per_second, peak_memory / 1048576.0, threads,
       datetime(started_at, 'unixepoch'), state, why
FROM stage_log
WHERE images > 0 AND seconds > 0 AND state IN ('done', 'interrupted')
ORDER BY started_at DESC, id DESC;

-- What each run was trained and validated on: the names of its datasets in their order, ' + ' between them.
CREATE VIEW run_datasets(run, datasets) AS
SELECT run.name, (SELECT group_concat(name, ' + ') FROM (SELECT dataset.name FROM split_dataset
                  JOIN dataset ON dataset.id = split_dataset.dataset WHERE split_dataset.split = run.split
                  ORDER BY split_dataset.ordinal))
FROM run;

-- Two finished runs on the images that both judged: of a part of one split, or of an outside test. only_run counts the images that the
-- run has right and the other wrong, only_other the reverse; images that both have right, or both wrong, say nothing about which is
-- better. p is McNemar's exact test, two-sided (McNemar, Psychometrika 12, 1947): the probability of counts at least so unequal if both were
-- equally good, 2 * sum of C(n, i) / 2^n for i up to the lesser of the two, n being both together, summed by logarithms. Each pair is here
-- in both directions.
CREATE VIEW run_comparison(run, other, part, images, accuracy, other_accuracy, difference, only_run, only_other, p, model,
                           other_model) AS
WITH counted AS (
  SELECT run.name AS run, other.name AS other, mine.part, run.model, other.model AS other_model, count(*) AS images,
         sum(mine.label = mine.predicted) AS mine_right, sum(theirs.label = theirs.predicted) AS theirs_right,
         sum((mine.label = mine.predicted) > (theirs.label = theirs.predicted)) AS b,
         sum((mine.label = mine.predicted) < (theirs.label = theirs.predicted)) AS c
  FROM run
  JOIN run AS other ON other.id <> run.id
  CROSS JOIN prediction AS mine ON mine.run = run.id AND (other.split = run.split OR mine.part GLOB 'outside:?*')
  CROSS JOIN prediction AS theirs ON theirs.run = other.id AND theirs.part = mine.part AND theirs.image = mine.image
  WHERE run.state = 'done' AND other.state = 'done' AND mine.label IS NOT NULL AND theirs.label IS NOT NULL
  GROUP BY run.name, other.name, mine.part)
SELECT run, other, part, images, 1.0 * mine_right / images, 1.0 * theirs_right / images,
       1.0 * (mine_right - theirs_right) / images, b, c,
       (WITH RECURSIVE term(i, log) AS (SELECT 0, -(b + c) * ln(2.0) UNION ALL
          SELECT i + 1, log + ln(1.0 * (b + c - i) / (i + 1)) FROM term WHERE i < min(b, c))
        SELECT min(1.0, 2 * sum(exp(log))) FROM term),
       model, other_model
FROM counted
ORDER BY run, part = 'val' DESC, part, 1.0 * theirs_right / images DESC, other;

-- Finished runs, the best first. Accuracies are of the best epoch's weights; before `evaluate` only val_accuracy is known.
-- Cost: seconds are of all epochs (a frozen trunk's run over the images is in `throughput`: features), images_per_second is of training,
-- over all epochs; parameters and trained count the whole model, which has model_mib as fp32.
-- rival is the best other run on the same validation images; shared are those that both judged, only_run and only_rival the images that
-- one alone has right, p as in `run_comparison`, which has every pair and part. A p above 0.05 says that the order may be chance.
CREATE VIEW leaderboard(run, model, dataset, split, precision, epochs, val_accuracy, val_low, val_high, test_accuracy, test_low,
                        test_high, val_top3, macro_f1, seconds, images_per_second, parameters, best_epoch, seed,
                        peak_memory_mib, threads, weights_sha256, best_sha256, finished_at, trained, model_mib, rival, shared,
                        only_run, only_rival, p) AS
WITH
  judged AS (SELECT run.id, run.split, run.name, metric.value FROM run JOIN metric ON metric.run = run.id
             WHERE run.state = 'done' AND metric.part = 'val' AND metric.name = 'accuracy'),
  paired AS (
    SELECT id, (SELECT other.id FROM judged AS other WHERE other.split = judged.split AND other.id <> judged.id
                ORDER BY other.value DESC, other.name LIMIT 1) AS rival
    FROM judged),
  counted AS (
    SELECT paired.id, paired.rival, count(*) AS shared,
           sum((mine.label = mine.predicted) > (theirs.label = theirs.predicted)) AS b,
           sum((mine.label = mine.predicted) < (theirs.label = theirs.predicted)) AS c
    FROM paired
    CROSS JOIN prediction AS mine ON mine.run = paired.id AND mine.part = 'val'
    CROSS JOIN prediction AS theirs ON theirs.run = paired.rival AND theirs.part = 'val' AND theirs.image = mine.image
    GROUP BY paired.id)
SELECT run.name, run.model, run_datasets.datasets, split.method, run.precision, epochs.count,
       coalesce(val.value, run.best_val_accuracy), val.low, val.high, test.value, test.low, test.high, top3.value, f1.value,
       epochs.seconds, epochs.rate, run.parameter_count, run.best_epoch, run.seed, run.peak_memory / 1048576.0, run.threads,
       run.weights_sha256, run.best_sha256, datetime(run.finished_at, 'unixepoch'), run.trainable_count,
       run.parameter_count * 4 / 1048576.0, rival.name, counted.shared, counted.b, counted.c,
       CASE WHEN counted.shared THEN
         (WITH RECURSIVE term(i, log) AS (SELECT 0, -(counted.b + counted.c) * ln(2.0) UNION ALL
            SELECT i + 1, log + ln(1.0 * (counted.b + counted.c - i) / (i + 1)) FROM term WHERE i < min(counted.b, counted.c))
          SELECT min(1.0, 2 * sum(exp(log))) FROM term) END
FROM run
JOIN run_datasets ON run_datasets.run = run.name
JOIN split ON split.id = run.split
LEFT JOIN (SELECT run, count(*) AS count, sum(seconds) AS seconds, count(*) / sum(1.0 / images_per_second) AS rate
           FROM epoch GROUP BY run) AS epochs ON epochs.run = run.id
LEFT JOIN metric AS val ON val.run = run.id AND val.part = 'val' AND val.name = 'accuracy'
LEFT JOIN metric AS test ON test.run = run.id AND test.part = 'test' AND test.name = 'accuracy'
LEFT JOIN metric AS top3 ON top3.run = run.id AND top3.part = 'val' AND top3.name = 'top3_accuracy'
LEFT JOIN metric AS f1 ON f1.run = run.id AND f1.part = 'val' AND f1.name = 'macro_f1'
LEFT JOIN counted ON counted.id = run.id
LEFT JOIN run AS rival ON rival.id = counted.rival
WHERE run.state = 'done'
ORDER BY coalesce(val.value, run.best_val_accuracy) DESC, run.name;

-- The figures of each run on each part. The part of an outside test is 'outside:' and the dataset's name.
CREATE VIEW run_metrics(run, part, name, value, low, high, images) AS
SELECT run.name, part, metric.name, value, low, high, images FROM metric JOIN run ON run.id = metric.run
ORDER BY run.name, part, metric.name;

-- The headline figures of each run, a row for each part: its own, outside tests, and train where that was judged.
CREATE VIEW part_metrics(run, part, images, accuracy, low, high, top3, macro_f1, loss, ece) AS
SELECT run.name, part, max(images), max(value) FILTER (WHERE metric.name = 'accuracy'),
       max(low) FILTER (WHERE metric.name = 'accuracy'), max(high) FILTER (WHERE metric.name = 'accuracy'),
       max(value) FILTER (WHERE metric.name = 'top3_accuracy'), max(value) FILTER (WHERE metric.name = 'macro_f1'),
       max(value) FILTER (WHERE metric.name = 'loss'), max(value) FILTER (WHERE metric.name = 'ece')
FROM metric JOIN run ON run.id = metric.run
GROUP BY run.id, part
ORDER BY run.name, CASE part WHEN 'val' THEN 1 WHEN 'test' THEN 2 WHEN 'train' THEN 4 ELSE 3 END, part;

-- How each run does on datasets that it never trained on. images are those whose class the run knows; missing_classes are the
-- run's that the dataset lacks; same_as_training counts images with the bytes of a training image: above 0, the test says less.
-- current: these weights judged the images that the dataset has now.
CREATE VIEW outside_tests(run, dataset, images, accuracy, low, high, top3, macro_f1, unknown_images, unknown_classes,
                          missing_classes, same_as_training, part, evaluated_at, current) AS
SELECT run.name, dataset.name, outside_test.images, accuracy.value, accuracy.low, accuracy.high, top3.value, f1.value,
       unknown_images, unknown_classes, missing_classes, same_as_training, outside_test.part,
       datetime(evaluated_at, 'unixepoch'),
       outside_test.fingerprint IS dataset.fingerprint AND outside_test.weights_sha256 IS run.best_sha256
FROM outside_test
JOIN run ON run.id = outside_test.run
JOIN dataset ON dataset.id = outside_test.dataset
LEFT JOIN metric AS accuracy ON accuracy.run = run.id AND accuracy.part = outside_test.part AND accuracy.name = 'accuracy'
LEFT JOIN metric AS top3 ON top3.run = run.id AND top3.part = outside_test.part AND top3.name = 'top3_accuracy'
LEFT JOIN metric AS f1 ON f1.run = run.id AND f1.part = outside_test.part AND f1.name = 'macro_f1'
ORDER BY run.name, dataset.name;

-- Each image of each outside test: its class there (known: whether the run has it; NULL: its folder is gone since), what the run
-- takes it for, and whether its bytes are a training image's.
CREATE VIEW outside_images(run, dataset, path, class, known, predicted, confidence, label_rank, in_training, image) AS
SELECT run.name, dataset.name, image.shown, class.name, prediction.label IS NOT NULL, predicted.name, confidence, label_rank,
       EXISTS (SELECT * FROM image AS twin JOIN split_image ON split_image.image = twin.id
               WHERE twin.sha256 = image.sha256 AND split_image.split = run.split AND split_image.part = 'train'),
       image.id
FROM prediction
JOIN run ON run.id = prediction.run
JOIN image ON image.id = prediction.image
JOIN dataset ON dataset.id = image.dataset
LEFT JOIN class ON class.dataset = image.dataset AND class.ordinal = image.label
JOIN split_class AS predicted ON predicted.split = run.split AND predicted.ordinal = prediction.predicted
WHERE prediction.part GLOB 'outside:?*'
ORDER BY run.name, dataset.name, image.path;

-- What each run was made from, a row for each setting: to see how two runs differ, compare their rows.
CREATE VIEW run_settings(run, setting, value) AS
SELECT run.name, setting.key, setting.value FROM run, json_each(run.parameters) AS setting
ORDER BY run.name, setting.key;

-- Files that are no whole, plain images, and why. Those that are gone since were not refused: image.status 'missing'.
CREATE VIEW quarantine(dataset, path, status, reason) AS
SELECT dataset.name, shown, status, reason FROM image JOIN dataset ON dataset.id = image.dataset
WHERE status = 'quarantined'
ORDER BY dataset.name, shown;

-- How much of a part is known from training: images whose hash differs from that of a train image of their class in at most
-- split.bits bits. A split is named by its method and the beginning of its key; runs are those that were made on it.
CREATE VIEW leakage(split, part, images, with_train_neighbour, share, method, seed, bits, dataset, runs) AS
SELECT split.method || '-' || substr(split.key, 1, 8), parts.part, parts.images, parts.known, 1.0 * parts.known / parts.images,
       split.method, split.seed, split.bits,
       (SELECT group_concat(name, ' + ') FROM (SELECT name FROM split_dataset JOIN dataset ON dataset.id = split_dataset.dataset
                                            WHERE split_dataset.split = split.id ORDER BY ordinal)),
       (SELECT group_concat(name, ', ') FROM (SELECT name FROM run WHERE run.split = split.id ORDER BY name))
FROM (SELECT split, part, count(*) AS images, count(*) FILTER (WHERE train_distance <= split.bits) AS known
      FROM split_image JOIN split ON split.id = split_image.split
      WHERE part IN ('val', 'test') GROUP BY split, part) AS parts
JOIN split ON split.id = parts.split
ORDER BY 9, split.method, split.id, parts.part DESC;

-- A run beside others of the same model on the same images whose parts were shared out in another way: of each method the run that is
-- most like it (settings from augment to train, then epochs, seed), then the latest. What a random split's accuracy has above a grouped
-- one's is memory of near-duplicates, as far as the two runs' settings are equal: run_settings has them. The images are the same where
-- the datasets' names are and, as the splits' keys have it, their content: a folder that grew since is another. The settings are a
-- piece of the YAML text that the run has.
CREATE VIEW split_comparison(run, method, other, accuracy, low, high, images, with_train_neighbour, share) AS
WITH
  judged AS (
    SELECT run.id, run.name, run.model, run.state, run.epochs_planned, run.seed, run.finished_at, run_datasets.datasets, split.method,
           split.id AS split, split.bits, metric.value, metric.low, metric.high, metric.images,
           (SELECT group_concat(value, ' ') FROM json_each(split.parameters) WHERE key GLOB 'dataset content*') AS content,
           substr(run.config, instr(run.config, char(10) || 'augment:'),
                  instr(run.config, char(10) || 'evaluate:') - instr(run.config, char(10) || 'augment:')) AS settings
    FROM run
    JOIN run_datasets ON run_datasets.run = run.name
    JOIN split ON split.id = run.split
    JOIN metric ON metric.run = run.id AND metric.part = 'val' AND metric.name = 'accuracy'),
  ranked AS (
    SELECT judged.name AS run, other.*,
           row_number() OVER (PARTITION BY judged.id, other.method
                              ORDER BY other.id = judged.id DESC, other.settings = judged.settings DESC,
                                       other.epochs_planned = judged.epochs_planned DESC, other.seed = judged.seed DESC,
                                       other.finished_at DESC, other.id DESC) AS place
    FROM judged
    JOIN judged AS other ON other.model = judged.model AND other.datasets = judged.datasets AND other.content IS judged.content
                         AND (other.state = 'done' OR other.id = judged.id)),
  counted AS (
    SELECT *, (SELECT count(*) FROM split_image WHERE split_image.split = ranked.split AND part = 'val' AND train_distance <= bits)
                AS known
    FROM ranked WHERE place = 1)
SELECT run, method, name, value, low, high, images, known, 1.0 * known / images
FROM counted
ORDER BY run, method = 'random' DESC, method = 'grouped' DESC, method;

-- Labels that a network doubts which has not seen the image in training: confident learning (Northcutt, Jiang, Chuang, "Confident
-- learning", JAIR 2021). A class's threshold is the mean confidence in it over the images that are labelled so, in the same part of the
-- same run; an image belongs to the class it is most confident of among those that reach their threshold (of its first three). Where
-- that is not its label, it is here, the widest margin first. The parts are val and test: their images were held out.
CREATE VIEW label_issues(run, part, path, label, suggested, confidence, label_confidence, margin, threshold, image, dataset) AS
WITH
  threshold AS (SELECT run, part, label, avg(label_confidence) AS mean FROM prediction WHERE part IN ('val', 'test')
                GROUP BY run, part, label),
  belief AS (
    SELECT run, part, image, predicted AS class, confidence FROM prediction WHERE part IN ('val', 'test')
    UNION ALL
    SELECT run, part, image, second, second_confidence FROM prediction WHERE part IN ('val', 'test') AND second IS NOT NULL
    UNION ALL
    SELECT run, part, image, third, third_confidence FROM prediction WHERE part IN ('val', 'test') AND third IS NOT NULL),
  confident AS (
    SELECT belief.*, threshold.mean,
           row_number() OVER (PARTITION BY belief.run, belief.part, belief.image ORDER BY confidence DESC, class) AS place
    FROM belief
    JOIN threshold ON threshold.run = belief.run AND threshold.part = belief.part AND threshold.label = belief.class
    WHERE belief.confidence >= threshold.mean)
SELECT run.name, confident.part, image.shown, label.name, class.name, confident.confidence, prediction.label_confidence,
       confident.confidence - prediction.label_confidence, confident.mean, image.id, dataset.name
FROM confident
JOIN prediction ON prediction.run = confident.run AND prediction.part = confident.part AND prediction.image = confident.image
JOIN run ON run.id = confident.run
JOIN image ON image.id = confident.image
JOIN dataset ON dataset.id = image.dataset
JOIN split_class AS label ON label.split = run.split AND label.ordinal = prediction.label
JOIN split_class AS class ON class.split = run.split AND class.ordinal = confident.class
WHERE confident.place = 1 AND confident.class <> prediction.label
ORDER BY confident.confidence - prediction.label_confidence DESC, image.id;

-- Images that somebody should look at, and why. The limits are these: mean grey below 40 or above 215 of 255; variance of the
-- Laplacian below 10, which is a blurred hand before a plain wall or worse; a side below 48 pixels; one side more than 1.5 times the
-- other; a hash that is nearer to an image of another class, by 3 bits or more, than to any of its own (small hands
-- before one wall look alike: a hint, no proof). `other` is the image it is like, of class other_label; `place` counts those of a concern, the worst first.
CREATE VIEW audit(dataset, concern, path, label, detail, image, other, place, other_label) AS
WITH
  limits(dark, bright, blurred, tiny, elongated, nearer) AS (VALUES (40, 215, 10, 48, 1.5, 3)),
  named AS (
    SELECT image.*, dataset.name AS dataset_name, class.name AS class_name
    FROM image
    JOIN dataset ON dataset.id = image.dataset
    JOIN class ON class.dataset = image.dataset AND class.ordinal = image.label
    WHERE image.status = 'ok'),
  copies AS (
    SELECT *, first_value(class_name) OVER (PARTITION BY sha256 ORDER BY id) AS first_class, min(id) OVER bytes AS first,
           count(*) OVER bytes AS count
    FROM named WINDOW bytes AS (PARTITION BY sha256)),
  strangers AS ( -- of each copy the first one in another class: the first of all, or the first that is not in the class of that
    SELECT id, CASE WHEN class_name <> first_class THEN first
                    ELSE min(id) FILTER (WHERE class_name <> first_class) OVER (PARTITION BY sha256) END AS other
    FROM copies WHERE count > 1),
  concerns AS (
    SELECT 1 AS place, strangers.id, 'same bytes in another class' AS concern,
           format('%s: %s', dataset.name, image.shown) AS detail, other, 0.0 AS rank
    FROM strangers JOIN image ON image.id = other JOIN dataset ON dataset.id = image.dataset
    UNION ALL
    SELECT 2, look_alike.image, 'looks like another class', format('%d bits from %s', distance, image.shown), look_alike.other,
           distance - coalesce(class_distance, 64)
    FROM look_alike JOIN image ON image.id = look_alike.other, limits
    WHERE coalesce(class_distance, 64) - distance >= nearer
    UNION ALL
    SELECT 3, copies.id, 'same bytes in its class', format('%d copies', count), first, 0.0
    FROM copies JOIN strangers USING (id)
    WHERE other IS NULL AND copies.id <> first
    UNION ALL
    SELECT 4, id, 'dark', format('mean grey %.0f', brightness), NULL, brightness FROM named, limits WHERE brightness < dark
    UNION ALL
    SELECT 5, id, 'bright', format('mean grey %.0f', brightness), NULL, -brightness FROM named, limits WHERE brightness > bright
    UNION ALL
    SELECT 6, id, 'blurred', format('sharpness %.1f', sharpness), NULL, sharpness FROM named, limits WHERE sharpness < blurred
    UNION ALL
    SELECT 7, id, 'tiny', format('%d x %d', width, height), NULL, min(width, height) FROM named, limits
    WHERE min(width, height) < tiny
    UNION ALL
    SELECT 8, id, 'odd shape', format('%d x %d', width, height), NULL, -1.0 * max(width, height) / min(width, height)
    FROM named, limits WHERE max(width, height) > elongated * min(width, height))
SELECT named.dataset_name, concern, named.shown, named.class_name, concerns.detail, named.id, concerns.other,
       row_number() OVER (PARTITION BY named.dataset_name, concern ORDER BY concerns.rank, named.id), class.name
FROM concerns
JOIN named ON named.id = concerns.id
LEFT JOIN image AS twin ON twin.id = concerns.other
LEFT JOIN class ON class.dataset = twin.dataset AND class.ordinal = twin.label
ORDER BY named.dataset_name, concerns.place, concerns.rank, named.id;

-- The near-duplicate groups of each split, the largest first. A group is within one class (NULL: its folder is gone since), and may be
-- of several datasets, in their order with ' + ' between them. first and last are the frame numbers of a group of one dataset: those of
-- two count apart.
CREATE VIEW near_duplicate_groups(split, grouping, label, images, first, last, train, val, test, none, dataset) AS
WITH
  shares AS (
    SELECT split_image.split, split_image.grouping, split_dataset.ordinal, dataset.name, max(class.name) AS label,
           count(*) AS images, min(frame) AS first, max(frame) AS last, count(*) FILTER (WHERE part = 'train') AS train,
           count(*) FILTER (WHERE part = 'val') AS val, count(*) FILTER (WHERE part = 'test') AS test,
           count(*) FILTER (WHERE part = 'none') AS none
    FROM split_image
    JOIN image ON image.id = split_image.image
    JOIN dataset ON dataset.id = image.dataset
    JOIN split_dataset ON split_dataset.split = split_image.split AND split_dataset.dataset = dataset.id
    LEFT JOIN class ON class.dataset = image.dataset AND class.ordinal = image.label
    WHERE split_image.grouping IS NOT NULL
    GROUP BY split_image.split, split_image.grouping, split_dataset.ordinal
    ORDER BY split_image.split, split_image.grouping, split_dataset.ordinal)
SELECT split.method || '-' || substr(split.key, 1, 8), shares.grouping, max(label), sum(images),
       iif(count(*) = 1, min(first), NULL), iif(count(*) = 1, max(last), NULL), sum(shares.train), sum(shares.val), sum(shares.test),
       sum(none), group_concat(shares.name, ' + ')
FROM shares
JOIN split ON split.id = shares.split
GROUP BY split.id, shares.grouping
ORDER BY split.id, sum(images) DESC, shares.grouping;

-- The rows that a run trains on; parameters are those of a materialised augmentation. label is NULL where the class folder is gone
-- since.
CREATE VIEW training_images(run, path, label, variant, parameters, image, tensor_set, tensor_row, dataset) AS
SELECT run.name, image.shown, class.name, tensor_row.variant, tensor_row.parameters, image.id, tensor_row.tensor_set,
       tensor_row.row, dataset.name
FROM run
JOIN split_image ON split_image.split = run.split AND split_image.part = 'train'
JOIN image ON image.id = split_image.image
JOIN dataset ON dataset.id = image.dataset
LEFT JOIN class ON class.dataset = image.dataset AND class.ordinal = image.label
JOIN run_tensor_set ON run_tensor_set.run = run.id
JOIN tensor_row ON tensor_row.tensor_set = run_tensor_set.tensor_set AND tensor_row.image = split_image.image;

-- A run in a column of items and values: the first page of its report. What it says of a dataset is of the run's split, which has all
-- images that were ok then; what was quarantined then nobody knows where the dataset has changed since. In a union a dataset has the
-- classes of its images, less those whose folder is gone since.
CREATE VIEW run_summary(run, item, value, place) AS
WITH total AS (SELECT run, count(*) AS epochs, sum(seconds) AS seconds, count(*) / sum(1.0 / images_per_second) AS rate
               FROM epoch GROUP BY run)
SELECT name, 'model', format('%s, %,d parameters (%,d trained)', model, parameter_count, trainable_count), 1 FROM run
UNION ALL
SELECT run.name, 'dataset', format('%s: %,d images in %d classes, ', dataset.name,
       (SELECT count(*) FROM split_image JOIN image ON image.id = split_image.image
        WHERE split_image.split = split.id AND image.dataset = dataset.id),
       CASE (SELECT count(*) FROM split_dataset WHERE split_dataset.split = split.id)
         WHEN 1 THEN (SELECT count(*) FROM split_class WHERE split_class.split = split.id)
         ELSE (SELECT count(DISTINCT image.label) FROM split_image JOIN image ON image.id = split_image.image
               WHERE split_image.split = split.id AND image.dataset = dataset.id) END)
       || iif(instr(split.parameters, dataset.fingerprint) > 0, format('%,d quarantined', dataset.quarantined), 'changed since'),
       2 + 0.01 * split_dataset.ordinal
FROM run
JOIN split ON split.id = run.split
JOIN split_dataset ON split_dataset.split = split.id
JOIN dataset ON dataset.id = split_dataset.dataset
UNION ALL
SELECT run.name, 'split', format('%s, seed %d: %,d train, %,d val, %,d test', method, split.seed, train, val, test)
       || coalesce((SELECT format(', %,d left out', count(*)) FROM split_image WHERE split_image.split = split.id AND part = 'none'
                    HAVING count(*) > 0), ''), 3
FROM run JOIN split ON split.id = run.split
UNION ALL
SELECT run.name, 'input', format('%d x %d, %s', height, width, kind), 4
FROM run JOIN tensor_set ON tensor_set.id = run.tensor_set
UNION ALL
SELECT name, 'state', state || coalesce(', stopped by ' || stopped, ''), 5 FROM run
UNION ALL
SELECT name, 'epochs', format('%d of %d, best %s', coalesce(epochs, 0), epochs_planned, coalesce(best_epoch, 'unknown')), 6
FROM run LEFT JOIN total ON total.run = run.id
UNION ALL
SELECT name, 'training', format('%.1f s, %,d images/s', seconds, CAST(round(rate) AS INTEGER)), 7 FROM run JOIN total ON total.run = run.id
UNION ALL
SELECT name, 'precision', format('%s on %d threads, %s', precision, threads, isa), 8 FROM run
UNION ALL
SELECT name, 'peak memory', format('%,d MiB', peak_memory >> 20), 9 FROM run WHERE peak_memory IS NOT NULL
UNION ALL
SELECT name, 'host', host, 10 FROM run
UNION ALL
SELECT name, 'seed', format('%d', seed), 11 FROM run
UNION ALL
SELECT name, 'started', datetime(started_at, 'unixepoch') || ' UTC', 12 FROM run
UNION ALL
SELECT name, 'best weights', best_sha256, 13 FROM run WHERE best_sha256 IS NOT NULL
UNION ALL
SELECT name, 'last weights', weights_sha256, 14 FROM run WHERE weights_sha256 IS NOT NULL
UNION ALL
SELECT name, 'run key', key, 15 FROM run
ORDER BY 1, 4;

-- Of each figure that `make bench` measures, the latest.
CREATE VIEW benchmarks(task, precision, threads, batch, value, unit, peer, peer_value, ratio, host, measured_at) AS
SELECT task, precision, threads, batch, value, unit, peer, peer_value, ratio, host, datetime(measured_at, 'unixepoch')
FROM benchmark WHERE id IN (SELECT max(id) FROM benchmark GROUP BY task, precision, threads, batch, unit)
ORDER BY id;

-- The layers of seed-cnn on one thread: microseconds an image, arithmetic, and the share of the roof that was reached.
CREATE VIEW benchmark_layers(step, fp32_us, fp32_gflops, fp32_of_roof, bf16_us, bf16_gflops, bf16_of_roof) AS
SELECT replace(task, 'layer ', ''),
       max(value) FILTER (WHERE precision = 'fp32' AND unit = 'us/image'),
       max(value) FILTER (WHERE precision = 'fp32' AND unit = 'GFLOP/s'),
       max(1 / ratio) FILTER (WHERE precision = 'fp32' AND unit = 'us/image'),
       max(value) FILTER (WHERE precision = 'bf16' AND unit = 'us/image'),
       max(value) FILTER (WHERE precision = 'bf16' AND unit = 'GFLOP/s'),
       max(1 / ratio) FILTER (WHERE precision = 'bf16' AND unit = 'us/image')
FROM benchmarks WHERE task LIKE 'layer%' GROUP BY task ORDER BY 2 DESC;

-- What was drawn in each rendered image of a dataset: parameters is JSON, for json_extract(parameters, '$.pose.index_pip').
CREATE VIEW renders(dataset, path, label, number, seed, parameters, image) AS
SELECT dataset.name, image.shown, class.name, synth_image.number, synth.seed, synth_image.parameters, image.id
FROM synth
JOIN dataset ON dataset.root = synth.root
JOIN class ON class.dataset = dataset.id
JOIN synth_image ON synth_image.synth = synth.id AND synth_image.class = class.name
JOIN image ON image.dataset = dataset.id AND image.label = class.ordinal AND image.frame = synth_image.number
ORDER BY dataset.name, class.ordinal, synth_image.number;
