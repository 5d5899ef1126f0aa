DELETE FROM left_out WHERE (path, reason) NOT IN (SELECT (path, reason) FROM now_left_out);
INSERT INTO left_out BY NAME
SELECT * FROM now_left_out WHERE (path, reason) NOT IN (SELECT (path, reason) FROM left_out);
