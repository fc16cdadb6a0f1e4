-- What several nodes and many past attempts need: keys that begin with the person, counts that are kept instead of counted, limits
-- that all nodes share, indexes for what is forgotten.

ALTER TABLE credential_intents DROP CONSTRAINT credential_intents_pkey;
ALTER TABLE credential_intents ADD PRIMARY KEY (person_id, award_id, kind, revision);
ALTER TABLE credentials DROP CONSTRAINT credentials_pkey;
ALTER TABLE credentials ADD PRIMARY KEY (person_id, award_id, kind, revision);

-- How many indexes of a status list are in use.
CREATE TABLE status_lists (
    issuer_id UUID NOT NULL, status_list BIGINT NOT NULL, used BIGINT NOT NULL,
    PRIMARY KEY (issuer_id, status_list)
);
INSERT INTO status_lists (issuer_id, status_list, used) SELECT issuer_id, status_list, COUNT(*) FROM credential_intents GROUP BY issuer_id, status_list;

-- Public figures of a programme, folded in by a job.
CREATE TABLE programme_figures (
    issuer_id UUID NOT NULL, programme TEXT COLLATE "C" NOT NULL, submitted BIGINT NOT NULL, passed BIGINT NOT NULL,
    PRIMARY KEY (issuer_id, programme)
);
INSERT INTO programme_figures (issuer_id, programme, submitted, passed)
    SELECT issuer_id, programme, COUNT(*), COUNT(CASE WHEN outcome LIKE '%"passed":true%' THEN 1 END)
    FROM attempts WHERE state = 'submitted' AND outcome IS NOT NULL GROUP BY issuer_id, programme;

-- A way in that is used too often: when its next use is due. Keys are hashes; rows are forgotten when they are due.
CREATE TABLE rate_marks (
    way TEXT COLLATE "C" NOT NULL, key_hash BYTEA NOT NULL, due_at BIGINT NOT NULL,
    PRIMARY KEY (way, key_hash)
);

-- What all nodes of one installation must have in common, as hashes.
CREATE TABLE installation (
    name TEXT COLLATE "C" NOT NULL, value BYTEA NOT NULL,
    PRIMARY KEY (name)
);

CREATE INDEX sign_in_links_by_address ON sign_in_links (issuer_id, address);
CREATE INDEX sign_in_links_by_end ON sign_in_links (expires_at);
CREATE INDEX sessions_by_end ON sessions (expires_at);
CREATE INDEX jobs_by_person ON jobs (person_id) WHERE person_id IS NOT NULL;
CREATE INDEX jobs_done ON jobs (done_at) WHERE done_at IS NOT NULL;
