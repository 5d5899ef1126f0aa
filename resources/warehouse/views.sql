-- What users ask of the tables. Replaced by the merge whenever this file changes.

-- The captions of each clip by all captioners and recipes side by side; `source` is what the list brought along.
CREATE OR REPLACE VIEW caption_comparison AS
WITH spoken AS (
    SELECT id, list({
        'captioner': annotator, 'fingerprint': fingerprint, 'model': model, 'is_current': is_current,
        'status': status, 'caption': value, 'error_kind': error_kind, 'error': error,
        'finish_reason': finish_reason, 'created_at': created_at
    } ORDER BY is_current DESC, annotator, created_at DESC, fingerprint) AS captions
    FROM annotations
    LEFT JOIN (SELECT fingerprint, any_value(recipe ->> '$.model') AS model FROM recipes GROUP BY fingerprint)
        USING (fingerprint)
    WHERE annotator IN (SELECT name FROM annotators WHERE role = 'caption')
    GROUP BY id
)
SELECT clip.id, clip.path, clip.shard, clip.source_text AS source,
       {captions}clip.text_source, coalesce(spoken.captions, []) AS captions
FROM captioned_videos AS clip
LEFT JOIN spoken USING (id);

-- What failed and why, with the command that tries it again. Kinds of which the answer would be the same need
-- `--failed`; the others are left to do and any run takes them up.
CREATE OR REPLACE VIEW failures AS
SELECT annotator, error_kind, count(*) AS clips,
       list(DISTINCT shard ORDER BY shard) AS shards,
       arg_min(id, id) AS example_id, arg_min(error, id) AS example,
       'vidcap retry --failed --kind ' || error_kind || ' --annotator ' || annotator AS command
FROM annotations
WHERE is_current AND status = 'failed'
GROUP BY annotator, error_kind
UNION ALL
SELECT 'raw_meta', split_part(probe_error, ':', 1), count(*), list(DISTINCT shard ORDER BY shard),
       arg_min(id, id), arg_min(probe_error, id), 'vidcap retry --failed --annotator raw_meta'
FROM captioned_videos
WHERE probe_error IS NOT NULL
GROUP BY ALL
ORDER BY clips DESC, annotator, error_kind;

-- What the answers cost, by annotator and recipe; old recipes are in it, because they were paid for too.
CREATE OR REPLACE VIEW costs AS
SELECT annotator, fingerprint, any_value(model) AS model, bool_or(is_current) AS is_current,
       count(*) FILTER (status <> 'skipped') AS clips,
       sum(tokens_in) AS tokens_in, sum(tokens_out) AS tokens_out, sum(cost_usd) AS cost_usd,
       sum(cost_usd) / nullif(count(*) FILTER (status = 'ok'), 0) AS cost_usd_per_caption,
       sum(seconds) AS model_seconds
FROM annotations
LEFT JOIN (SELECT fingerprint, any_value(recipe ->> '$.model') AS model FROM recipes GROUP BY fingerprint)
    USING (fingerprint)
GROUP BY annotator, fingerprint
ORDER BY annotator, is_current DESC, fingerprint;

-- How fast each run annotated; `wall_seconds` is from its first answer to its last, so that less than a second,
-- which is one batch, tells nothing.
CREATE OR REPLACE VIEW throughput AS
SELECT annotator, fingerprint, run_id, count(*) AS clips, count(*) FILTER (status = 'failed') AS failed,
       min(created_at) AS started_at, max(created_at) AS ended_at,
       epoch(max(created_at) - min(created_at)) AS wall_seconds,
       CASE WHEN wall_seconds >= 1 THEN count(*) / wall_seconds END AS clips_per_second,
       sum(seconds) AS model_seconds,
       count(seconds) / nullif(sum(seconds), 0) AS clips_per_model_second,
       sum(tokens_out) FILTER (seconds > 0) / nullif(sum(seconds), 0) AS tokens_per_model_second
FROM annotations
WHERE status <> 'skipped'
GROUP BY annotator, fingerprint, run_id
ORDER BY started_at DESC, annotator;

-- How far each shard is, annotator by annotator; `missing` clips have not been looked at yet.
CREATE OR REPLACE VIEW coverage AS
WITH clips AS (SELECT shard, count(*) AS clips FROM captioned_videos GROUP BY shard),
done AS (
    SELECT shard, annotator,
           count(*) FILTER (status = 'ok') AS ok, count(*) FILTER (status = 'failed') AS failed,
           count(*) FILTER (status = 'skipped') AS skipped
    FROM annotations WHERE is_current GROUP BY shard, annotator
)
SELECT shard, annotator, clips, coalesce(ok, 0) AS ok, coalesce(failed, 0) AS failed,
       coalesce(skipped, 0) AS skipped,
       clips - coalesce(ok, 0) - coalesce(failed, 0) - coalesce(skipped, 0) AS missing
FROM clips CROSS JOIN (SELECT name AS annotator FROM annotators) LEFT JOIN done USING (shard, annotator)
ORDER BY shard, annotator;
