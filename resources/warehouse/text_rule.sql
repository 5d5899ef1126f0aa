-- What may be done to a caption before it becomes `text`. Only what says nothing about the clip is taken away.
CREATE OR REPLACE TEMP MACRO without_prefix(caption) AS (
    WITH cut AS (
        SELECT regexp_replace(
            regexp_replace(
                caption,
                '^\s*(?:in\s+)?(?:the|this)\s+(?:short\s+)?(?:video|image|clip|footage|scene|picture|photo)(?:\s+clip)?,?\s+'
                || '(?:(?:shows|showcases|depicts|features|captures|displays|presents|portrays)\s+'
                || '|is\s+(?:about|of)\s+|(?:we|one|you)\s+(?:can\s+)?see\s+|there\s+(?:is|are)\s+)',
                '', 'i'),
            '^\s*(?:the|this)\s+(?:short\s+)?(?:video|image|clip|footage|scene|picture|photo)\s+is\s+(an?|the)\s+',
            '\1 ', 'i') AS rest
    )
    SELECT CASE WHEN trim(rest) = '' THEN caption ELSE upper(rest[1]) || rest[2:] END FROM cut
);

CREATE OR REPLACE TEMP MACRO camera_sentence(cmotion) AS
    CASE WHEN cmotion IS NULL OR cmotion = 'unclassified' THEN ''
         ELSE ' Camera motion: ' || replace(replace(cmotion, '_', ' '), '+', ' and ') || '.' END;

-- Words with white space between. Splitting by a pattern takes a third of a merge, and hardly a text needs it.
CREATE OR REPLACE TEMP MACRO word_count(words) AS
    CASE WHEN regexp_matches(words, '^ |  | $|[\t\n\f\r]') THEN len(string_split_regex(trim(words), '\s+'))
         ELSE length(words) - length(replace(words, ' ', '')) + 1 END;
