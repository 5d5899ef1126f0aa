-- The rows of a training set, in the order of their ids, without near-duplicates that were found among them;
-- `row_hash` is what the content hash is made of.
WITH chosen AS (
    SELECT {columns}, id, text_source, text_language
    FROM listed_videos
    WHERE probe_error IS NULL
      AND text <> ''
      AND (CAST($fmin AS BIGINT) IS NULL OR num_frames >= $fmin)
      AND (CAST($fmax AS BIGINT) IS NULL OR num_frames <= $fmax)
      AND (CAST($min_resolution AS BIGINT) IS NULL OR resolution >= $min_resolution)
      AND (CAST($max_resolution AS BIGINT) IS NULL OR resolution <= $max_resolution)
      AND (CAST($min_aspect_ratio AS DOUBLE) IS NULL OR aspect_ratio >= $min_aspect_ratio)
      AND (CAST($max_aspect_ratio AS DOUBLE) IS NULL OR aspect_ratio <= $max_aspect_ratio)
      AND (CAST($min_duration_s AS DOUBLE) IS NULL OR duration_s >= $min_duration_s)
      AND (CAST($max_duration_s AS DOUBLE) IS NULL OR duration_s <= $max_duration_s)
      AND (CAST($min_text_len AS BIGINT) IS NULL OR text_len >= $min_text_len)
      AND (CAST($max_text_len AS BIGINT) IS NULL OR text_len <= $max_text_len)
      AND (len(CAST($kinds AS VARCHAR[])) = 0 OR list_contains($kinds, kind))
      AND (len(CAST($captioners AS VARCHAR[])) = 0 OR list_contains($captioners, text_source))
      AND (len(CAST($languages AS VARCHAR[])) = 0 OR text_language IS NULL
           OR list_contains($languages, text_language))
      AND (len(CAST($camera_motion AS VARCHAR[])) = 0
           OR list_has_any(list_concat({labels}[]), $camera_motion))
      AND (len(CAST($required AS VARCHAR[])) = 0 OR id IN (
              SELECT id FROM annotations WHERE is_current AND status = 'ok' AND list_contains($required, annotator)
              GROUP BY id HAVING count(DISTINCT annotator) = len($required)))
      AND (NOT CAST($drop_duplicates AS BOOLEAN) OR duplicate_of IS NULL)
      AND ({where})
)
SELECT *, sha256(CAST(to_json(
    struct_pack({columns})
) AS VARCHAR)) AS row_hash
FROM chosen
WHERE id NOT IN (SELECT id FROM doubles)
ORDER BY id, path;
