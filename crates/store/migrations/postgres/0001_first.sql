-- The same schema as the embedded engine's, in PostgreSQL's types; a test compares the two. Texts sort by their bytes on both.
-- Every hot table's primary key begins with the person; every row carries its issuer. Times are UTC milliseconds.
-- No sequences, triggers or functions: what decides is a constraint or a compare-and-set in the statement itself.

CREATE TABLE issuers (
    issuer_id UUID PRIMARY KEY, slug TEXT COLLATE "C" NOT NULL UNIQUE, created_at BIGINT NOT NULL
);

CREATE TABLE people (
    person_id UUID PRIMARY KEY, issuer_id UUID NOT NULL, address TEXT COLLATE "C", handle TEXT COLLATE "C", created_at BIGINT NOT NULL, erased_at BIGINT,
    UNIQUE (issuer_id, address), UNIQUE (issuer_id, handle)
);

-- A handle that was given up stays its former owner's, under its hash.
CREATE TABLE released_handles (
    issuer_id UUID NOT NULL, handle_hash BYTEA NOT NULL, person_id UUID NOT NULL,
    PRIMARY KEY (issuer_id, handle_hash)
);

CREATE TABLE sign_in_links (
    token_hash BYTEA PRIMARY KEY, issuer_id UUID NOT NULL, address TEXT COLLATE "C" NOT NULL, next_path TEXT COLLATE "C" NOT NULL,
    created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL, used_at BIGINT
);

CREATE TABLE sessions (
    token_hash BYTEA PRIMARY KEY, issuer_id UUID NOT NULL, person_id UUID NOT NULL,
    created_at BIGINT NOT NULL, expires_at BIGINT NOT NULL
);
CREATE INDEX sessions_by_person ON sessions (person_id);

-- A wait outlives an erased account, under a keyed hash of the address, so that erasing is no way round it.
CREATE TABLE kept_waits (
    issuer_id UUID NOT NULL, address_mac BYTEA NOT NULL, programme TEXT COLLATE "C" NOT NULL, next_start_at BIGINT NOT NULL, fails BIGINT NOT NULL,
    PRIMARY KEY (issuer_id, address_mac, programme)
);

CREATE TABLE programme_versions (
    issuer_id UUID NOT NULL, programme TEXT COLLATE "C" NOT NULL, version TEXT COLLATE "C" NOT NULL, document TEXT NOT NULL, published_at BIGINT NOT NULL,
    PRIMARY KEY (issuer_id, programme, version)
);

CREATE TABLE programmes (
    issuer_id UUID NOT NULL, programme TEXT COLLATE "C" NOT NULL, version TEXT COLLATE "C" NOT NULL, pool_version TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (issuer_id, programme)
);

CREATE TABLE items (
    issuer_id UUID NOT NULL, programme TEXT COLLATE "C" NOT NULL, item_id TEXT COLLATE "C" NOT NULL, version TEXT COLLATE "C" NOT NULL,
    question TEXT NOT NULL, answer_key BYTEA NOT NULL, about TEXT NOT NULL,
    PRIMARY KEY (issuer_id, programme, item_id, version)
);

CREATE TABLE pool_items (
    issuer_id UUID NOT NULL, programme TEXT COLLATE "C" NOT NULL, pool_version TEXT COLLATE "C" NOT NULL, item_id TEXT COLLATE "C" NOT NULL, item_version TEXT COLLATE "C" NOT NULL,
    domain TEXT COLLATE "C" NOT NULL, family TEXT COLLATE "C" NOT NULL, enemies TEXT NOT NULL, option_count BIGINT NOT NULL,
    PRIMARY KEY (issuer_id, programme, pool_version, item_id)
);

CREATE TABLE exposures (
    issuer_id UUID NOT NULL, programme TEXT COLLATE "C" NOT NULL, item_id TEXT COLLATE "C" NOT NULL, shown BIGINT NOT NULL,
    PRIMARY KEY (issuer_id, programme, item_id)
);

CREATE TABLE lesson_marks (
    person_id UUID NOT NULL, issuer_id UUID NOT NULL, programme TEXT COLLATE "C" NOT NULL, lesson TEXT COLLATE "C" NOT NULL, done_at BIGINT NOT NULL,
    PRIMARY KEY (person_id, programme, lesson)
);

-- One row per person and programme: the value that a start compares and sets.
CREATE TABLE standings (
    person_id UUID NOT NULL, issuer_id UUID NOT NULL, programme TEXT COLLATE "C" NOT NULL,
    next_start_at BIGINT NOT NULL, fails BIGINT NOT NULL, passed_version TEXT COLLATE "C",
    PRIMARY KEY (person_id, programme)
);

CREATE TABLE attempts (
    person_id UUID NOT NULL, attempt_id UUID NOT NULL, issuer_id UUID NOT NULL, programme TEXT COLLATE "C" NOT NULL,
    programme_version TEXT COLLATE "C" NOT NULL, pool_version TEXT COLLATE "C" NOT NULL, badge_version TEXT COLLATE "C" NOT NULL,
    rules TEXT NOT NULL, draw TEXT NOT NULL, holder_name TEXT COLLATE "C" NOT NULL, state TEXT COLLATE "C" NOT NULL CHECK (state IN ('open', 'submitted')),
    started_at BIGINT NOT NULL, deadline BIGINT, submitted_at BIGINT, outcome TEXT, retake_at BIGINT,
    PRIMARY KEY (person_id, attempt_id)
);
CREATE UNIQUE INDEX one_open_attempt ON attempts (person_id, programme) WHERE state = 'open';
CREATE INDEX open_with_deadline ON attempts (deadline) WHERE state = 'open' AND deadline IS NOT NULL;

