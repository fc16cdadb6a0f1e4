-- What a database that was set back must not forget. The journal outside of it remembers; here stands what was learned from there.

-- Indexes of status lists that stand in credentials which this database does not hold: never given again, and revoked with their award.
CREATE TABLE spent_indexes (
    issuer_id UUID NOT NULL, status_list BIGINT NOT NULL, status_index BIGINT NOT NULL, award_id UUID NOT NULL, revision BIGINT NOT NULL,
    revoked_at BIGINT,
    PRIMARY KEY (issuer_id, status_list, status_index)
);
CREATE INDEX spent_indexes_by_award ON spent_indexes (award_id);

-- Attempts that were closed and that this database does not hold: they count among the tries of the year.
CREATE TABLE lost_attempts (
    person_id UUID NOT NULL, attempt_id UUID NOT NULL, issuer_id UUID NOT NULL, programme TEXT COLLATE "C" NOT NULL, started_at BIGINT NOT NULL,
    PRIMARY KEY (person_id, attempt_id)
);

-- How far each journal is known here: nothing up to there is news. A journal's name is the hash of its first line.
CREATE TABLE journals (
    journal BYTEA NOT NULL, length BIGINT NOT NULL, last_sha256 BYTEA NOT NULL,
    PRIMARY KEY (journal)
);

-- Lines of a journal name awards, not people.
CREATE INDEX awards_by_award ON awards (award_id);
