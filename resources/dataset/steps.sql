-- name: meta
SELECT path, id, num_frames, height, width, aspect_ratio, fps, resolution
FROM captioned_videos WHERE probe_error IS NULL ORDER BY id, path;

-- name: meta_caption
SELECT path, id, num_frames, height, width, aspect_ratio, fps, resolution, text
FROM captioned_videos WHERE probe_error IS NULL AND text <> '' ORDER BY id, path;

-- name: label
SELECT path, id, num_frames, height, width, aspect_ratio, fps, resolution, {column}
FROM captioned_videos WHERE {status} = 'ok' ORDER BY id, path;

-- name: tags
SELECT path, id, num_frames, height, width, aspect_ratio, fps, resolution, text,
       CASE WHEN len({column}) = 0 THEN 'NONE_FOUND' ELSE array_to_string({column}, ', ') END AS {column}
FROM captioned_videos WHERE {status} = 'ok' ORDER BY id, path;
