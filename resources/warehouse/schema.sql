CREATE TABLE IF NOT EXISTS captioned_videos (
    id VARCHAR, path VARCHAR, shard VARCHAR, kind VARCHAR,
    num_frames BIGINT, height BIGINT, width BIGINT, aspect_ratio DOUBLE, resolution BIGINT,
    fps DOUBLE, duration_s DOUBLE, codec VARCHAR, content_id VARCHAR,
    {columns}
    text VARCHAR, text_source VARCHAR, text_len BIGINT,
    {statuses}
    probe_error VARCHAR, duplicate_of VARCHAR, source_text VARCHAR, extra JSON
);
ALTER TABLE captioned_videos ADD COLUMN IF NOT EXISTS extra JSON;

CREATE TABLE IF NOT EXISTS annotations (
    id VARCHAR, shard VARCHAR, annotator VARCHAR, fingerprint VARCHAR,
    value VARCHAR, status VARCHAR, error_kind VARCHAR, error VARCHAR, finish_reason VARCHAR,
    tokens_in BIGINT, tokens_out BIGINT, seconds DOUBLE, cost_usd DOUBLE,
    attempt INTEGER, run_id VARCHAR, created_at TIMESTAMP,
    input_key VARCHAR, details JSON, is_current BOOLEAN
);

CREATE TABLE IF NOT EXISTS annotators (
    place INTEGER, name VARCHAR, role VARCHAR, columns VARCHAR[], meaning VARCHAR
);

CREATE TABLE IF NOT EXISTS recipes (
    fingerprint VARCHAR, annotator VARCHAR, recipe JSON, first_seen TIMESTAMP
);
