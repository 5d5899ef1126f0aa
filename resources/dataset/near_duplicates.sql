WITH measured AS (
    SELECT id, any_value(details ->> 'signature') AS signature,
           any_value(CAST(details ->> 'sharpness' AS DOUBLE)) AS sharp
    FROM annotations
    WHERE is_current AND status = 'ok' AND json_exists(details, '$.signature')
    GROUP BY id
)
SELECT id, signature, coalesce(duration_s, 0) AS duration_s
FROM captioned_videos JOIN measured USING (id)
WHERE kind = $kind AND id IN (SELECT id FROM {among})
ORDER BY resolution DESC NULLS LAST, duration_s DESC, sharp DESC, id;
