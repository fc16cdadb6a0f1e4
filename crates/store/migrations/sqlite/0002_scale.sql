-- What several nodes and many past attempts need: keys that begin with the person, counts that are kept instead of counted, limits
-- that all nodes share, indexes for what is forgotten.

CREATE TABLE credential_intents_2 (
    person_id BLOB NOT NULL, award_id BLOB NOT NULL, kind TEXT NOT NULL, revision INTEGER NOT NULL, issuer_id BLOB NOT NULL,
    status_list INTEGER NOT NULL, status_index INTEGER NOT NULL, unsigned TEXT NOT NULL, verification_method TEXT NOT NULL,
    intended_at INTEGER NOT NULL,
    PRIMARY KEY (person_id, award_id, kind, revision),
    UNIQUE (issuer_id, status_list, status_index)
) STRICT;
INSERT INTO credential_intents_2 (person_id, award_id, kind, revision, issuer_id, status_list, status_index, unsigned, verification_method, intended_at)
    SELECT person_id, award_id, kind, revision, issuer_id, status_list, status_index, unsigned, verification_method, intended_at FROM credential_intents;
DROP TABLE credential_intents;
ALTER TABLE credential_intents_2 RENAME TO credential_intents;

CREATE TABLE credentials_2 (
    person_id BLOB NOT NULL, award_id BLOB NOT NULL, kind TEXT NOT NULL, revision INTEGER NOT NULL, issuer_id BLOB NOT NULL,
    document TEXT, sha256 BLOB NOT NULL, stored_at INTEGER NOT NULL, revoked_at INTEGER,
    PRIMARY KEY (person_id, award_id, kind, revision)
) STRICT;
INSERT INTO credentials_2 (person_id, award_id, kind, revision, issuer_id, document, sha256, stored_at, revoked_at)
    SELECT person_id, award_id, kind, revision, issuer_id, document, sha256, stored_at, revoked_at FROM credentials;
DROP TABLE credentials;
ALTER TABLE credentials_2 RENAME TO credentials;
CREATE INDEX revoked_credentials ON credentials (issuer_id, revoked_at) WHERE revoked_at IS NOT NULL;

-- How many indexes of a status list are in use.
CREATE TABLE status_lists (
    issuer_id BLOB NOT NULL, status_list INTEGER NOT NULL, used INTEGER NOT NULL,
    PRIMARY KEY (issuer_id, status_list)
) STRICT;
INSERT INTO status_lists (issuer_id, status_list, used) SELECT issuer_id, status_list, COUNT(*) FROM credential_intents GROUP BY issuer_id, status_list;

-- Public figures of a programme, folded in by a job.
CREATE TABLE programme_figures (
    issuer_id BLOB NOT NULL, programme TEXT NOT NULL, submitted INTEGER NOT NULL, passed INTEGER NOT NULL,
    PRIMARY KEY (issuer_id, programme)
) STRICT;
INSERT INTO programme_figures (issuer_id, programme, submitted, passed)
    SELECT issuer_id, programme, COUNT(*), COUNT(CASE WHEN outcome LIKE '%"passed":true%' THEN 1 END)
    FROM attempts WHERE state = 'submitted' AND outcome IS NOT NULL GROUP BY issuer_id, programme;

-- A way in that is used too often: when its next use is due. Keys are hashes; rows are forgotten when they are due.
CREATE TABLE rate_marks (
    way TEXT NOT NULL, key_hash BLOB NOT NULL, due_at INTEGER NOT NULL,
    PRIMARY KEY (way, key_hash)
) STRICT;

-- What all nodes of one installation must have in common, as hashes.
CREATE TABLE installation (
    name TEXT NOT NULL, value BLOB NOT NULL,
    PRIMARY KEY (name)
) STRICT;

CREATE INDEX sign_in_links_by_address ON sign_in_links (issuer_id, address);
CREATE INDEX sign_in_links_by_end ON sign_in_links (expires_at);
CREATE INDEX sessions_by_end ON sessions (expires_at);
CREATE INDEX jobs_by_person ON jobs (person_id) WHERE person_id IS NOT NULL;
CREATE INDEX jobs_done ON jobs (done_at) WHERE done_at IS NOT NULL;
