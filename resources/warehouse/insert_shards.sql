-- `meta` and `fresh` hold the raw metadata and the annotations of the shards to add. $order: captioners, the
-- preferred one first · $strip, $camera: whether to change their captions (text_rule.sql) before they become `text` ·
-- $declared: the annotators of the collection; answers of others are kept, but are not current.
INSERT INTO annotations BY NAME
SELECT * EXCLUDE (current), current AND list_contains($declared, annotator) AS is_current FROM fresh;

INSERT INTO captioned_videos BY NAME
WITH latest AS (
    SELECT
        shard, id,
        {answers}arg_min({'text': value, 'source': annotator}, list_position($order, annotator))
            FILTER (status = 'ok' AND list_contains($order, annotator)) AS chosen
    FROM fresh
    WHERE current AND list_contains($declared, annotator)
    GROUP BY shard, id
),
worded AS (
    SELECT
        meta.* EXCLUDE (text, is_vfr, rotation, bit_depth, has_audio, file_size),
        latest.* EXCLUDE (shard, id, chosen),
        meta.text AS source_text,
        coalesce(
            CASE WHEN $strip THEN without_prefix(chosen.text) ELSE chosen.text END
            || CASE WHEN $camera THEN camera_sentence({camera}) ELSE '' END,
            meta.text
        ) AS text,
        CASE WHEN chosen.text IS NOT NULL THEN chosen.source
             WHEN meta.text IS NOT NULL THEN 'source' END AS text_source
    FROM meta
    LEFT JOIN latest USING (shard, id)
)
SELECT *, word_count(text) AS text_len
FROM worded;
