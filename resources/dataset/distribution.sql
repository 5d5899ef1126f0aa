-- name: tags
SELECT tag, count(*) AS clips
FROM (SELECT DISTINCT id, unnest({tags}) AS tag
      FROM captioned_videos)
GROUP BY tag;

-- name: tag_counts
WITH tagged AS (
    SELECT DISTINCT c.id, c.text_source, folded.name AS value
    FROM (SELECT id, text_source, unnest({tags}) AS tag
          FROM captioned_videos) AS c
    JOIN folded ON folded.tag = c.tag
),
base AS (
    SELECT text_source, count(*) AS total FROM captioned_videos
    WHERE {status} = 'ok'
    GROUP BY ALL
)
SELECT 'all' AS captioner, value, count(*) AS clips, (SELECT sum(total) FROM base) AS total
FROM tagged GROUP BY value
UNION ALL
SELECT text_source, value, count(*), any_value(total)
FROM tagged LEFT JOIN base USING (text_source)
WHERE text_source IS NOT NULL
GROUP BY text_source, value
ORDER BY captioner, clips DESC, value;

-- name: labels
WITH labelled AS (
    {labels}SELECT 'kind' AS facet, text_source, kind AS value FROM captioned_videos
    UNION ALL
    SELECT 'codec', text_source, codec FROM captioned_videos WHERE codec IS NOT NULL
)
SELECT facet, coalesce(text_source, 'all') AS captioner, value, count(*) AS clips,
       sum(count(*)) OVER (PARTITION BY facet, grouping(text_source), text_source) AS total
FROM labelled
GROUP BY GROUPING SETS ((facet, value), (facet, text_source, value))
HAVING grouping(text_source) = 1 OR text_source IS NOT NULL
ORDER BY facet, captioner, clips DESC, value;

-- name: bins
WITH measured AS (
    UNPIVOT (
        SELECT coalesce(text_source, '') AS source, text_len, num_frames, resolution, duration_s, aspect_ratio
        FROM (SELECT text_source, CAST(text_len AS DOUBLE) AS text_len, CAST(num_frames AS DOUBLE) AS num_frames,
                     CAST(resolution AS DOUBLE) AS resolution, duration_s, aspect_ratio
              FROM captioned_videos)
    ) ON text_len, num_frames, resolution, duration_s, aspect_ratio INTO NAME facet VALUE number
),
written AS (
    SELECT annotator AS captioner, value AS text FROM annotations
    WHERE is_current AND status = 'ok' AND annotator IN (SELECT name FROM annotators WHERE role = 'caption')
    UNION ALL
    SELECT 'source', source_text FROM captioned_videos WHERE source_text IS NOT NULL
),
numbers AS (
    SELECT facet, 'all' AS captioner, number FROM measured
    UNION ALL
    SELECT facet, source, number FROM measured WHERE source <> '' AND facet <> 'text_len'
    UNION ALL
    SELECT 'text_len', captioner, len(string_split_regex(trim(text), '\s+')) FROM written
)
SELECT facet, captioner, label AS value, position, count(*) AS clips,
       sum(count(*)) OVER (PARTITION BY facet, captioner) AS total
FROM numbers JOIN bins USING (facet)
WHERE number >= low AND (high IS NULL OR number < high)
GROUP BY facet, captioner, label, position
ORDER BY facet, captioner, position;
