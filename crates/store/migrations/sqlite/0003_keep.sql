-- What a database that was set back must not forget. The journal outside of it remembers; here stands what was learned from there.

-- Indexes of status lists that stand in credentials which this database does not hold: never given again, and revoked with their award.
CREATE TABLE spent_indexes (
    issuer_id BLOB NOT NULL, status_list INTEGER NOT NULL, status_index INTEGER NOT NULL, award_id BLOB NOT NULL, revision INTEGER NOT NULL,
    revoked_at INTEGER,
    PRIMARY KEY (issuer_id, status_list, status_index)
) STRICT;
CREATE INDEX spent_indexes_by_award ON spent_indexes (award_id);

-- Attempts that were closed and that this database does not hold: they count among the tries of the year.
CREATE TABLE lost_attempts (
    person_id BLOB NOT NULL, attempt_id BLOB NOT NULL, issuer_id BLOB NOT NULL, programme TEXT NOT NULL, started_at INTEGER NOT NULL,
    PRIMARY KEY (person_id, attempt_id)
) STRICT;

-- How far each journal is known here: nothing up to there is news. A journal's name is the hash of its first line.
CREATE TABLE journals (
    journal BLOB NOT NULL, length INTEGER NOT NULL, last_sha256 BLOB NOT NULL,
    PRIMARY KEY (journal)
) STRICT;

-- Lines of a journal name awards, not people.
CREATE INDEX awards_by_award ON awards (award_id);
