DELETE FROM annotations WHERE shard = $shard;
DELETE FROM captioned_videos WHERE shard = $shard;
