-- name: meta
SELECT path, id, num_frames, height, width, aspect_ratio, fps, resolution
FROM captioned_videos WHERE probe_error IS NULL ORDER BY id, path;

-- name: meta_caption
SELECT path, id, num_frames, height, width, aspect_ratio, fps, resolution, text
FROM captioned_videos WHERE probe_error IS NULL AND text <> '' ORDER BY id, path;

-- name: meta_cmotion
SELECT path, id, num_frames, height, width, aspect_ratio, fps, resolution, cmotion
FROM captioned_videos WHERE camera_motion_status = 'ok' ORDER BY id, path;

-- name: meta_objects
SELECT path, id, num_frames, height, width, aspect_ratio, fps, resolution, text,
       CASE WHEN len(objects) = 0 THEN 'NONE_FOUND' ELSE array_to_string(objects, ', ') END AS objects
FROM captioned_videos WHERE tags_objects_status = 'ok' ORDER BY id, path;

-- name: meta_actions
SELECT path, id, num_frames, height, width, aspect_ratio, fps, resolution, text,
       CASE WHEN len(actions) = 0 THEN 'NONE_FOUND' ELSE array_to_string(actions, ', ') END AS actions
FROM captioned_videos WHERE tags_actions_status = 'ok' ORDER BY id, path;
