-- `meta` and `fresh` hold the raw metadata and the annotations of the shards to add. $order: captioners, the
-- preferred one first · $strip, $camera: whether to change their captions (text_rule.sql) before they become `text`.
INSERT INTO annotations BY NAME
SELECT * EXCLUDE (current), current AS is_current FROM fresh;

INSERT INTO captioned_videos BY NAME
WITH latest AS (
    SELECT
        shard, id,
        any_value(value) FILTER (annotator = 'captions_pllava') AS caption_pllava,
        any_value(value) FILTER (annotator = 'captions_llava') AS caption_llava,
        any_value(value) FILTER (annotator = 'captions_gpt4v') AS caption_gpt4v,
        any_value(value) FILTER (annotator = 'camera_motion') AS cmotion,
        from_json(any_value(value) FILTER (annotator = 'tags_objects'), '["VARCHAR"]') AS objects,
        from_json(any_value(value) FILTER (annotator = 'tags_actions'), '["VARCHAR"]') AS actions,
        any_value(status) FILTER (annotator = 'captions_pllava') AS captions_pllava_status,
        any_value(status) FILTER (annotator = 'captions_llava') AS captions_llava_status,
        any_value(status) FILTER (annotator = 'captions_gpt4v') AS captions_gpt4v_status,
        any_value(status) FILTER (annotator = 'camera_motion') AS camera_motion_status,
        any_value(status) FILTER (annotator = 'tags_objects') AS tags_objects_status,
        any_value(status) FILTER (annotator = 'tags_actions') AS tags_actions_status,
        arg_min({'text': value, 'source': annotator}, list_position($order, annotator))
            FILTER (status = 'ok' AND list_contains($order, annotator)) AS chosen
    FROM fresh
    WHERE current
    GROUP BY shard, id
),
worded AS (
    SELECT
        meta.* EXCLUDE (text, is_vfr, rotation, bit_depth, has_audio, file_size),
        latest.* EXCLUDE (shard, id, chosen),
        meta.text AS source_text,
        coalesce(
            CASE WHEN $strip THEN without_prefix(chosen.text) ELSE chosen.text END
            || CASE WHEN $camera THEN camera_sentence(cmotion) ELSE '' END,
            meta.text
        ) AS text,
        CASE WHEN chosen.text IS NOT NULL THEN chosen.source
             WHEN meta.text IS NOT NULL THEN 'source' END AS text_source
    FROM meta
    LEFT JOIN latest USING (shard, id)
)
SELECT *, word_count(text) AS text_len
FROM worded;