CREATE TABLE form_items (
    person_id UUID NOT NULL, attempt_id UUID NOT NULL, position BIGINT NOT NULL, issuer_id UUID NOT NULL, programme TEXT COLLATE "C" NOT NULL,
    item_id TEXT COLLATE "C" NOT NULL, item_version TEXT COLLATE "C" NOT NULL, domain TEXT COLLATE "C" NOT NULL, options TEXT NOT NULL, shown_before BIGINT NOT NULL,
    first_shown_at BIGINT, flagged BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (person_id, attempt_id, position)
);

CREATE TABLE responses (
    person_id UUID NOT NULL, attempt_id UUID NOT NULL, position BIGINT NOT NULL, issuer_id UUID NOT NULL,
    chosen TEXT NOT NULL, revision BIGINT NOT NULL, device TEXT COLLATE "C" NOT NULL, counter BIGINT NOT NULL, saved_at BIGINT NOT NULL,
    PRIMARY KEY (person_id, attempt_id, position)
);

CREATE TABLE response_saves (
    person_id UUID NOT NULL, attempt_id UUID NOT NULL, position BIGINT NOT NULL, revision BIGINT NOT NULL, issuer_id UUID NOT NULL,
    saved_at BIGINT NOT NULL,
    PRIMARY KEY (person_id, attempt_id, position, revision)
);

CREATE TABLE problem_reports (
    person_id UUID NOT NULL, report_id UUID NOT NULL, issuer_id UUID NOT NULL, attempt_id UUID NOT NULL, position BIGINT NOT NULL,
    programme TEXT COLLATE "C" NOT NULL, item_id TEXT COLLATE "C" NOT NULL, item_version TEXT COLLATE "C" NOT NULL, words TEXT NOT NULL, reported_at BIGINT NOT NULL,
    PRIMARY KEY (person_id, report_id)
);

CREATE TABLE awards (
    person_id UUID NOT NULL, award_id UUID NOT NULL, issuer_id UUID NOT NULL, programme TEXT COLLATE "C" NOT NULL, badge_version TEXT COLLATE "C" NOT NULL,
    attempt_id UUID NOT NULL, badge_id TEXT COLLATE "C" NOT NULL UNIQUE, holder_name TEXT COLLATE "C", name_corrected BIGINT NOT NULL DEFAULT 0,
    visibility TEXT COLLATE "C" NOT NULL, show_score BIGINT NOT NULL DEFAULT 0, revision BIGINT NOT NULL DEFAULT 1,
    awarded_at BIGINT NOT NULL, revoked_at BIGINT, revoked_reason TEXT, withdrawn_at BIGINT,
    PRIMARY KEY (person_id, award_id),
    UNIQUE (person_id, programme, badge_version)
);

-- What is about to be signed, kept before it is: a crashed step repeats with the same bytes.
CREATE TABLE credential_intents (
    award_id UUID NOT NULL, kind TEXT COLLATE "C" NOT NULL, revision BIGINT NOT NULL, issuer_id UUID NOT NULL, person_id UUID NOT NULL,
    status_list BIGINT NOT NULL, status_index BIGINT NOT NULL, unsigned TEXT NOT NULL, verification_method TEXT COLLATE "C" NOT NULL,
    intended_at BIGINT NOT NULL,
    PRIMARY KEY (award_id, kind, revision),
    UNIQUE (issuer_id, status_list, status_index)
);

CREATE TABLE credentials (
    award_id UUID NOT NULL, kind TEXT COLLATE "C" NOT NULL, revision BIGINT NOT NULL, issuer_id UUID NOT NULL, person_id UUID NOT NULL,
    document TEXT, sha256 BYTEA NOT NULL, stored_at BIGINT NOT NULL, revoked_at BIGINT,
    PRIMARY KEY (award_id, kind, revision)
);
CREATE INDEX revoked_credentials ON credentials (issuer_id, revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE jobs (
    job_id UUID PRIMARY KEY, issuer_id UUID NOT NULL, kind TEXT COLLATE "C" NOT NULL, dedup TEXT COLLATE "C" NOT NULL, payload TEXT NOT NULL,
    person_id UUID, run_at BIGINT NOT NULL, tries BIGINT NOT NULL DEFAULT 0, leased_until BIGINT, lease_owner TEXT COLLATE "C",
    done_at BIGINT, last_error TEXT,
    UNIQUE (kind, dedup)
);
CREATE INDEX jobs_waiting ON jobs (run_at) WHERE done_at IS NULL;

CREATE TABLE audit_log (
    row_id UUID PRIMARY KEY, issuer_id UUID NOT NULL, at BIGINT NOT NULL, actor TEXT COLLATE "C" NOT NULL, action TEXT COLLATE "C" NOT NULL,
    object TEXT COLLATE "C" NOT NULL, detail TEXT NOT NULL
);
CREATE INDEX audit_by_time ON audit_log (issuer_id, at);
