SELECT
    count(*),
    (SELECT count(*) FROM fresh),
    md5(coalesce(string_agg(CAST(row_of_clip AS VARCHAR), chr(10) ORDER BY row_of_clip.id), ''))
FROM captioned_videos AS row_of_clip
WHERE shard = $shard;
