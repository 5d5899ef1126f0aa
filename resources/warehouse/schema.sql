CREATE TABLE IF NOT EXISTS captioned_videos ({columns});

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

-- Tables of 0.1.0 have no versions.
ALTER TABLE recipes ADD COLUMN IF NOT EXISTS versions JSON;
