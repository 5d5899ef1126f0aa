-- `meta` and `fresh` hold the raw metadata and the annotations of the shards to add. $order: captioners and `source`, the
-- preferred one first · $strip, $camera: whether to change their captions (text_rule.sql) before they become `text` ·
-- $declared: the annotators of the collection; answers of others are kept, but are not current. {said}: `fresh`, and
-- the fields of structured captions that $order names, as if each had an annotator of its own.
INSERT INTO annotations BY NAME
SELECT * EXCLUDE (current), current AND list_contains($declared, annotator) AS is_current FROM fresh;

INSERT INTO captioned_videos BY NAME
WITH latest AS (
    SELECT
        shard, id,
        {answers}arg_min({'text': value, 'source': annotator}, list_position($order, annotator))
            FILTER (status = 'ok' AND list_contains($order, annotator)) AS captioned
    FROM {said}
    WHERE current AND list_contains($declared, annotator)
    GROUP BY shard, id
),
preferred AS (
    SELECT *, CASE WHEN meta.text <> '' AND list_position($order, 'source') < list_position($order, captioned.source)
                   THEN NULL ELSE captioned END AS chosen
    FROM meta LEFT JOIN latest USING (shard, id)
),
worded AS (
    SELECT
        * EXCLUDE (text, is_vfr, rotation, bit_depth, has_audio, file_size, captioned, chosen),
        preferred.text AS source_text,
        coalesce(
            CASE WHEN $strip THEN without_prefix(chosen.text) ELSE chosen.text END
            || CASE WHEN $camera THEN camera_sentence({camera}) ELSE '' END,
            preferred.text
        ) AS text,
        CASE WHEN chosen.text IS NOT NULL THEN chosen.source
             WHEN preferred.text IS NOT NULL THEN 'source' END AS text_source
    FROM preferred
)
SELECT *, word_count(text) AS text_len, unnest(language_of(text))
FROM worded;
