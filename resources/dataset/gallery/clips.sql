-- The clips of the gallery with everything that was said of them. Where there are more than $max_clips, those
-- with the smallest hash of their id: spread over the collection, and the same ones every time.
WITH shown AS (
    SELECT * FROM listed_videos
    QUALIFY $max_clips = 0 OR row_number() OVER (ORDER BY md5(id), id) <= $max_clips
),
said AS (
    SELECT id, list({
        'annotator': annotator, 'fingerprint': fingerprint, 'is_current': is_current, 'value': value,
        'status': status, 'error_kind': error_kind, 'error': error, 'finish_reason': finish_reason,
        'tokens_out': tokens_out, 'seconds': seconds, 'cost_usd': cost_usd, 'attempt': attempt,
        'run_id': run_id, 'created_at': strftime(created_at, '%Y-%m-%d %H:%M:%S')
    } ORDER BY is_current DESC, annotator, created_at DESC, fingerprint) AS answers
    FROM annotations
    WHERE id IN (SELECT id FROM shown)
    GROUP BY id
)
SELECT shown.id, path, shard, kind, num_frames, height, width, fps, duration_s, codec, content_id, start_s,
       end_s, {columns}text_source, source_text, probe_error, duplicate_of, coalesce(answers, []) AS answers
FROM shown LEFT JOIN said USING (id)
ORDER BY shard, path, shown.id;
