SELECT
    count(*),
    count(DISTINCT id),
    (SELECT count(*) FROM annotations WHERE shard = $shard),
    (SELECT count(*) FROM fresh),
    (SELECT count(*) FROM captioned_videos),
    md5(coalesce(string_agg(CAST(row_of_clip AS VARCHAR), chr(10) ORDER BY row_of_clip.id), ''))
FROM captioned_videos AS row_of_clip
WHERE shard = $shard;
